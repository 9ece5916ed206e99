import * as uapi from "../../uapi/openvswitch.ts";
import {
  ETH_P_8021AD,
  ETH_P_8021Q,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  ETH_P_MPLS_UC,
  ETH_P_NSH,
  ETH_P_RARP,
  ETH_P_TEB,
} from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { isVlan } from "../key/required-headers.ts";
import { etherTypeText, isMpls, type MatchFacts, VLAN_CFI_MASK } from "./facts.ts";
import { checkPushNsh } from "./nests.ts";
import { type Refusal, refuse } from "./refusal.ts";

/**
 * What the kernel keeps in mind from action to action, in one list. A nested list begins with what
 * holds where it stands, and changes nothing outside: `__ovs_nla_copy_actions()` passes it by value.
 */
export type Walk = { ethernet: boolean; etherType: number; vlanTci: number; mplsLabels: number };

/** The actions that put headers on and take them off, and change what holds for those after them. */
export function checkHeaders(
  facts: MatchFacts,
  walk: Walk,
  bytes: Uint8Array,
  start: number,
  end: number,
  type: number,
): Refusal | undefined {
  switch (type) {
    case uapi.OVS_ACTION_ATTR_PUSH_VLAN:
      return pushVlan(walk, bytes, start);
    case uapi.OVS_ACTION_ATTR_POP_VLAN:
      if (!walk.ethernet) return refuseNoEthernet("pop_vlan");
      walk.vlanTci = 0;
      return undefined;
    case uapi.OVS_ACTION_ATTR_PUSH_MPLS:
      return pushMpls(walk, be16At(bytes, start + 4), "push_mpls");
    case uapi.OVS_ACTION_ATTR_ADD_MPLS:
      return addMpls(walk, bytes, start);
    case uapi.OVS_ACTION_ATTR_POP_MPLS:
      return popMpls(walk, be16At(bytes, start));
    case uapi.OVS_ACTION_ATTR_PUSH_ETH:
      if (walk.ethernet)
        return refuse("action.push_eth", "push_eth needs a packet without an Ethernet header");
      walk.ethernet = true;
      return undefined;
    case uapi.OVS_ACTION_ATTR_POP_ETH:
      if (!walk.ethernet) return refuseNoEthernet("pop_eth");
      if ((walk.vlanTci & VLAN_CFI_MASK) !== 0)
        return refuse(
          "action.pop_eth",
          "pop_eth needs a packet without a VLAN tag: pop_vlan first",
        );
      walk.ethernet = false;
      return undefined;
    case uapi.OVS_ACTION_ATTR_PUSH_NSH:
      if (!walk.ethernet && !isTunnelProtocol(walk.etherType)) {
        const what = etherTypeText(walk.etherType);
        return refuse(
          "action.push_nsh",
          `push_nsh cannot carry ethertype ${what} without Ethernet`,
        );
      }
      walk.ethernet = false;
      return checkPushNsh(bytes, start, end);
    case uapi.OVS_ACTION_ATTR_POP_NSH:
      return popNsh(facts, walk);
    default:
      // RECIRC, CT_CLEAR and METER: any number will do.
      return undefined;
  }
}

function refuseNoEthernet(name: string): Refusal {
  return refuse(
    `action.${name}`,
    `${name} needs a packet with an Ethernet header: eth() in the key`,
  );
}

function pushVlan(walk: Walk, bytes: Uint8Array, start: number): Refusal | undefined {
  if (!walk.ethernet) return refuseNoEthernet("push_vlan");
  const tpid = be16At(bytes, start);
  const tci = be16At(bytes, start + 2);
  if (!isVlan(tpid)) {
    const known = `${etherTypeText(ETH_P_8021Q)} or ${etherTypeText(ETH_P_8021AD)}`;
    return refuse("action.push_vlan", `push_vlan: tpid ${etherTypeText(tpid)} must be ${known}`);
  }
  if ((tci & VLAN_CFI_MASK) === 0)
    return refuse("action.push_vlan", "push_vlan: cfi must be 1, it says that the tag is there");
  walk.vlanTci = tci;
  return undefined;
}

