/**
 * Tests that not every machine can run: their names end with what is missing, for the table of a
 * run.
 */
import { describe, test } from "bun:test";

/** Between a test's name and why it was skipped, as TAP has it. */
export const SKIP = " # SKIP ";

/** `test`, or a skipped test if there is a reason. */
export function testUnless(
  reason: string | undefined,
): (name: string, run: () => void | Promise<unknown>, milliseconds?: number) => void {
  if (reason === undefined) return test;
  return (name, run, milliseconds) => test.skip(`${name}${SKIP}${reason}`, run, milliseconds);
}

/** `describe`, or a skipped one if there is a reason. */
export function describeUnless(
  reason: string | undefined,
): (name: string, tests: () => void) => void {
  if (reason === undefined) return describe;
  return (name, tests) => describe.skip(`${name}${SKIP}${reason}`, tests);
}

/** Why tests that need `program` are skipped, if it is not in PATH. */
export function lacks(program: string): string | undefined {
  return Bun.which(program) === null ? `${program} is not installed` : undefined;
}
