import { median } from "./statistics.ts";

/** A change below it is called none, however steady the figures are. */
const LEAST_CHANGE = 0.05;
/** As many deviations of the rounds lie within noise: the medians of three rounds are that uncertain. */
const NOISE_DEVIATIONS = 3;
/** As many deviations of the reference's ratios lie within what the machine does. */
const DRIFT_DEVIATIONS = 2;
/** Fewer rounds on a side do not tell how much they scatter. */
const ENOUGH_ROUNDS = 3;
/** A gap of so many thresholds is none that scatter explains, however few the rounds. */
const FAR_BEYOND = 10;

/** `few`: too few rounds to tell; `elsewhere`: measured on another CPU or kernel. */
export type Verdict = "slower" | "faster" | "same" | "few" | "elsewhere";

/** By how much the machine has changed, by programs that are not millrace's. */
export type Drift = {
  /** How many times the time they take now. */
  readonly by: number;
  /** How far they agree: the relative deviation of their ratios. */
  readonly deviation: number;
};

export const NO_DRIFT: Drift = { by: 1, deviation: 0 };

/** The rounds of one variant then and now. */
export type Pair = { readonly before: readonly number[]; readonly after: readonly number[] };

/** How many times the time a variant takes now, by the medians. */
export function ratioOf({ before, after }: Pair): number {
  return median(after) / median(before);
}

/** The drift that some variants tell of; undefined where there are none. */
export function driftOf(pairs: readonly Pair[]): Drift | undefined {
  if (pairs.length === 0) return undefined;
  const ratios = pairs.map(ratioOf);
  // One variant alone cannot disagree with another: what it scatters stands for it.
  const own = median(pairs.map(pooledDeviation));
  return { by: median(ratios), deviation: ratios.length < 2 ? own : deviation(ratios) };
}

/** The relative change that noise and drift may be the cause of. */
export function thresholdOf(pair: Pair, drift: Drift): number {
  return Math.max(
    LEAST_CHANGE,
    NOISE_DEVIATIONS * pooledDeviation(pair),
    DRIFT_DEVIATIONS * drift.deviation,
  );
}

/**
 * Tells a change from noise, with the drift of the machine taken off: it is above the threshold, and
 * every round of the one run is on the same side of every round of the other.
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

/** Relative deviation of the rounds of both runs, each about its own mean; 0 where no side has two. */
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
