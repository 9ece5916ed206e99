/** Time limits of tests: how long a thing may take on a quiet machine, and so much longer where it is slower. */
import { slowness } from "../../src/lab/time-limit.ts";

// A run measures once (`pace.ts`); a file that is run by itself does so here.
const pace = Number(process.env["MILLRACE_TEST_PACE"] ?? Math.ceil(slowness()));

/** Milliseconds after which what takes `seconds` at most on a quiet machine hangs. */
export function limit(seconds: number): number {
  return seconds * 1000 * pace;
}
