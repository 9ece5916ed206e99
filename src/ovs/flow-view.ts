import type { FlowIdentity } from "../flow/identity.ts";
import type { FlowParts } from "../flow/parts.ts";
import { AttributeReader } from "../netlink/attribute-reader.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_STATS,
  OVS_FLOW_ATTR_TCP_FLAGS,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_ATTR_USED,
} from "../uapi/openvswitch.ts";
import type { OvsMessage } from "./channel.ts";
import { counter } from "./message.ts";

/** Where an attribute's payload lies in {@link FlowView.bytes}; start is -1 where it is absent. */
export type Range = { start: number; end: number };

/**
 * A flow as the kernel sent it: where its parts lie in the receive buffer. One object, filled anew
 * for each flow; the bytes are valid until the next one is read.
 */
export type FlowView = {
  bytes: Uint8Array;
  readonly ufid: Range;
  readonly key: Range;
  readonly mask: Range;
  /** Absent where a dump's chunk had no room for them: {@link getFlow} has them. */
  readonly actions: Range;
  packets: number;
  byteCount: number;
  /** Kernel's monotonic milliseconds at the last packet; 0 where there was none. */
  usedMs: number;
  /** TCP flags seen; 0 for none. */
  tcpFlags: number;
};

/** A view of nothing, for {@link decodeFlow} to fill. */
export function newFlowView(): FlowView {
  return {
    bytes: new Uint8Array(0),
    ufid: { start: -1, end: -1 },
    key: { start: -1, end: -1 },
    mask: { start: -1, end: -1 },
    actions: { start: -1, end: -1 },
    packets: 0,
    byteCount: 0,
    usedMs: 0,
    tcpFlags: 0,
  };
}

/** What names the flow that a view shows: its UFID, or its key where it has none. Copies the bytes. */
export function identityOf(view: Pick<FlowParts, "bytes" | "ufid" | "key">): FlowIdentity {
  const { bytes, ufid, key } = view;
  return ufid.start < 0
    ? { key: bytes.slice(key.start, key.end) }
    : { ufid: bytes.slice(ufid.start, ufid.end) };
}

const READER = new AttributeReader();

/** Finds the parts of a flow in a message of the family ovs_flow. Allocates nothing. */
export function decodeFlow(message: OvsMessage, into: FlowView): void {
  into.bytes = message.bytes;
  into.ufid.start = into.key.start = into.mask.start = into.actions.start = -1;
  into.ufid.end = into.key.end = into.mask.end = into.actions.end = -1;
  into.packets = into.byteCount = into.usedMs = into.tcpFlags = 0;
  const reader = READER.reset(message.bytes, message.start, message.end);
  while (reader.next()) {
    const { start, length } = reader;
    switch (reader.type) {
      case OVS_FLOW_ATTR_UFID:
        setRange(into.ufid, start, length);
        break;
      case OVS_FLOW_ATTR_KEY:
        setRange(into.key, start, length);
        break;
      case OVS_FLOW_ATTR_MASK:
        setRange(into.mask, start, length);
        break;
      case OVS_FLOW_ATTR_ACTIONS:
        setRange(into.actions, start, length);
        break;
      case OVS_FLOW_ATTR_STATS:
        if (length < 16) break;
        into.packets = counter(message.view, start);
        into.byteCount = counter(message.view, start + 8);
        break;
      case OVS_FLOW_ATTR_USED:
        if (length >= 8) into.usedMs = counter(message.view, start);
        break;
      case OVS_FLOW_ATTR_TCP_FLAGS:
        if (length >= 1) into.tcpFlags = message.view.getUint8(start);
        break;
      default:
    }
  }
}

function setRange(range: Range, start: number, length: number): void {
  range.start = start;
  range.end = start + length;
}
