import { GENL_HEADER, NLMSG_HEADER } from "../netlink/message.ts";
import { OVS_HEADER_SIZE } from "../uapi/openvswitch.ts";
import { type Attributes, attributesOf, type Request } from "./wire.ts";

// What all messages of the families of Open vSwitch have in common.

const ATTRIBUTES = NLMSG_HEADER + GENL_HEADER + OVS_HEADER_SIZE;

/** The command of a message, and the datapath that it is about. */
export function headOf({ bytes }: Request): {
  readonly command: number;
  readonly datapath: number;
} {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isWhole = bytes.length >= ATTRIBUTES;
  return {
    command: bytes[NLMSG_HEADER] ?? 0,
    datapath: isWhole ? view.getInt32(ATTRIBUTES - OVS_HEADER_SIZE, true) : 0,
  };
}

/** The attributes of a message; undefined where it is shorter than its headers. */
export function ovsAttributes({ bytes }: Request): Attributes | undefined {
  return bytes.length < ATTRIBUTES ? undefined : attributesOf(bytes, ATTRIBUTES);
}
