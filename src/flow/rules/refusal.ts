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
};

/**
 * Builds a refusal. Called only where a flow is refused: a good flow allocates nothing.
 * @param reason which kernel has what is lacking is added
 */
export function refuse(rule: string, reason: string, lacking?: Lacking): Refusal {
  if (lacking === undefined) return { rule, reason };
  return { rule, reason: reason + needsLinux(lacking.since), lacking };
}
