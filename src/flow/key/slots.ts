/**
 * The places of a KeyRecord, one for each attribute of a key, in the order in which the kernel
 * dumps them (`__ovs_nla_put_key` in net/openvswitch/flow_netlink.c): a smaller slot is written first.
 */
export const SLOT_RECIRC_ID = 0;
export const SLOT_DP_HASH = 1;
export const SLOT_PRIORITY = 2;
export const SLOT_TUNNEL = 3;
export const SLOT_IN_PORT = 4;
export const SLOT_SKB_MARK = 5;
export const SLOT_CT_STATE = 6;
export const SLOT_CT_ZONE = 7;
export const SLOT_CT_MARK = 8;
export const SLOT_CT_LABELS = 9;
export const SLOT_CT_TUPLE4 = 10;
export const SLOT_CT_TUPLE6 = 11;
export const SLOT_PACKET_TYPE = 12;
export const SLOT_ETHERNET = 13;
export const SLOT_ETHERTYPE = 14;
export const SLOT_VLAN = 15;
export const SLOT_ENCAP = 16;
export const SLOT_IPV4 = 17;
export const SLOT_IPV6 = 18;
export const SLOT_IPV6_EXTHDRS = 19;
export const SLOT_NSH = 20;
export const SLOT_ARP = 21;
export const SLOT_MPLS = 22;
export const SLOT_TCP = 23;
export const SLOT_TCP_FLAGS = 24;
export const SLOT_UDP = 25;
export const SLOT_SCTP = 26;
export const SLOT_ICMP = 27;
export const SLOT_ICMPV6 = 28;
export const SLOT_ND = 29;
export const SLOT_ND_EXTENSIONS = 30;
/** Attributes that KEYS does not have, kept byte for byte. */
export const SLOT_UNKNOWN = 31;

/** Slots of one level. */
export const SLOTS = 32;

/** Levels of a key: the outermost, inside encap(), and inside the encap() in that. */
export const LEVELS = 3;

/** The most entries of an MPLS stack (`MPLS_LABEL_DEPTH` in net/openvswitch/flow.h). */
export const MPLS_ENTRIES_MAX = 3;

/** The most bytes of Geneve options of one packet (`IP_TUNNEL_OPTS_MAX`). */
export const TUNNEL_OPTIONS_MAX = 255;
