import {
  ETH_P_8021AD,
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  ETH_P_MPLS_MC,
  ETH_P_MPLS_UC,
  ETH_P_NSH,
  ETH_P_RARP,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_SCTP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  NDISC_NEIGHBOUR_ADVERTISEMENT,
  NDISC_NEIGHBOUR_SOLICITATION,
} from "../../uapi/packet.ts";
import {
  SLOT_ARP,
  SLOT_ICMP,
  SLOT_ICMPV6,
  SLOT_IPV4,
  SLOT_IPV6,
  SLOT_MPLS,
  SLOT_NSH,
  SLOT_SCTP,
  SLOT_TCP,
  SLOT_TCP_FLAGS,
  SLOT_UDP,
} from "./slots.ts";

// Which headers a key has to have for what it says of the packet: `match_validate()` in
// net/openvswitch/flow_netlink.c. Each answer is a bit for each slot.

/** The header that an Ethernet type calls for. */
export function networkSlots(etherType: number): number {
  switch (etherType) {
    case ETH_P_IP:
      return 1 << SLOT_IPV4;
    case ETH_P_IPV6:
      return 1 << SLOT_IPV6;
    case ETH_P_ARP:
    case ETH_P_RARP:
      return 1 << SLOT_ARP;
    case ETH_P_MPLS_UC:
    case ETH_P_MPLS_MC:
      return 1 << SLOT_MPLS;
    case ETH_P_NSH:
      return 1 << SLOT_NSH;
    default:
      return 0;
  }
}

/** The headers that a protocol calls for, over the network header `network`: of IPv4 or of IPv6. */
export function transportSlots(network: number, proto: number): number {
  switch (proto) {
    case IPPROTO_TCP:
      return (1 << SLOT_TCP) | (1 << SLOT_TCP_FLAGS);
    case IPPROTO_UDP:
      return 1 << SLOT_UDP;
    case IPPROTO_SCTP:
      return 1 << SLOT_SCTP;
    case IPPROTO_ICMP:
      return network === SLOT_IPV4 ? 1 << SLOT_ICMP : 0;
    case IPPROTO_ICMPV6:
      return network === SLOT_IPV6 ? 1 << SLOT_ICMPV6 : 0;
    default:
      return 0;
  }
}

/** Whether a type of ICMPv6 calls for nd(). */
export function isNdType(type: number): boolean {
  return type === NDISC_NEIGHBOUR_SOLICITATION || type === NDISC_NEIGHBOUR_ADVERTISEMENT;
}

/** Whether an Ethernet type is that of a tag (`eth_type_vlan()`), and calls for vlan() and encap(). */
export function isVlan(etherType: number): boolean {
  return etherType === ETH_P_8021Q || etherType === ETH_P_8021AD;
}
