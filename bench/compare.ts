import { count, printTable, writeOut } from "../src/cli/output.ts";
import type { Environment, Part, Results, Run } from "./model.ts";
import { median } from "./statistics.ts";

/** A change below it is called none, however steady the figures are. */
const LEAST_CHANGE = 0.05;

/** What one variant came to in both runs of the suite. */
type Comparison = {
  readonly part: Part;
  readonly name: string;
  /** Microseconds a flow, medians. */
  readonly before: number;
  readonly after: number;
  /** How many times the time it takes now, less the drift of the machine. */
  readonly ratio: number;
  /** `few`: with one round on a side, noise cannot be told. */
  readonly verdict: "slower" | "faster" | "same" | "few";
};

type ComparedRuns = {
  readonly rows: readonly Comparison[];
  /** By how much the programs that are not millrace have changed: it is the machine. */
  readonly drift: ReadonlyMap<Part, number>;
  /** In which of the two each variant was measured alone. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
  /** What differs of where they were measured. */
  readonly differences: readonly string[];
};

/**
 * Tells a regression from noise. Figures of two runs differ because the machine does: what the other
 * programs of a part have gained or lost by the median is taken off millrace's own figures. What is left
 * is a change where it is at least {@link LEAST_CHANGE}, and every round of the one run is on the same
 * side of every round of the other.
 */
export function compareRuns(before: Results, after: Results): ComparedRuns {
  const old = roundsOf(before.runs);
  const now = roundsOf(after.runs);
  const both = [...now].filter(([key]) => old.has(key));
  const drift = new Map<Part, number>();
  for (const [part, pairs] of Map.groupBy(both, ([, { part: of }]) => of)) {
    const others = pairs.filter(([, { program }]) => program !== "millrace");
    const ratios = others.map(([key, { each }]) => median(each) / median(old.get(key)?.each ?? []));
    if (ratios.length > 0) drift.set(part, median(ratios));
  }
  const rows = both
    .filter(([, { program }]) => program === "millrace")
    .map(([key, rounds]): Comparison => {
      const { part, name } = rounds;
      const earlier = old.get(key)?.each ?? [];
      const later = rounds.each.map((each) => each / (drift.get(part) ?? 1));
      const ratio = median(later) / median(earlier);
      const verdict = verdictOf(earlier, later, ratio);
      return { part, name, before: median(earlier), after: median(rounds.each), ratio, verdict };
    });
  return {
    rows,
    drift,
    onlyBefore: namesMissing(old, now),
    onlyAfter: namesMissing(now, old),
    differences: differencesOf(before.environment, after.environment),
  };
}

type Rounds = Pick<Run, "part" | "name" | "program"> & { readonly each: readonly number[] };

// What failed does not count; what takes no flows is timed whole.
function roundsOf(runs: readonly Run[]): Map<string, Rounds> {
  const good = runs.filter(({ failed }) => failed === undefined);
  const found = new Map<string, Rounds>();
  for (const [key, same] of Map.groupBy(good, ({ part, name }) => `${part}: ${name}`)) {
    const [first] = same;
    if (first === undefined) continue;
    const each = same.map(({ seconds, flows }) => (seconds * 1e6) / Math.max(1, flows));
    found.set(key, { part: first.part, name: first.name, program: first.program, each });
  }
  return found;
}

function verdictOf(
  before: readonly number[],
  after: readonly number[],
  ratio: number,
): Comparison["verdict"] {
  if (Math.abs(ratio - 1) < LEAST_CHANGE) return "same";
  if (before.length < 2 || after.length < 2) return "few";
  if (Math.min(...after) > Math.max(...before)) return "slower";
  if (Math.max(...after) < Math.min(...before)) return "faster";
  return "same";
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

/** Prints a comparison, for people. @returns whether anything became slower */
export function printComparison(compared: ComparedRuns): boolean {
  const { rows, drift, onlyBefore, onlyAfter, differences } = compared;
  writeOut("\nagainst the earlier run (µs a flow; below 1 is faster)\n");
  const words = { slower: "SLOWER", faster: "faster", same: "", few: "one round: unknown" };
  printTable([
    ["PROGRAM", "PART", "THEN", "NOW", "RATIO", ""],
    ...rows.map(({ part, name, before, after, ratio, verdict }) => [
      name,
      part,
      before.toFixed(3),
      after.toFixed(3),
      ratio.toFixed(3),
      words[verdict],
    ]),
  ]);
  for (const [part, by] of drift) {
    writeOut(
      `taken off in ${part}: × ${by.toFixed(3)}, by which the other programs have changed\n`,
    );
  }
  for (const line of differences) writeOut(`not the same: ${line}\n`);
  if (onlyBefore.length > 0) writeOut(`only then: ${onlyBefore.join("; ")}\n`);
  if (onlyAfter.length > 0) writeOut(`only now: ${onlyAfter.join("; ")}\n`);
  const slower = rows.filter(({ verdict }) => verdict === "slower").length;
  writeOut(`${count(slower)} of ${count(rows.length)} slower\n`);
  return slower > 0;
}
