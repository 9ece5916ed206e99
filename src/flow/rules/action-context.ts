import { type MatchFacts, newFacts } from "./facts.ts";
import { ALL_FEATURES, type KernelFeatures } from "./features.ts";

/**
 * The input of the rules for actions: the flow, the list, and the action in it. There is one
 * context per depth of lists, made once and reused: a valid flow allocates nothing.
 */
export type ActionContext = {
  /** What the key guarantees; the same in all lists of a flow. */
  facts: MatchFacts;
  features: KernelFeatures;
  bytes: Uint8Array;
  /** How many actions enclose the list: 0 for the actions of the flow itself. */
  readonly depth: number;
  /**
   * State that the kernel carries from action to action within a list. A nested list starts with
   * the current state and does not change it outside: `__ovs_nla_copy_actions()` passes it by
   * value.
   */
  ethernet: boolean;
  etherType: number;
  vlanTci: number;
  mplsLabels: number;
  /** The payload of the action is `bytes[start..end)`. */
  start: number;
  end: number;
};

/** A context for lists of a given depth, not yet filled. */
export function newActionContext(depth: number): ActionContext {
  return {
    facts: newFacts(),
    features: ALL_FEATURES,
    bytes: new Uint8Array(0),
    depth,
    ethernet: true,
    etherType: 0,
    vlanTci: 0,
    mplsLabels: 0,
    start: 0,
    end: 0,
  };
}
