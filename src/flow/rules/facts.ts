import { ETH_P_MPLS_MC, ETH_P_MPLS_UC } from "../../uapi/packet.ts";

/** The bit of a VLAN tag that says the tag is present (`VLAN_CFI_MASK`). */
export const VLAN_CFI_MASK = 0x1000;

/** Ports are below this (`DP_MAX_PORTS` in net/openvswitch/datapath.h). */
export const DP_MAX_PORTS = 0xffff;

/**
 * What the actions may rely on: the masked key, as passed to `ovs_nla_copy_actions()`. Wildcarded
 * values are 0 here, whatever the key holds. One object is reused.
 */
export type MatchFacts = {
  /** Whether the packet has an Ethernet header (`MAC_PROTO_ETHERNET`). */
  ethernet: boolean;
  etherType: number;
  /** The outermost tag, 0 if there is none. */
  vlanTci: number;
  ipProto: number;
  ipFrag: number;
  nshNp: number;
  /** Labels of the MPLS stack that the key matches. */
  mplsLabels: number;
};

/** The facts of a packet about which nothing is known. */
export function newFacts(): MatchFacts {
  return {
    ethernet: true,
    etherType: 0,
    vlanTci: 0,
    ipProto: 0,
    ipFrag: 0,
    nshNp: 0,
    mplsLabels: 0,
  };
}

/** `eth_p_mpls()`. */
export function isMpls(etherType: number): boolean {
  return etherType === ETH_P_MPLS_UC || etherType === ETH_P_MPLS_MC;
}

/** An Ethernet type as text, for messages. */
export function etherTypeText(etherType: number): string {
  return `0x${etherType.toString(16).padStart(4, "0")}`;
}
