import type { Latency, Part, Program, Results, Run, Packing, VariantId } from "./model.ts";
import { median, spread } from "./statistics.ts";

/** The figure of all rounds of one variant: medians. */
export type Figure = {
  readonly part: Part;
  readonly id: VariantId;
  readonly name: string;
  readonly program: Program;
  readonly flows: number;
  readonly rounds: number;
  /** Microseconds per flow, from the first send to the last reply if the program reports it. */
  readonly each: number;
  /** Half the distance between the fastest and the slowest round, relative to the median. */
  readonly spread: number;
  readonly wholeSeconds: number;
  readonly callsPerFlow: number | undefined;
  readonly bytesPerFlow: number | undefined;
  readonly latency: Latency | undefined;
  readonly lost: number | undefined;
  readonly missed: number | undefined;
  /** Microseconds per flow in each tenth. */
  readonly tenths: readonly number[] | undefined;
  readonly peakBytes: number | undefined;
  readonly pausesMs: readonly number[] | undefined;
  readonly packing: Packing | undefined;
  readonly masks: number | undefined;
};

/** A variant with rounds that do not count, and why. */
type Failure = { readonly name: string; readonly why: string };

/** Variants that should have installed the same flows, and whether they did. */
type Proof = {
  readonly work: string;
  readonly hash: string;
  readonly variants: number;
  /** Variants after which the kernel held other flows. */
  readonly differing: readonly string[];
};

/**
 * Whether a figure is the kernel's limit: the C program with pre-encoded bytes, in its own packing.
 */
export function isLimit({ program, packing }: Figure): boolean {
  return program === "C" && packing !== undefined;
}

export type Figures = {
  readonly all: readonly Figure[];
  readonly failures: readonly Failure[];
  readonly proofs: readonly Proof[];
};

/** Takes medians over rounds, and compares the flows that the variants left in the kernel. */
export function figuresOf(results: Results): Figures {
  const variants = Map.groupBy(results.runs, (run) => `${run.part}\n${run.id}`);
  const all: Figure[] = [];
  const failures: Failure[] = [];
  for (const runs of variants.values()) {
    const failed = runs.find((run) => run.failed !== undefined);
    if (failed?.failed !== undefined) failures.push({ name: failed.name, why: failed.failed });
    const good = runs.filter((run) => run.failed === undefined);
    const [first] = good;
    if (first !== undefined) all.push(figureOf(first, good));
  }
  return { all, failures, proofs: proofsOf(results.runs) };
}

function figureOf(first: Run, runs: readonly Run[]): Figure {
  const flows = Math.max(1, first.flows);
  const each = runs.map((run) => (run.seconds * 1e6) / flows);
  const middle = (pick: (run: Run) => number | undefined): number | undefined => {
    const values = runs.map(pick).filter((value) => value !== undefined);
    return values.length === 0 ? undefined : median(values);
  };
  const latency = runs.some((run) => run.batchLatencyMicroseconds !== undefined)
    ? {
        p50: middle((run) => run.batchLatencyMicroseconds?.p50) ?? 0,
        p90: middle((run) => run.batchLatencyMicroseconds?.p90) ?? 0,
        p99: middle((run) => run.batchLatencyMicroseconds?.p99 ?? undefined) ?? null,
        p999: middle((run) => run.batchLatencyMicroseconds?.p999 ?? undefined) ?? null,
        max: middle((run) => run.batchLatencyMicroseconds?.max) ?? 0,
      }
    : undefined;
  const tenths = first.tenths?.map(
    (_, i) => ((middle((run) => run.tenths?.[i]) ?? 0) * 1e7) / flows,
  );
  const calls = middle((run) => run.systemCalls);
  const bytes = middle((run) => run.bytes);
  return {
    part: first.part,
    id: first.id,
    name: first.name,
    program: first.program,
    flows: first.flows,
    rounds: runs.length,
    each: median(each),
    spread: runs.length > 1 ? spread(each) : 0,
    wholeSeconds: median(runs.map((run) => run.wholeSeconds)),
    callsPerFlow: calls === undefined ? undefined : calls / flows,
    bytesPerFlow: bytes === undefined ? undefined : bytes / flows,
    latency,
    lost: middle((run) => run.lost),
    missed: middle((run) => run.missed),
    tenths,
    peakBytes: middle((run) => run.peakResidentBytes),
    pausesMs: first.collectorPausesMs,
    packing: first.packing,
    masks: first.masks,
  };
}

// A proof needs at least two variants; rounds of one variant do not count as several.
function proofsOf(runs: readonly Run[]): Proof[] {
  const proven = runs.filter((run) => run.work !== undefined && run.workHash !== undefined);
  return [...Map.groupBy(proven, (run) => run.work ?? "")].flatMap(([work, same]): Proof[] => {
    const hash = same[0]?.workHash ?? "";
    const variants = new Set(same.map(({ part, name }) => `${part}: ${name}`)).size;
    const differing = same.filter((run) => run.workHash !== hash).map((run) => run.name);
    return variants < 2 ? [] : [{ work, hash, variants, differing }];
  });
}
