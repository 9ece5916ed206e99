import type { ByteRange, FlowParts } from "../flow/parts.ts";
import { type Batch, MessageState } from "../netlink/batch.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { NLMSG_HEADER } from "../netlink/message.ts";
import type { OvsChannel } from "../ovs/channel.ts";
import { OVS_PREFIX } from "../ovs/message.ts";
import type { DatapathInfo } from "../ovs/datapath.ts";
import { getFlow } from "../ovs/flow.ts";
import { sendFlow } from "../ovs/flow-message.ts";
import { ENOENT } from "../sys/errno.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
} from "../uapi/openvswitch.ts";
import { sameMatch } from "./reconcile.ts";

/**
 * Carries out a put that the kernel refused with ENOENT although it holds this very flow.
 *
 * `ovs_flow_cmd_new` compares the key that it was sent, unmasked, with the masked key that it holds. Of
 * a flow for any Ethernet type, any MPLS stack or any tunnel destination the two differ in any case: it
 * holds zero, and zero cannot be sent. The flow is read by its UFID, and where it matches the same
 * packets its actions are set.
 * @returns false where another flow is there, or none
 */
export function replaceHeld(channel: OvsChannel, datapath: DatapathInfo, sent: FlowParts): boolean {
  const { bytes, ufid, key, mask, actions } = sent;
  if (ufid.start < 0 || mask.start < 0 || actions.start < 0) return false;
  let same = false;
  getFlow(channel, datapath, { ufid: bytes.slice(ufid.start, ufid.end) }, (held) => {
    same = sameMatch(sent, held);
  });
  if (!same) return false;
  const piece = ({ start, end }: ByteRange): Uint8Array => bytes.subarray(start, end);
  try {
    sendFlow(channel, datapath, "modify", (writer) => {
      writer.bytes(OVS_FLOW_ATTR_UFID, piece(ufid));
      writer.bytes(OVS_FLOW_ATTR_KEY, piece(key));
      writer.bytes(OVS_FLOW_ATTR_MASK, piece(mask));
      writer.bytes(OVS_FLOW_ATTR_ACTIONS, piece(actions));
    });
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENOENT) return false;
    throw error;
  }
}

const UFID_WORDS = 4;
const UFID_HEADER = 20 | (OVS_FLOW_ATTR_UFID << 16);

/** Whether a later message of the batch changed the flow of message `index`: that is what is to stay. */
export function isOvertaken(batch: Batch, index: number): boolean {
  const words = batch.memory.u32;
  const own = ufidAt(batch, index);
  if (words[own - 1] !== UFID_HEADER) return false;
  for (let later = index + 1; later < batch.count; later++) {
    const other = ufidAt(batch, later);
    if (words[other - 1] !== UFID_HEADER || batch.states[later] !== MessageState.accepted) continue;
    let equal = true;
    for (let i = 0; i < UFID_WORDS; i++) equal &&= words[own + i] === words[other + i];
    if (equal) return true;
  }
  return false;
}

/** The word at which the UFID of a message is, where it begins with one. */
function ufidAt(batch: Batch, index: number): number {
  return ((batch.starts[index] ?? 0) + NLMSG_HEADER + OVS_PREFIX + 4) >> 2;
}
