/** Time limits that follow the machine: what takes long because others use it too has not failed. */

/** Steps of a computation that takes {@link QUIET_MS} where nothing else runs. */
const STEPS = 40_000_000;
const QUIET_MS = 60;

/** Numbers that look random: nothing of it can be left out. */
function spin(steps: number): number {
  let state = 1;
  for (let step = 0; step < steps; step++) state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return state;
}

/** How many times as long as on a quiet machine a computation takes now; 1 at least. */
export function slowness(): number {
  // Compiled first, which is not what is measured.
  spin(STEPS / 4);
  const startedAt = performance.now();
  spin(STEPS);
  return Math.max(1, (performance.now() - startedAt) / QUIET_MS);
}

/**
 * Calls `over` when `milliseconds` are over, as many times later as `look` says then that this machine is slower
 * than a quiet one: a limit that is kept costs no look. Returns what calls it off.
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
