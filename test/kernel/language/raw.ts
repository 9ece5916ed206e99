import type { ByteRange } from "../../../src/flow/parts.ts";
import { AttributeReader } from "../../../src/netlink/attribute-reader.ts";
import { dumpFlows } from "../../../src/ovs/flow.ts";
import type { DatapathHandle } from "../../../src/ovs/datapath.ts";
import { OVS_KEY_ATTR_TUNNEL, OVS_TUNNEL_KEY_ATTR_PAD } from "../../../src/uapi/openvswitch.ts";

/** A flow that the kernel holds, in the kernel's own bytes, hexadecimal. */
export type RawHeld = {
  readonly ufid: string;
  /** Key and mask. */
  readonly match: string;
  readonly actions: string;
};

/** All flows of a datapath, byte for byte as the kernel dumps them, but for its padding. */
export function rawFlows(datapath: DatapathHandle): RawHeld[] {
  return Array.from(dumpFlows(datapath), ({ bytes, ufid, key, mask, actions }) => {
    const hex = ({ start, end }: ByteRange): string => unpadded(bytes.slice(start, end)).toHex();
    return { ufid: hex(ufid), match: `${hex(key)} ${hex(mask)}`, actions: hex(actions) };
  });
}

/** Without the empty attribute by which some kernels align the id of a tunnel, wherever a message has it. */
function unpadded(bytes: Uint8Array): Uint8Array {
  for (const { type, start, length } of attributesOf(bytes)) {
    if (type !== OVS_KEY_ATTR_TUNNEL) continue;
    const [first] = attributesOf(bytes.subarray(start, start + length));
    if (first?.type !== OVS_TUNNEL_KEY_ATTR_PAD) continue;
    const packed = new Uint8Array([...bytes.subarray(0, start), ...bytes.subarray(start + 4)]);
    new DataView(packed.buffer).setUint16(start - 4, length, true);
    return packed;
  }
  return bytes;
}

function attributesOf(bytes: Uint8Array): { type: number; start: number; length: number }[] {
  const found = [];
  const reader = new AttributeReader().reset(bytes, 0, bytes.length);
  while (reader.next()) {
    const { type, start, length } = reader;
    found.push({ type, start, length });
  }
  return found;
}
