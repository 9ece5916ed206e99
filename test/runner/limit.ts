/** Time limits of tests: the time on a quiet machine, multiplied by the slowness of this one. */
import { slowness } from "../../src/lab/time-limit.ts";

// A run measures once (`pace.ts`); a file that is run by itself does so here.
const pace = Number(process.env["MILLRACE_TEST_PACE"] ?? Math.ceil(slowness()));

/**
 * Milliseconds after which something counts as hanging that takes at most `seconds` on a quiet
 * machine.
 */
export function limit(seconds: number): number {
  return seconds * 1000 * pace;
}
