import { needsLinux } from "../../sys/errors.ts";
import type { MissingFeature } from "./missing-feature.ts";

/** Why a kernel will not take a flow. */
export type Refusal = {
  /** A stable word for the rule, such as `key.missing` or `action.output`. */
  readonly rule: string;
  /** The rule in words: the field, and what the kernel wants. */
  readonly reason: string;
  /** What this kernel lacks; a kernel that has it takes the flow. Absent where none does. */
  readonly missing?: MissingFeature;
  /** What breaks the rule. Absent where it is something that the flow does not have. */
  readonly at?: RefusedPart;
};

/** The part of a flow that breaks a rule. */
export type RefusedPart =
  | {
      readonly part: "key";
      /** The word of the key, such as `ipv4`. */
      readonly name: string;
      /** How many encap() are around it. */
      readonly level: number;
      /** The field that is meant; absent where it is all of the key. */
      readonly field?: string;
    }
  | {
      readonly part: "actions";
      /** The word of the action. */
      readonly name: string;
      /**
       * Its number in its list, from 0. Inside another action that one's number comes first, and then the
       * name of the list where that has one: `[2, "actions", 0]`.
       */
      readonly path: ActionPath;
    };

/** The way to an action through the lists of a flow. */
export type ActionPath = readonly (number | string)[];

/**
 * Builds a refusal. Called only where a flow is refused: a good flow allocates nothing.
 * @param reason the first kernel that has what is missing is added
 */
export function refuse(rule: string, reason: string, missing?: MissingFeature): Refusal {
  if (missing === undefined) return { rule, reason };
  const { feature, since } = missing;
  return { rule, reason: reason + needsLinux(since), missing: { feature, since } };
}

/** The refusal of a key. */
export function atKey(refusal: Refusal, name: string, level: number, field?: string): Refusal {
  const at = { part: "key", name, level } as const;
  return { ...refusal, at: field === undefined ? at : { ...at, field } };
}

/** The refusal of action `index` of a list, or of one inside it. */
export function atAction(refusal: Refusal, name: string, index: number): Refusal {
  const { at } = refusal;
  if (at?.part !== "actions") return { ...refusal, at: { part: "actions", name, path: [index] } };
  return { ...refusal, at: { ...at, path: [index, ...at.path] } };
}

/** The refusal of something in the list `name` of an action. */
export function inList(refusal: Refusal, name: string): Refusal {
  const { at } = refusal;
  if (at?.part !== "actions") return refusal;
  return { ...refusal, at: { ...at, path: [name, ...at.path] } };
}
