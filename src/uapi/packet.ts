/** Ethernet types (linux/if_ether.h), as numbers. */
export const ETH_P_802_2 = 0x0004;
export const ETH_P_802_3_MIN = 0x0600;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_TEB = 0x6558;
export const ETH_P_RARP = 0x8035;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_P_MPLS_UC = 0x8847;
export const ETH_P_MPLS_MC = 0x8848;
export const ETH_P_8021AD = 0x88a8;
export const ETH_P_NSH = 0x894f;

/** IP protocols (linux/in.h, linux/in6.h). */
export const IPPROTO_ICMP = 1;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_SCTP = 132;

/** How a packet is a fragment (`enum ovs_frag_type` in linux/openvswitch.h): a later one has no ports. */
export const OVS_FRAG_TYPE_LATER = 2;

/** Types of ICMPv6 (include/net/ndisc.h) that have a target and link-layer addresses: nd(). */
export const NDISC_NEIGHBOUR_SOLICITATION = 135;
export const NDISC_NEIGHBOUR_ADVERTISEMENT = 136;
