/**
 * The engine on the host's kernel: routes by millrace, by the C program and by `ip -batch`, each a
 * fresh process, in alternating order. Runs in its own network namespace. Appends one JSON line per
 * run.
 *
 *   unshare -n bun bench/native/routes.ts OUT.jsonl FOLDER ROUTES ROUNDS LIMIT
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Program, VariantId } from "../model.ts";
import { appendLine } from "../results-file.ts";
import { readReport, runProgram } from "../program.ts";
import { routeAddress, writeRoutes } from "./route-message.ts";

const [out = "", folder = "", routes = "0", rounds = "1", limit = ""] = process.argv.slice(2);
const count = Number(routes);
const packed = join(folder, "routes.packed");
const text = join(folder, "routes.txt");

function call(command: readonly string[]): { out: string; seconds: number } {
  const { stdout, wholeSeconds, failed } = runProgram(command, { stderr: "pipe" });
  if (failed !== undefined) throw new Error(`${command.join(" ")}: ${failed}`);
  return { out: stdout, seconds: wholeSeconds };
}

call(["ip", "link", "set", "lo", "up"]);
const link = Number(readFileSync("/sys/class/net/lo/ifindex", "utf8"));
writeRoutes(packed, count, link);
const lines = Array.from({ length: count }, (_, i) => `route add ${routeAddress(i)}/32 dev lo\n`);
writeFileSync(text, lines.join(""));

type Variant = {
  readonly id: VariantId;
  readonly name: string;
  readonly program: Program;
  readonly command: readonly string[];
  readonly reports: boolean;
};
const packing = ["1024", "1048576"];
const engine = [process.execPath, join(import.meta.dir, "route-packed.ts"), packed];
const variants: Variant[] = [];
for (const calls of ["1", "4"]) {
  const how = calls === "1" ? "1024 by send" : "1024 × 4 by sendmmsg";
  const words = [...packing, calls, "errors"];
  variants.push({
    id: `routes-packed-${calls}`,
    name: `routes by millrace, encoded before, ${how}`,
    program: "millrace",
    command: [...engine, ...words, calls === "1" ? "send" : "sendmmsg"],
    reports: true,
  });
  if (limit === "") continue;
  variants.push({
    id: `routes-limit-${calls}`,
    name: `routes by C, encoded before, ${how}`,
    program: "C",
    command: [limit, "route", "-", packed, ...words],
    reports: true,
  });
}
const batch = ["ip", "-batch", text];
variants.push({
  id: "routes-ip",
  name: "routes by ip -batch",
  program: "ip",
  command: batch,
  reports: false,
});

for (let round = 0; round < Number(rounds); round++) {
  for (const variant of round % 2 === 0 ? variants : variants.toReversed()) {
    const { out: said, seconds } = call(variant.command);
    const { id, name, program, reports } = variant;
    const report = reports ? readReport(said) : { seconds };
    if (report === undefined) throw new Error(`${name}: it prints no report`);
    appendLine(out, {
      kind: "run",
      part: "native",
      id,
      name,
      program,
      round,
      flows: count,
      wholeSeconds: seconds,
      ...report,
    });
    if (!reports) check();
  }
}

/** Checks that all of ip's routes are there, and removes them. */
function check(): void {
  const table = call(["ip", "route", "show", "table", "main"]).out.trim().split("\n").length;
  if (table !== count) throw new Error(`${table} routes of ${count} in the kernel`);
  call(["ip", "route", "flush", "table", "main"]);
}
