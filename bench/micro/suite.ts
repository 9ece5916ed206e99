import { do_not_optimize, measure } from "mitata";
import { P99_OF } from "../../src/load/report.ts";
import { attributeCases } from "./cases/attributes.ts";
import type { MicroCase } from "./cases/case.ts";
import { feedCases } from "./cases/feed.ts";
import { parseCases } from "./cases/parse.ts";
import { printCases } from "./cases/print.ts";
import { systemCases } from "./cases/system.ts";
import { templateCases } from "./cases/template.ts";
import { ufidCases } from "./cases/ufid.ts";

/** How much is measured. */
type MicroOptions = {
  /** Flows, attributes or calls of one run of a case. */
  readonly count: number;
  /** Time for each case, in milliseconds; more if the minimum number of runs takes longer. */
  readonly milliseconds: number;
  readonly runsMin: number;
};

/** The cost of a case, in nanoseconds per unit. */
export type MicroResult = {
  readonly group: string;
  readonly name: string;
  readonly unit: string;
  readonly median: number;
  readonly min: number;
  /** Null if there were too few runs. */
  readonly p99: number | null;
  readonly perSecond: number;
  readonly runs: number;
  /** Depends on all the work of a run: the same in every run with the same count. */
  readonly proof: number;
};

/** Every case. */
export function microCases(count: number): MicroCase[] {
  return [
    ...parseCases(count),
    ...feedCases(count),
    ...printCases(count),
    ...templateCases(count),
    ...attributeCases(count),
    ...ufidCases(count),
    ...systemCases(count),
  ];
}

/** Measures one case, warm. */
export async function measureCase(micro: MicroCase, options: MicroOptions): Promise<MicroResult> {
  const { group, name, unit, count, run } = micro;
  const proof = run();
  const stats = await measure(() => do_not_optimize(run()), {
    min_cpu_time: options.milliseconds * 1e6,
    min_samples: options.runsMin,
    // Runs are long, so each is a sample.
    batch_threshold: 0,
  });
  const median = stats.p50 / count;
  return {
    group,
    name,
    unit,
    median,
    min: stats.min / count,
    p99: stats.samples.length < P99_OF ? null : stats.p99 / count,
    perSecond: Math.round(1e9 / median),
    runs: stats.samples.length,
    proof,
  };
}
