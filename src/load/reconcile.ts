import { sameActions } from "../flow/action/same.ts";
import { UFID_SIZE } from "../flow/key/ufid.ts";
import { type FlowParts, hashMatch } from "../flow/parts.ts";
import type { OvsChannel } from "../ovs/channel.ts";
import type { DatapathInfo } from "../ovs/datapath.ts";
import { getFlow } from "../ovs/flow.ts";
import { type FlowView, identityOf } from "../ovs/flow-view.ts";

/**
 * Reads back the flow that a request names. Nothing is sent again: the kernel may have carried it out.
 * `present` is a flow with this identity that matches the same packets and, where the request had
 * actions, does the same with them.
 */
export function reconcile(
  channel: OvsChannel,
  datapath: DatapathInfo,
  sent: FlowView,
): "present" | "absent" {
  let same = true;
  const found = getFlow(channel, datapath, identityOf(sent), (view) => {
    same = isSameFlow(sent, view);
  });
  return found && same ? "present" : "absent";
}

// The kernel dumps a key in its normal form, so bytes are compared by what they mean.
function isSameFlow(sent: FlowView, found: FlowView): boolean {
  if (sent.mask.start >= 0 && !sameMatch(sent, found)) return false;
  const one = sent.actions;
  const other = found.actions;
  if (one.start < 0 || other.start < 0) return one.start < 0;
  return sameActions(sent.bytes, one.start, one.end, found.bytes, other.start, other.end);
}

/** Two flows match the same packets. */
export function sameMatch(sent: FlowParts, found: FlowParts): boolean {
  hashMatch(sent, HASHES, 0);
  hashMatch(found, HASHES, UFID_SIZE);
  const words = HASHES.length / 2;
  for (let i = 0; i < words; i++) if (HASHES[i] !== HASHES[words + i]) return false;
  return true;
}

const HASHES = new Int32Array((2 * UFID_SIZE) / 4);
