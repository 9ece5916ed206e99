import { type MatchFacts, newFacts } from "./facts.ts";
import { ALL_FEATURES, type KernelFeatures } from "./features.ts";

/**
 * What the rules of actions look at: the flow, the list, and the action in it. There is one for each depth of
 * lists, made once and filled anew: a good flow allocates nothing.
 */
export type ActionContext = {
  /** What the key promises; the same in all lists of a flow. */
  facts: MatchFacts;
  features: KernelFeatures;
  bytes: Uint8Array;
  /** How many actions are around the list: 0 for the actions of the flow itself. */
  readonly depth: number;
  /**
   * What the kernel keeps in mind from action to action, in one list. A nested list begins with what holds
   * where it stands, and changes nothing outside: `__ovs_nla_copy_actions()` passes it by value.
   */
  ethernet: boolean;
  etherType: number;
  vlanTci: number;
  mplsLabels: number;
  /** The payload of the action is `bytes[start..end)`. */
  start: number;
  end: number;
};

/** A context for lists of a depth, for no flow yet. */
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
