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
 * Whether a kernel takes a flow, and if not, which rule it breaks, in words. It says what the kernel's
 * own code says (net/openvswitch/flow_netlink.c, conntrack.c), read again here, because the kernel
 * answers EINVAL and no more.
 *
 * What only the running kernel can know is not judged: whether a datapath, a meter, a port or a
 * timeout policy is there, and conntrack helpers unless {@link KernelFeatures.ctHelpers} names them.
 *
 * @param record the key, in normal form, as it is sent
 * @returns undefined for a flow that the kernel takes; nothing is allocated then
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
 * The rule of the kernel that a request breaks, read from its bytes; undefined where none is known.
 * @param features of the kernel that it is for; a kernel that can do everything where nobody asked
 */
export function brokenRule(sent: FlowParts, features?: KernelFeatures): Refusal | undefined {
  if (sent.key.start < 0 || !readMatch(sent, RECORD)) return undefined;
  return validateFlow(RECORD, sent, features);
}