/** A label is pushed only before headers whose order is known. */
function pushMpls(walk: Walk, etherType: number, name: string): Refusal | undefined {
  if (!isMpls(etherType)) return refuseMplsType(name, etherType);
  if ((walk.vlanTci & VLAN_CFI_MASK) !== 0)
    return refuse(`action.${name}`, `${name} needs a packet without a VLAN tag: pop_vlan first`);
  const inner = walk.etherType;
  const known =
    inner === ETH_P_IP ||
    inner === ETH_P_IPV6 ||
    inner === ETH_P_ARP ||
    inner === ETH_P_RARP ||
    isMpls(inner);
  if (!known) {
    const text = `${name} needs eth_type 0x0800, 0x86dd, 0x0806, 0x8035, 0x8847 or 0x8848, matched exactly`;
    return refuse(`action.${name}`, text);
  }
  walk.etherType = etherType;
  walk.mplsLabels++;
  return undefined;
}

function refuseMplsType(name: string, etherType: number): Refusal {
  const text = `${name}: eth_type ${etherTypeText(etherType)} must be 0x8847 or 0x8848`;
  return refuse(`action.${name}`, text);
}

function addMpls(walk: Walk, bytes: Uint8Array, start: number): Refusal | undefined {
  const etherType = be16At(bytes, start + 4);
  const flags = bytes[start + 6]!;
  if ((flags & uapi.OVS_MPLS_L3_TUNNEL_FLAG_MASK) !== 0)
    return pushMpls(walk, etherType, "add_mpls");
  if (!isMpls(etherType)) return refuseMplsType("add_mpls", etherType);
  // Before the whole packet: what was Ethernet is the label's payload now.
  walk.mplsLabels = walk.ethernet ? 1 : walk.mplsLabels + 1;
  walk.ethernet = false;
  walk.etherType = etherType;
  return undefined;
}

function popMpls(walk: Walk, etherType: number): Refusal | undefined {
  if ((walk.vlanTci & VLAN_CFI_MASK) !== 0)
    return refuse("action.pop_mpls", "pop_mpls needs a packet without a VLAN tag: pop_vlan first");
  if (!isMpls(walk.etherType))
    return refuse("action.pop_mpls", "pop_mpls needs eth_type 0x8847 or 0x8848, matched exactly");
  if (etherType === ETH_P_TEB && walk.ethernet)
    return refuse("action.pop_mpls", "pop_mpls(eth_type=0x6558) needs a packet without Ethernet");
  // The kernel's count is unsigned: below 0 it is not 0.
  walk.mplsLabels--;
  walk.etherType = !isMpls(etherType) || walk.mplsLabels === 0 ? 0 : etherType;
  return undefined;
}

/** `tun_p_from_eth_p()`: what NSH can carry by its Ethernet type. */
function isTunnelProtocol(etherType: number): boolean {
  return (
    etherType === ETH_P_IP ||
    etherType === ETH_P_IPV6 ||
    etherType === ETH_P_TEB ||
    etherType === ETH_P_NSH ||
    etherType === ETH_P_MPLS_UC
  );
}

/** `tun_p_to_eth_p()` knows 1 to 5. */
function popNsh(facts: MatchFacts, walk: Walk): Refusal | undefined {
  if (walk.etherType !== ETH_P_NSH)
    return refuse("action.pop_nsh", "pop_nsh needs eth_type 0x894f, matched exactly");
  if (facts.nshNp < 1 || facts.nshNp > 5)
    return refuse("action.pop_nsh", "pop_nsh needs nsh(np=…) from 1 to 5, matched exactly");
  walk.ethernet = facts.nshNp === 3;
  return undefined;
}
