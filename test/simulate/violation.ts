/** Something that must hold did not: what a simulation looks for. */
export class Violation extends Error {}

/** The process ends here, in the middle of a system call: nothing of it goes on. */
export class Crash extends Error {}

/** @throws Violation unless it holds */
export function must(holds: boolean, what: () => string): void {
  if (!holds) throw new Violation(what());
}
