import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSample } from "../../src/format/sample.ts";
import { appendLine, type ProgramReport, type Run } from "../model.ts";
import type { Peers } from "../peers.ts";
import { TEXT_FLOWS } from "./text-to-bytes.ts";

const ROOT = join(import.meta.dir, "../..");
const BUN = join(ROOT, "src/cli/bun");
const MILLRACE = join(ROOT, "src/cli/millrace");

/** How much the part `native` does. */
export type NativeSize = {
  readonly rounds: number;
  readonly routes: number;
  /** Starts of a process, the median of which is taken. */
  readonly starts: number;
  /** Lines of the long dry run. */
  readonly longLines: number;
};

/**
 * What needs no datapath, on the host's own kernel: routes, starts, text to bytes, memory.
 * @returns what was left out, and why
 */
export function measureNative(
  folder: string,
  out: string,
  size: NativeSize,
  peers: Peers,
): string[] {
  starts(folder, out, size.starts);
  parsers(folder, out, size.rounds, peers.dpif);
  longRuns(folder, out, size.longLines);
  return routes(folder, out, size, peers);
}

function append(
  out: string,
  name: string,
  round: number,
  flows: number,
  seconds: number,
  more: Partial<Run> = {},
): void {
  appendLine(out, {
    kind: "run",
    part: "native",
    program: "millrace",
    name,
    round,
    flows,
    seconds,
    wholeSeconds: seconds,
    ...more,
  });
}

/** The same lines, in turn, by millrace to whole messages and by OVS's own parser to attributes. */
function parsers(folder: string, out: string, rounds: number, dpif: string | undefined): void {
  const file = join(folder, "parsed.txt");
  if (dpif !== undefined) writeSample(file, TEXT_FLOWS);
  for (let round = 0; round < rounds; round++) {
    const { flows, seconds } = reportOf([BUN, join(ROOT, "bench/native/text-to-bytes.ts")]);
    append(out, "text to netlink bytes, UFID, one thread", round, flows, seconds);
    if (dpif === undefined) continue;
    const report = reportOf([dpif, "parse", file]);
    append(out, "text to attributes by OVS's own parser", round, flows, report.seconds, {
      program: "libopenvswitch",
    });
  }
}

/** Times whole processes, in turn, so that whatever else the machine does falls on all alike. */
function starts(folder: string, out: string, count: number): void {
  const one = join(folder, "one.txt");
  writeSample(one, 1);
  const programs: readonly (readonly [string, readonly string[]])[] = [
    ["start of bun -e 0", [process.execPath, "-e", "0"]],
    ["start of millrace --version", [MILLRACE, "--version"]],
    ["start of millrace load --dry-run, one flow", [MILLRACE, "load", one, "--dry-run"]],
  ];
  for (let round = -1; round < count; round++) {
    for (const [name, command] of programs) {
      const before = performance.now();
      const child = Bun.spawnSync([...command], { stdout: "ignore", stderr: "inherit" });
      if (child.exitCode !== 0) throw new Error(`${name}: exit ${child.exitCode}`);
      // The first one reads the files from disk.
      if (round >= 0) append(out, name, round, 0, (performance.now() - before) / 1e3);
    }
  }
}

/** What a fresh process prints as one document. */
function reportOf(command: readonly string[]): ProgramReport & { readonly flows: number } {
  const child = Bun.spawnSync([...command], { stdout: "pipe", stderr: "inherit" });
  if (child.exitCode !== 0) throw new Error(`${command.join(" ")}: exit ${child.exitCode}`);
  return JSON.parse(child.stdout.toString());
}

/** A tenth of the lines, and all: what memory the process comes to hold, and how the collector fares. */
function longRuns(folder: string, out: string, lines: number): void {
  const tenth = Math.max(1, Math.floor(lines / 10));
  const file = join(folder, "tenth.txt");
  writeSample(file, tenth);
  const all = join(folder, "all.sh");
  writeFileSync(all, `for i in 1 2 3 4 5 6 7 8 9 10; do cat '${file}'; done\n`);
  for (const [times, input] of [
    [1, `cat '${file}'`],
    [10, `sh '${all}'`],
  ] as const) {
    const before = performance.now();
    const script = `${input} | '${MILLRACE}' load /dev/stdin --dry-run --json`;
    const child = Bun.spawnSync(["sh", "-c", script], {
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, BUN_JSC_logGC: "1" },
    });
    const seconds = (performance.now() - before) / 1e3;
    if (child.exitCode !== 0) throw new Error(`dry run: ${child.stderr.toString().slice(-500)}`);
    const { peakResidentBytes }: ProgramReport = JSON.parse(child.stdout.toString());
    const pauses = collectorPauses(child.stderr.toString());
    append(out, `dry run of ${tenth * times} lines`, 0, tenth * times, seconds, {
      collectorPausesMs: pauses,
      ...(peakResidentBytes === undefined ? {} : { peakResidentBytes }),
    });
  }
}

/** The pauses that BUN_JSC_logGC tells of, in milliseconds. */
function collectorPauses(log: string): number[] {
  return [...log.matchAll(/\bp=([\d.]+)ms/g)].map((match) => Number(match[1]));
}

function routes(folder: string, out: string, size: NativeSize, peers: Peers): string[] {
  const script = join(ROOT, "bench/native/routes.ts");
  const numbers = [String(size.routes), String(size.rounds)];
  const inside = [BUN, script, out, folder, ...numbers, peers.limit ?? ""];
  if (Bun.which("ip") === null) return ["routes on the host's kernel: there is no ip (iproute2)"];
  // Root needs no user namespace, and keeps the right to large buffers.
  const flags = process.getuid?.() === 0 ? "-n" : "-rn";
  const trial = Bun.spawnSync(["unshare", flags, "true"], { stderr: "pipe" });
  if (trial.exitCode !== 0) {
    return [
      `routes on the host's kernel: no network namespace (${trial.stderr.toString().trim()})`,
    ];
  }
  const child = Bun.spawnSync(["unshare", flags, ...inside], { stderr: "pipe" });
  if (child.exitCode === 0) return [];
  return [`routes on the host's kernel: ${child.stderr.toString().trim().split("\n").at(-1)}`];
}
