import type { KeyRecord } from "../key/record.ts";
import { validateActions } from "./actions.ts";
import { newFacts } from "./facts.ts";
import { ALL_FEATURES, type KernelFeatures } from "./features.ts";
import { validateKey } from "./key.ts";
import type { Refusal } from "./refusal.ts";

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
 * @param actions `start` to `end` of it is the payload of OVS_FLOW_ATTR_ACTIONS
 * @returns undefined for a flow that the kernel takes; nothing is allocated then
 */
export function validateFlow(
  record: KeyRecord,
  actions: Uint8Array,
  start: number,
  end: number,
  features: KernelFeatures = ALL_FEATURES,
): Refusal | undefined {
  return (
    validateKey(record, features, FACTS) ?? validateActions(FACTS, actions, start, end, features)
  );
}
