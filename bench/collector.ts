import type { ProgramOptions } from "./program.ts";

/**
 * Has Bun's garbage collector tell of its pauses on standard error: node:perf_hooks observes none in Bun. That
 * takes time, so a run that is watched is there for its pauses.
 */
export const WATCHED: ProgramOptions = {
  stderr: "pipe",
  env: { ...process.env, BUN_JSC_logGC: "1" },
};

/** The pauses that it told of, in milliseconds, of all threads; undefined where it told nothing at all. */
export function collectorPauses(log: string): number[] | undefined {
  // Each heap says that it starts, even if nothing is ever collected.
  if (!log.includes("[GC<")) return undefined;
  return [...log.matchAll(/\bp=([\d.]+)ms/g)].map((match) => Number(match[1]));
}
