import type { ProgramOptions } from "./program.ts";

/**
 * Makes Bun's garbage collector log its pauses to standard error, since node:perf_hooks reports
 * none in Bun. Logging takes time, so a watched run only counts for its pauses.
 */
export const WATCHED: ProgramOptions = {
  stderr: "pipe",
  env: { ...process.env, BUN_JSC_logGC: "1" },
};

/** The logged pauses of all threads, in milliseconds; undefined if nothing was logged. */
export function collectorPauses(log: string): number[] | undefined {
  // Each heap logs its start, even if nothing is ever collected.
  if (!log.includes("[GC<")) return undefined;
  return [...log.matchAll(/\bp=([\d.]+)ms/g)].map((match) => Number(match[1]));
}
