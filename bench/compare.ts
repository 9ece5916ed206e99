import { count, printTable, writeOut } from "../src/cli/output.ts";
import {
  type Environment,
  LAB_PARTS,
  type Part,
  type Results,
  type Run,
  type VariantId,
} from "./model.ts";
import { median } from "./statistics.ts";
import {
  type Drift,
  driftOf,
  NO_DRIFT,
  type Pair,
  ratioOf,
  thresholdOf,
  type Verdict,
  verdictOf,
} from "./verdict.ts";

/** The timed part: from the first send to the last reply, or the whole process. */
type Measure = "sending" | "whole";

/** The results of one variant in both runs of the suite. */
type Comparison = {
  readonly part: Part;
  readonly name: string;
  readonly measure: Measure;
  /** Microseconds per flow, medians; of the whole process if it takes no flows. */
  readonly before: number;
  readonly after: number;
  /** The time now relative to the time then, without the drift of the machine. */
  readonly ratio: number;
  /** The change that noise and drift may cause. */
  readonly threshold: number;
  readonly verdict: Verdict;
};

type ComparedRuns = {
  readonly rows: readonly Comparison[];
  /** The drift of the reference programs, by the group of figures from which it was removed. */
  readonly drift: ReadonlyMap<string, Drift>;
  /** Variants that only one of the two runs measured. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** Differences between the two environments. */
  readonly differences: readonly string[];
};

/**
 * Distinguishes regressions from noise. Figures of two runs differ because the machine does: the
 * median change of the C program, and of bare Bun for process starts, is removed from millrace's
 * figures. Other peers are not used as a reference, since another release may be a different
 * program.
 */
export function compareRuns(before: Results, after: Results): ComparedRuns {
  const old = roundsOf(before.runs);
  const now = roundsOf(after.runs);
  const both = [...now].flatMap(([key, rounds]): Both[] => {
    const earlier = old.get(key);
    return earlier === undefined
      ? []
      : [{ ...rounds, pair: { before: earlier.each, after: rounds.each } }];
  });
  const drifts = new Map<string, Drift>();
  const rows = both
    .filter(({ program }) => program === "millrace")
    .map((own): Comparison => {
      const { part, name, measure, pair } = own;
      const group = isStart(own) ? `${part}, starts` : part;
      const drift = drifts.get(group) ?? driftOf(referencesOf(own, both));
      if (drift !== undefined) drifts.set(group, drift);
      const taken = drift ?? NO_DRIFT;
      return {
        part,
        name,
        measure,
        before: median(pair.before),
        after: median(pair.after),
        ratio: ratioOf(pair) / taken.by,
        threshold: thresholdOf(pair, taken),
        verdict: samePlace(part, before.environment, after.environment)
          ? verdictOf(pair, taken)
          : "elsewhere",
      };
    });
  return {
    rows,
    drift: drifts,
    onlyBefore: namesMissing(old, now),
    onlyAfter: namesMissing(now, old),
    differences: differencesOf(before.environment, after.environment),
  };
}

type Rounds = Pick<Run, "part" | "name" | "program" | "flows"> & {
  readonly measure: Measure;
  readonly each: readonly number[];
};
type Both = Rounds & { readonly pair: Pair };

/** Variants for which users wait for the whole process rather than for the sending part. */
const WAITED_FOR: ReadonlySet<VariantId> = new Set([
  "load-text",
  "load-compiled",
  "load-text-of-dpctl",
  "load-text-of-pyroute",
]);

function isStart({ part, flows }: Rounds): boolean {
  return part === "native" && flows === 0;
}

