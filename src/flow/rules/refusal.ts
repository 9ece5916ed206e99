import { needsLinux } from "../../sys/errors.ts";
import type { Lacking } from "./lacking.ts";

/** Why a kernel will not take a flow. */
export type Refusal = {
  /** A stable word for the rule, such as `key.missing` or `action.output`. */
  readonly rule: string;
  /** The rule in words: the field, and what the kernel wants. */
  readonly reason: string;
  /** What this kernel lacks; a kernel that has it takes the flow. Absent where none does. */
  readonly lacking?: Lacking;
  /**
   * Which action it is about, where it is one: its number in its list, from 0. Inside another action that
   * one's number comes first, and then the name of the list where that has one: `[2, "actions", 0]`.
   */
  readonly action?: ActionPath;
};

/** The way to an action through the lists of a flow. */
export type ActionPath = readonly (number | string)[];

/**
 * Builds a refusal. Called only where a flow is refused: a good flow allocates nothing.
 * @param reason which kernel has what is lacking is added
 */
export function refuse(rule: string, reason: string, lacking?: Lacking): Refusal {
  if (lacking === undefined) return { rule, reason };
  return { rule, reason: reason + needsLinux(lacking.since), lacking };
}

/** The refusal of something inside the action, or the list, that `step` leads to. */
export function refuseWithin(refusal: Refusal, step: number | string): Refusal {
  return { ...refusal, action: [step, ...(refusal.action ?? [])] };
}
