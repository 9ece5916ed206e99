/** Tests that not every machine can run: what they lack stands at the end of their names, for the table of a run. */
import { describe, test } from "bun:test";

/** Between a test's name and why it was skipped, as TAP has it. */
export const SKIP = " # SKIP ";

/** `test`, or one that is skipped where there is a reason. */
export function testUnless(
  reason: string | undefined,
): (name: string, run: () => void | Promise<unknown>, milliseconds?: number) => void {
  if (reason === undefined) return test;
  return (name, run, milliseconds) => test.skip(`${name}${SKIP}${reason}`, run, milliseconds);
}

/** `describe`, or one whose tests are skipped where there is a reason. */
export function describeUnless(
  reason: string | undefined,
): (name: string, tests: () => void) => void {
  if (reason === undefined) return describe;
  return (name, tests) => describe.skip(`${name}${SKIP}${reason}`, tests);
}

/** Why what wants `program` is skipped, where it is not on PATH. */
export function lacks(program: string): string | undefined {
  return Bun.which(program) === null ? `${program} is not installed` : undefined;
}
