/**
 * Time limits that adapt to the machine: a command that is slow because the machine is busy has not
 * failed.
 */

/** Steps of a computation that takes {@link QUIET_MS} on a quiet machine. */
const STEPS = 40_000_000;
const QUIET_MS = 60;

/** Computes pseudo-random numbers, so that no step can be optimized away. */
function spin(steps: number): number {
  let state = 1;
  for (let step = 0; step < steps; step++) state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return state;
}

/** By what factor a computation is now slower than on a quiet machine; at least 1. */
export function slowness(): number {
  // Compiles the function first, which must not be measured.
  spin(STEPS / 4);
  const startedAt = performance.now();
  spin(STEPS);
  return Math.max(1, (performance.now() - startedAt) / QUIET_MS);
}

/**
 * Calls `over` after `milliseconds`, multiplied by the slowness of the machine that `look` measures
 * at that point: a command that ends in time costs no measurement. Returns a function that cancels
 * the limit.
 */
export function timeLimit(
  milliseconds: number,
  over: (milliseconds: number) => void,
  look: () => number = slowness,
): () => void {
  let timer = setTimeout(() => {
    const limit = milliseconds * look();
    timer = setTimeout(() => over(limit), limit - milliseconds);
  }, milliseconds);
  return () => clearTimeout(timer);
}
