import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSample } from "../../src/format/sample.ts";
import { collectorPauses, WATCHED } from "../collector.ts";
import type { Program, Run } from "../model.ts";
import { appendLine } from "../results-file.ts";
import type { Peers } from "../peers.ts";
import { readReport, runProgram } from "../program.ts";
import { TEXT_FLOWS } from "./text-to-bytes.ts";

const ROOT = join(import.meta.dir, "../..");
const BUN = join(ROOT, "src/cli/bun");
const MILLRACE = join(ROOT, "src/cli/millrace");

/** How much the part `native` does. */
type NativeSize = {
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

/** A run that does not count, and why. */
function appendFailed(
  out: string,
  name: string,
  round: number,
  failed: string,
  program: Program = "millrace",
): void {
  console.error(`${name}: ${failed}`);
  append(out, name, round, 0, 0, { program, failed });
}

/** The same lines, in turn, by millrace to whole messages and by OVS's own parser to attributes. */
function parsers(folder: string, out: string, rounds: number, dpif: string | undefined): void {
  const file = join(folder, "parsed.txt");
  if (dpif !== undefined) writeSample(file, TEXT_FLOWS);
  const own = [BUN, join(ROOT, "bench/native/text-to-bytes.ts")];
  for (let round = 0; round < rounds; round++) {
    reported(out, "text to netlink bytes, UFID, one thread", round, own, "millrace");
    if (dpif === undefined) continue;
    const theirs = [dpif, "parse", file];
    reported(out, "text to attributes by OVS's own parser", round, theirs, "libopenvswitch");
  }
}

/** Times whole processes, in turn, so that whatever else the machine does falls on all alike. */
function starts(folder: string, out: string, count: number): void {
  const one = join(folder, "one.txt");
  writeSample(one, 1);
  const programs: readonly (readonly [string, Program, readonly string[]])[] = [
    // Not millrace: what this one gains or loses from run to run is the machine's, or Bun's.
    ["start of bun -e 0", "bun", [process.execPath, "-e", "0"]],
    ["start of millrace --version", "millrace", [MILLRACE, "--version"]],
    [
      "start of millrace load --dry-run, one flow",
      "millrace",
      [MILLRACE, "load", one, "--dry-run"],
    ],
  ];
  for (let round = -1; round < count; round++) {
    for (const [name, program, command] of programs) {
      const { wholeSeconds, failed } = runProgram(command, { stdout: "ignore" });
      if (failed !== undefined) appendFailed(out, name, round, failed, program);
      // The first one reads the files from disk.
      else if (round >= 0) append(out, name, round, 0, wholeSeconds, { program });
    }
  }
}

/** A run of a fresh process that prints its figures as one document. */
function reported(
  out: string,
  name: string,
  round: number,
  command: readonly string[],
  program: Program,
): void {
  const { stdout, failed } = runProgram(command);
  const report = readReport(stdout);
  if (failed !== undefined || report === undefined) {
    appendFailed(out, name, round, failed ?? "it prints no report", program);
  } else append(out, name, round, report.flows ?? 0, report.seconds, { program });
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
    const name = `dry run of ${tenth * times} lines`;
    const script = `${input} | '${MILLRACE}' load /dev/stdin --dry-run --json`;
    const ended = runProgram(["sh", "-c", script], WATCHED);
    const report = readReport(ended.stdout);
    const pauses = collectorPauses(ended.stderr);
    if (ended.failed !== undefined || report === undefined || pauses === undefined) {
      const silent = report === undefined ? "it prints no report" : "its collector tells nothing";
      appendFailed(out, name, 0, ended.failed ?? silent);
      continue;
    }
    const { peakResidentBytes } = report;
    append(out, name, 0, tenth * times, ended.wholeSeconds, {
      collectorPausesMs: pauses,
      ...(peakResidentBytes === undefined ? {} : { peakResidentBytes }),
    });
  }
}

function routes(folder: string, out: string, size: NativeSize, peers: Peers): string[] {
  if (Bun.which("ip") === null) return ["routes on the host's kernel: there is no ip (iproute2)"];
  if (Bun.which("unshare") === null) return ["routes on the host's kernel: there is no unshare"];
  const script = join(ROOT, "bench/native/routes.ts");
  const numbers = [String(size.routes), String(size.rounds)];
  const inside = [BUN, script, out, folder, ...numbers, peers.limit ?? ""];
  // Root needs no user namespace, and keeps the right to large buffers.
  const flags = process.getuid?.() === 0 ? "-n" : "-rn";
  const trial = Bun.spawnSync(["unshare", flags, "true"], { stderr: "pipe" });
  if (trial.exitCode !== 0) {
    return [
      `routes on the host's kernel: no network namespace (${trial.stderr.toString().trim()})`,
    ];
  }
  const child = Bun.spawnSync(["unshare", flags, ...inside], { stderr: "pipe" });
  // What can be run and breaks is no part that is left out.
  if (child.exitCode !== 0) {
    const why = child.stderr.toString().trim().split("\n").at(-1) ?? "";
    appendFailed(out, "routes on the host's kernel", 0, `exit ${child.exitCode}: ${why}`);
  }
  return [];
}
