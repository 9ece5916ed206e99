import { GENL_HEADER } from "../netlink/message.ts";
import { OVS_HEADER_SIZE } from "../uapi/openvswitch.ts";

/** Bytes between the netlink header and the attributes of an Open vSwitch message. */
export const OVS_PREFIX: number = GENL_HEADER + OVS_HEADER_SIZE;

/** A 64-bit counter as a number, exact up to 2^53. No BigInt: it would be allocated. */
export function counter(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}