// Failed runs do not count; variants without flows are timed as a whole.
function roundsOf(runs: readonly Run[]): Map<string, Rounds> {
  const good = runs.filter(({ failed }) => failed === undefined);
  const found = new Map<string, Rounds>();
  const keyOf = ({ part, name, flows }: Run): string => `${part}: ${name} (${count(flows)} flows)`;
  for (const [key, same] of Map.groupBy(good, keyOf)) {
    const [first] = same;
    if (first === undefined) continue;
    const { part, name, program, flows } = first;
    const measured = (measure: Measure, seconds: (run: Run) => number): Rounds => {
      const each = same.map((run) => (seconds(run) * 1e6) / Math.max(1, flows));
      return { part, name, program, flows, measure, each };
    };
    found.set(
      key,
      measured("sending", (run) => run.seconds),
    );
    if (!WAITED_FOR.has(first.id)) continue;
    found.set(
      `${key}, whole process`,
      measured("whole", (run) => run.wholeSeconds),
    );
  }
  return found;
}

/**
 * The reference for the machine: C in the same part, or in any part on the same kernel; bare Bun
 * for starts.
 */
function referencesOf(own: Rounds, both: readonly Both[]): Pair[] {
  const pairsWhere = (which: (run: Both) => boolean): Pair[] =>
    both.filter(which).map(({ pair }) => pair);
  const bun = pairsWhere(({ program }) => program === "bun");
  if (isStart(own) && bun.length > 0) return bun;
  const same = pairsWhere(({ program, part }) => program === "C" && part === own.part);
  if (same.length > 0) return same;
  return pairsWhere(({ program, part }) => program === "C" && inLab(part) === inLab(own.part));
}

export const PARTS_OF_LAB: ReadonlySet<Part> = new Set(LAB_PARTS);

function inLab(part: Part): boolean {
  return PARTS_OF_LAB.has(part);
}

/** Whether two runs of a part can be compared. */
function samePlace(part: Part, before: Environment, after: Environment): boolean {
  const facts = inLab(part)
    ? (["cpu", "cpus", "lab", "labKernel"] as const)
    : (["cpu", "cpus", "hostKernel"] as const);
  return facts.every((fact) => before[fact] === after[fact]);
}

function namesMissing(
  from: ReadonlyMap<string, Rounds>,
  of: ReadonlyMap<string, Rounds>,
): string[] {
  return [...from.keys()].filter((key) => !of.has(key));
}

function differencesOf(before: Environment, after: Environment): string[] {
  const facts = ["cpu", "cpus", "hostKernel", "lab", "labKernel", "bun", "flows", "seed"] as const;
  return facts
    .filter((fact) => before[fact] !== after[fact])
    .map((fact) => `${fact}: ${String(before[fact])} then, ${String(after[fact])} now`);
}

/** Prints a comparison as text. @returns whether anything became slower */
export function printComparison(compared: ComparedRuns): boolean {
  const { rows, drift, onlyBefore, onlyAfter, differences } = compared;
  writeOut("\nagainst the earlier run (µs a flow; below 1 is faster)\n");
  const words: Readonly<Record<Verdict, string>> = {
    slower: "SLOWER",
    faster: "faster",
    same: "",
    few: "too few rounds: unknown",
    elsewhere: "another CPU or kernel: no verdict",
  };
  printTable([
    ["PROGRAM", "PART", "THEN", "NOW", "RATIO", "NOISE", ""],
    ...rows.map(({ part, name, measure, before, after, ratio, threshold, verdict }) => [
      measure === "whole" ? `${name}, whole process` : name,
      part,
      before.toFixed(3),
      after.toFixed(3),
      ratio.toFixed(3),
      `± ${(threshold * 100).toFixed(0)} %`,
      words[verdict],
    ]),
  ]);
  for (const [group, { by }] of drift) {
    writeOut(`taken off in ${group}: × ${by.toFixed(3)}, by which C has changed, or bare Bun\n`);
  }
  for (const line of differences) writeOut(`not the same: ${line}\n`);
  if (onlyBefore.length > 0) writeOut(`only then: ${onlyBefore.join("; ")}\n`);
  if (onlyAfter.length > 0) writeOut(`only now: ${onlyAfter.join("; ")}\n`);
  const slower = rows.filter(({ verdict }) => verdict === "slower").length;
  writeOut(`${count(slower)} of ${count(rows.length)} slower\n`);
  return slower > 0;
}
