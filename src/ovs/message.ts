import { GENL_HEADER } from "../netlink/message.ts";
import { OVS_HEADER_SIZE } from "../uapi/openvswitch.ts";

/** Bytes between the netlink header and the attributes of an Open vSwitch message. */
export const OVS_PREFIX: number = GENL_HEADER + OVS_HEADER_SIZE;
