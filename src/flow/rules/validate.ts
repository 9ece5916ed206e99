import { KeyRecord } from "../key/record.ts";
import { type FlowParts, readMatch } from "../parts.ts";
import { validateActions } from "./actions.ts";
import { newFacts } from "./facts.ts";
import { ALL_FEATURES, type KernelFeatures } from "./features.ts";
import { validateKey } from "./key.ts";
import type { Refusal } from "./refusal.ts";

// Whether a kernel takes a flow: the rules of keys and actions together.

const FACTS = newFacts();

/**
 * Whether a kernel takes a flow, and if not, which rule it breaks, in words. It repeats the checks
 * of the kernel (net/openvswitch/flow_netlink.c, conntrack.c), because the kernel answers only
 * EINVAL.
 *
 * It does not judge what only the running kernel can know: whether a datapath, a meter, a port or a
 * timeout policy exists, and conntrack helpers unless {@link KernelFeatures.ctHelpers} names them.
 *
 * @param record the key, in normal form, as it is sent
 * @returns undefined for a flow that the kernel takes, without allocating
 */
export function validateFlow(
  record: KeyRecord,
  { bytes, actions }: Pick<FlowParts, "bytes" | "actions">,
  features: KernelFeatures = ALL_FEATURES,
): Refusal | undefined {
  return validateKey(record, features, FACTS) ?? validateActions(FACTS, bytes, actions, features);
}

const RECORD = new KeyRecord();

/**
 * The kernel's rule that a request breaks, determined from its bytes; undefined if none is known.
 * @param features the features of the kernel; all features by default
 */
export function brokenRule(sent: FlowParts, features?: KernelFeatures): Refusal | undefined {
  if (sent.key.start < 0 || !readMatch(sent, RECORD)) return undefined;
  return validateFlow(RECORD, sent, features);
}
