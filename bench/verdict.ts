import { median } from "./statistics.ts";

/** A smaller change does not count, however steady the figures are. */
const LEAST_CHANGE = 0.05;
/**
 * How many deviations of the rounds count as noise, since medians of three rounds are that
 * uncertain.
 */
const NOISE_DEVIATIONS = 3;
/** How many deviations of the reference's ratios count as drift of the machine. */
const DRIFT_DEVIATIONS = 2;
/** The rounds on each side that are needed to know their scatter. */
const ENOUGH_ROUNDS = 3;
/** A gap of this many thresholds cannot be scatter, however few the rounds. */
const FAR_BEYOND = 10;

/** `few`: too few rounds to tell; `elsewhere`: measured on another CPU or kernel. */
export type Verdict = "slower" | "faster" | "same" | "few" | "elsewhere";

/** How much the machine has changed, measured by programs other than millrace. */
export type Drift = {
  /** Their time now relative to then. */
  readonly by: number;
  /** The relative deviation of their ratios, which tells how far they agree. */
  readonly deviation: number;
};

export const NO_DRIFT: Drift = { by: 1, deviation: 0 };

/** The rounds of one variant then and now. */
export type Pair = { readonly before: readonly number[]; readonly after: readonly number[] };

/** A variant's time now relative to then, by the medians. */
export function ratioOf({ before, after }: Pair): number {
  return median(after) / median(before);
}

/** The drift measured by some variants; undefined if there are none. */
export function driftOf(pairs: readonly Pair[]): Drift | undefined {
  if (pairs.length === 0) return undefined;
  const ratios = pairs.map(ratioOf);
  // A single variant has no other to disagree with, so its own scatter is used.
  const own = median(pairs.map(pooledDeviation));
  return { by: median(ratios), deviation: ratios.length < 2 ? own : deviation(ratios) };
}

/** The relative change that noise and drift may cause. */
export function thresholdOf(pair: Pair, drift: Drift): number {
  return Math.max(
    LEAST_CHANGE,
    NOISE_DEVIATIONS * pooledDeviation(pair),
    DRIFT_DEVIATIONS * drift.deviation,
  );
}

/**
 * Distinguishes a change from noise, without the drift of the machine: it is above the threshold,
 * and all rounds of one run are on the same side of all rounds of the other.
 */
export function verdictOf(pair: Pair, drift: Drift): Verdict {
  const before = pair.before;
  const after = pair.after.map((value) => value / drift.by);
  const threshold = thresholdOf(pair, drift);
  const ratio = ratioOf({ before, after });
  const gap = Math.max(ratio, 1 / ratio) - 1;
  const enough = Math.min(before.length, after.length) >= ENOUGH_ROUNDS;
  if (!enough && gap < FAR_BEYOND * threshold) return gap < LEAST_CHANGE ? "same" : "few";
  if (gap < threshold) return "same";
  if (Math.min(...after) > Math.max(...before)) return "slower";
  if (Math.max(...after) < Math.min(...before)) return "faster";
  return "same";
}

/**
 * Relative deviation of the rounds of both runs, each around its own mean; 0 if neither side has
 * two.
 */
function pooledDeviation({ before, after }: Pair): number {
  const degrees = before.length + after.length - 2;
  return degrees < 1 ? 0 : Math.sqrt((squares(before) + squares(after)) / degrees);
}

function deviation(values: readonly number[]): number {
  return Math.sqrt(squares(values) / (values.length - 1));
}

/** Sum of the squared relative distances from the mean. */
function squares(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((sum, value) => sum + (value / mean - 1) ** 2, 0);
}
