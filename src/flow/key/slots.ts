import { keyNamed } from "./table.ts";

/**
 * The slots of keys with special rules in the code. Other keys need no name here: their handling
 * follows from their rows in KEYS.
 */
export const SLOT_TUNNEL: number = keyNamed("tunnel").slot;
export const SLOT_IN_PORT: number = keyNamed("in_port").slot;
export const SLOT_CT_STATE: number = keyNamed("ct_state").slot;
export const SLOT_CT_TUPLE4: number = keyNamed("ct_tuple4").slot;
export const SLOT_CT_TUPLE6: number = keyNamed("ct_tuple6").slot;
export const SLOT_PACKET_TYPE: number = keyNamed("packet_type").slot;
export const SLOT_ETHERNET: number = keyNamed("eth").slot;
export const SLOT_ETHERTYPE: number = keyNamed("eth_type").slot;
export const SLOT_VLAN: number = keyNamed("vlan").slot;
export const SLOT_ENCAP: number = keyNamed("encap").slot;
export const SLOT_IPV4: number = keyNamed("ipv4").slot;
export const SLOT_IPV6: number = keyNamed("ipv6").slot;
export const SLOT_IPV6_EXTHDRS: number = keyNamed("key32").slot;
export const SLOT_NSH: number = keyNamed("nsh").slot;
export const SLOT_ARP: number = keyNamed("arp").slot;
export const SLOT_MPLS: number = keyNamed("mpls").slot;
export const SLOT_TCP: number = keyNamed("tcp").slot;
export const SLOT_TCP_FLAGS: number = keyNamed("tcp_flags").slot;
export const SLOT_ICMPV6: number = keyNamed("icmpv6").slot;
export const SLOT_ND: number = keyNamed("nd").slot;

/** The port number that means no port (`ODPP_NONE` of OVS): only the mask is sent. */
export const NO_PORT = 0xffff_ffff;
