import { BUN, MILLRACE, ROOT } from "../variants/programs.ts";
import { writeError } from "../../src/cli/output.ts";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSample } from "../../src/format/sample.ts";
import { collectorPauses, WATCHED } from "../collector.ts";
import type { Program, Run, VariantId } from "../model.ts";
import { appendLine } from "../results-file.ts";
import type { Peers } from "../peers.ts";
import { readReport, runProgram } from "../program.ts";
import { TEXT_FLOWS } from "./text-to-bytes.ts";

// The part `native` of the suite: measurements without a datapath, on the host's kernel.

/** How much the part `native` does. */
type NativeSize = {
  readonly rounds: number;
  readonly routes: number;
  /** Process starts, of which the median is taken. */
  readonly starts: number;
  /** Lines of the long dry run. */
  readonly longLines: number;
};

/**
 * Measures what needs no datapath, on the host's kernel: routes, starts, text to bytes, memory.
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

/** A variant of this part. */
type Native = { readonly id: VariantId; readonly name: string; readonly program: Program };

function append(
  out: string,
  variant: Native,
  round: number,
  more: Pick<Run, "flows" | "seconds"> & Partial<Run>,
): void {
  const { seconds } = more;
  const base = { kind: "run", part: "native", wholeSeconds: seconds } as const;
  appendLine(out, { ...base, ...variant, round, ...more });
}

/** A run that does not count, and why. */
function appendFailed(out: string, variant: Native, round: number, failed: string): void {
  writeError(`${variant.name}: ${failed}\n`);
  append(out, variant, round, { flows: 0, seconds: 0, failed });
}

const TEXT_TO_BYTES: Native = {
  id: "text-to-bytes",
  name: "text to netlink bytes, UFID, one thread",
  program: "millrace",
};
const OVS_PARSE: Native = {
  id: "ovs-parse",
  name: "text to attributes by OVS's own parser",
  program: "libopenvswitch",
};

/** Parses the same lines alternately: millrace to whole messages, OVS's parser to attributes. */
function parsers(folder: string, out: string, rounds: number, dpif: string | undefined): void {
  const file = join(folder, "parsed.txt");
  if (dpif !== undefined) writeSample(file, TEXT_FLOWS);
  const own = [BUN, join(ROOT, "bench/native/text-to-bytes.ts")];
  for (let round = 0; round < rounds; round++) {
    reported(out, TEXT_TO_BYTES, round, own);
    if (dpif !== undefined) reported(out, OVS_PARSE, round, [dpif, "parse", file]);
  }
}

/** Times whole processes alternately, so that other load on the machine affects all alike. */
function starts(folder: string, out: string, count: number): void {
  const file = join(folder, "one.txt");
  writeSample(file, 1);
  const programs: readonly (readonly [Native, readonly string[]])[] = [
    // Not millrace: changes of this program from run to run come from the machine or Bun.
    [{ id: "start-bun", name: "start of bun -e 0", program: "bun" }, [process.execPath, "-e", "0"]],
    [
      { id: "start-version", name: "start of millrace --version", program: "millrace" },
      [MILLRACE, "--version"],
    ],
    [
      {
        id: "start-load",
        name: "start of millrace load --dry-run, one flow",
        program: "millrace",
      },
      [MILLRACE, "load", file, "--dry-run"],
    ],
  ];
  for (let round = -1; round < count; round++) {
    for (const [variant, command] of programs) {
      const { wholeSeconds: seconds, failed } = runProgram(command, { stdout: "ignore" });
      if (failed !== undefined) appendFailed(out, variant, round, failed);
      // The first round reads the files from disk, and does not count.
      else if (round >= 0) append(out, variant, round, { flows: 0, seconds });
    }
  }
}

/** A run of a fresh process that prints its figures as one document. */
function reported(out: string, variant: Native, round: number, command: readonly string[]): void {
  const { stdout, failed } = runProgram(command);
  const report = readReport(stdout);
  if (failed !== undefined || report === undefined) {
    appendFailed(out, variant, round, failed ?? "it prints no report");
  } else append(out, variant, round, { flows: report.flows ?? 0, seconds: report.seconds });
}

/** Runs a tenth of the lines, and all: measures the process's memory and the collector's pauses. */
function longRuns(folder: string, out: string, lines: number): void {
  const tenth = Math.max(1, Math.floor(lines / 10));
  const file = join(folder, "tenth.txt");
  writeSample(file, tenth);
  const all = join(folder, "all.sh");
  writeFileSync(all, `for i in 1 2 3 4 5 6 7 8 9 10; do cat '${file}'; done\n`);
  for (const [id, flows, input] of [
    ["dry-run-tenth", tenth, `cat '${file}'`],
    ["dry-run", tenth * 10, `sh '${all}'`],
  ] as const) {
    const variant = { id, name: `dry run of ${flows} lines`, program: "millrace" } as const;
    const script = `${input} | '${MILLRACE}' load /dev/stdin --dry-run --json`;
    const ended = runProgram(["sh", "-c", script], WATCHED);
    const report = readReport(ended.stdout);
    const pauses = collectorPauses(ended.stderr);
    if (ended.failed !== undefined || report === undefined || pauses === undefined) {
      const silent = report === undefined ? "it prints no report" : "its collector tells nothing";
      appendFailed(out, variant, 0, ended.failed ?? silent);
      continue;
    }
    const { peakResidentBytes } = report;
    append(out, variant, 0, {
      flows,
      seconds: ended.wholeSeconds,
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
  // Root needs no user namespace, and keeps the privilege for large buffers.
  const flags = process.getuid?.() === 0 ? "-n" : "-rn";
  const trial = Bun.spawnSync(["unshare", flags, "true"], { stderr: "pipe" });
  if (trial.exitCode !== 0) {
    return [
      `routes on the host's kernel: no network namespace (${trial.stderr.toString().trim()})`,
    ];
  }
  const child = Bun.spawnSync(["unshare", flags, ...inside], { stderr: "pipe" });
  // A part that runs and fails counts as failed rather than as left out.
  if (child.exitCode !== 0) {
    const why = child.stderr.toString().trim().split("\n").at(-1) ?? "";
    const all: Native = { id: "routes", name: "routes on the host's kernel", program: "millrace" };
    appendFailed(out, all, 0, `exit ${child.exitCode}: ${why}`);
  }
  return [];
}
