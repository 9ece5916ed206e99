import type { Random } from "../../src/testing/random.ts";
import type { Fault } from "./faults.ts";
import type { World } from "./world.ts";

/** One thing that a program does, and what goes wrong meanwhile. All that is random in it follows from its seed. */
export type Step = {
  readonly operation: string;
  readonly seed: number;
  readonly faults: readonly Fault[];
  /** The lines of it that are left, by number; all where it is absent. Others are found to matter not. */
  readonly kept?: readonly number[] | undefined;
};

/**
 * What a simulation does, and what must hold then. To let it do more, write one and name it in `operations.ts`: it may
 * change the world only in what it undoes, and it throws a Violation.
 */
export type Operation = {
  readonly name: string;
  /** How often it is done beside the others. */
  readonly weight: number;
  readonly run: (world: World, step: Step, random: Random) => void | Promise<void>;
};

/** How many lines a step has before any is left out, as it was carried out last. */
const counts = new WeakMap<Step, number>();

/** The number of lines of a step that was carried out; 0 where it has none. */
export function linesOf(step: Step): number {
  return counts.get(step) ?? 0;
}

/** The lines of a step that are left. */
export function kept<T>(lines: readonly T[], step: Step): T[] {
  counts.set(step, lines.length);
  const { kept: numbers } = step;
  return numbers === undefined
    ? [...lines]
    : numbers.flatMap((i) => (i < lines.length ? lines.slice(i, i + 1) : []));
}
