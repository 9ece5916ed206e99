import { needsLinux } from "../../sys/errors.ts";
import type { MissingFeature } from "./missing-feature.ts";

/** Why a kernel will not take a flow. */
export type Refusal = {
  /** A stable word for the rule, such as `key.missing` or `action.output`. */
  readonly rule: string;
  /** The rule in words: the field, and what the kernel requires. */
  readonly reason: string;
  /**
   * The feature that this kernel lacks; a kernel that has it takes the flow. Absent if no kernel
   * takes it.
   */
  readonly missing?: MissingFeature;
  /** The part that breaks the rule. Absent if the flow lacks something instead. */
  readonly at?: RefusedPart;
};

/** The part of a flow that breaks a rule. */
export type RefusedPart =
  | {
      readonly part: "key";
      /** The word of the key, such as `ipv4`. */
      readonly name: string;
      /** How many encap() enclose it. */
      readonly level: number;
      /** The field; absent if the whole key breaks the rule. */
      readonly field?: string;
    }
  | {
      readonly part: "actions";
      /** The word of the action. */
      readonly name: string;
      /**
       * Its index in its list, from 0. For a nested action, the index of the enclosing action comes
       * first, then the name of the list if it has one: `[2, "actions", 0]`.
       */
      readonly path: ActionPath;
    };

/** The path to an action through the lists of a flow. */
export type ActionPath = readonly (number | string)[];

/**
 * Builds a refusal. Called only for a refused flow: a valid flow allocates nothing.
 * @param reason gets the first kernel that has the missing feature appended
 */
export function refuse(rule: string, reason: string, missing?: MissingFeature): Refusal {
  if (missing === undefined) return { rule, reason };
  const { feature, since } = missing;
  return { rule, reason: reason + needsLinux(since), missing: { feature, since } };
}

/** A refusal that points at a key. */
export function atKey(refusal: Refusal, name: string, level: number, field?: string): Refusal {
  const at = { part: "key", name, level } as const;
  return { ...refusal, at: field === undefined ? at : { ...at, field } };
}

/** A refusal that points at action `index` of a list, or at an action inside it. */
export function atAction(refusal: Refusal, name: string, index: number): Refusal {
  const { at } = refusal;
  if (at?.part !== "actions") return { ...refusal, at: { part: "actions", name, path: [index] } };
  return { ...refusal, at: { ...at, path: [index, ...at.path] } };
}

/** A refusal from inside the list `name` of an action. */
export function inList(refusal: Refusal, name: string): Refusal {
  const { at } = refusal;
  if (at?.part !== "actions") return refusal;
  return { ...refusal, at: { ...at, path: [name, ...at.path] } };
}
