import * as uapi from "../../uapi/openvswitch.ts";
import * as P from "../../uapi/packet.ts";
import { be16At } from "../bytes.ts";
import { isVlan } from "../key/required-headers.ts";
import type { ActionContext } from "./action-context.ts";
import { etherTypeText, isMpls, VLAN_CFI_MASK } from "./facts.ts";
import { checkPushNsh } from "./nests.ts";
import { type Refusal, refuse } from "./refusal.ts";

/**
 * Checks the actions that push and pop headers, and updates the state for the actions after them.
 */
export function checkHeaders(context: ActionContext, type: number): Refusal | undefined {
  const { bytes, start } = context;
  switch (type) {
    case uapi.OVS_ACTION_ATTR_PUSH_VLAN:
      return pushVlan(context);
    case uapi.OVS_ACTION_ATTR_POP_VLAN:
      if (!context.ethernet) return refuseNoEthernet("pop_vlan");
      context.vlanTci = 0;
      return undefined;
    case uapi.OVS_ACTION_ATTR_PUSH_MPLS:
      return pushMpls(context, be16At(bytes, start + 4), "push_mpls");
    case uapi.OVS_ACTION_ATTR_ADD_MPLS:
      return addMpls(context);
    case uapi.OVS_ACTION_ATTR_POP_MPLS:
      return popMpls(context, be16At(bytes, start));
    case uapi.OVS_ACTION_ATTR_PUSH_ETH:
      if (context.ethernet)
        return refuse("action.push_eth", "push_eth needs a packet without an Ethernet header");
      context.ethernet = true;
      return undefined;
    case uapi.OVS_ACTION_ATTR_POP_ETH:
      if (!context.ethernet) return refuseNoEthernet("pop_eth");
      if ((context.vlanTci & VLAN_CFI_MASK) !== 0)
        return refuse(
          "action.pop_eth",
          "pop_eth needs a packet without a VLAN tag: pop_vlan first",
        );
      context.ethernet = false;
      return undefined;
    case uapi.OVS_ACTION_ATTR_PUSH_NSH:
      if (!context.ethernet && !isTunnelProtocol(context.etherType)) {
        const what = etherTypeText(context.etherType);
        return refuse(
          "action.push_nsh",
          `push_nsh cannot carry ethertype ${what} without Ethernet`,
        );
      }
      context.ethernet = false;
      return checkPushNsh(context);
    case uapi.OVS_ACTION_ATTR_POP_NSH:
      return popNsh(context);
    default:
      // RECIRC, CT_CLEAR and METER accept any number.
      return undefined;
  }
}

function refuseNoEthernet(name: string): Refusal {
  return refuse(
    `action.${name}`,
    `${name} needs a packet with an Ethernet header: eth() in the key`,
  );
}

function pushVlan(context: ActionContext): Refusal | undefined {
  const { bytes, start } = context;
  if (!context.ethernet) return refuseNoEthernet("push_vlan");
  const tpid = be16At(bytes, start);
  const tci = be16At(bytes, start + 2);
  if (!isVlan(tpid)) {
    const known = `${etherTypeText(P.ETH_P_8021Q)} or ${etherTypeText(P.ETH_P_8021AD)}`;
    return refuse("action.push_vlan", `push_vlan: tpid ${etherTypeText(tpid)} must be ${known}`);
  }
  if ((tci & VLAN_CFI_MASK) === 0)
    return refuse("action.push_vlan", "push_vlan: cfi must be 1, it says that the tag is there");
  context.vlanTci = tci;
  return undefined;
}

/** Checks the push of a label, which is allowed only before headers whose order is known. */
function pushMpls(context: ActionContext, etherType: number, name: string): Refusal | undefined {
  if (!isMpls(etherType)) return refuseMplsType(name, etherType);
  if ((context.vlanTci & VLAN_CFI_MASK) !== 0)
    return refuse(`action.${name}`, `${name} needs a packet without a VLAN tag: pop_vlan first`);
  const inner = context.etherType;
  const known =
    inner === P.ETH_P_IP ||
    inner === P.ETH_P_IPV6 ||
    inner === P.ETH_P_ARP ||
    inner === P.ETH_P_RARP ||
    isMpls(inner);
  if (!known) {
    const text = `${name} needs eth_type 0x0800, 0x86dd, 0x0806, 0x8035, 0x8847 or 0x8848, matched exactly`;
    return refuse(`action.${name}`, text);
  }
  context.etherType = etherType;
  context.mplsLabels++;
  return undefined;
}

function refuseMplsType(name: string, etherType: number): Refusal {
  const text = `${name}: eth_type ${etherTypeText(etherType)} must be 0x8847 or 0x8848`;
  return refuse(`action.${name}`, text);
}

function addMpls(context: ActionContext): Refusal | undefined {
  const { bytes, start } = context;
  const etherType = be16At(bytes, start + 4);
  const flags = bytes[start + 6]!;
  if ((flags & uapi.OVS_MPLS_L3_TUNNEL_FLAG_MASK) !== 0)
    return pushMpls(context, etherType, "add_mpls");
  if (!isMpls(etherType)) return refuseMplsType("add_mpls", etherType);
  // Before the whole packet: the Ethernet frame becomes the label's payload.
  context.mplsLabels = context.ethernet ? 1 : context.mplsLabels + 1;
  context.ethernet = false;
  context.etherType = etherType;
  return undefined;
}

function popMpls(context: ActionContext, etherType: number): Refusal | undefined {
  if ((context.vlanTci & VLAN_CFI_MASK) !== 0)
    return refuse("action.pop_mpls", "pop_mpls needs a packet without a VLAN tag: pop_vlan first");
  if (!isMpls(context.etherType))
    return refuse("action.pop_mpls", "pop_mpls needs eth_type 0x8847 or 0x8848, matched exactly");
  if (etherType === P.ETH_P_TEB && context.ethernet)
    return refuse("action.pop_mpls", "pop_mpls(eth_type=0x6558) needs a packet without Ethernet");
  // The kernel's counter is unsigned: below 0 it wraps around.
  context.mplsLabels--;
  context.etherType = !isMpls(etherType) || context.mplsLabels === 0 ? 0 : etherType;
  return undefined;
}

/** `tun_p_from_eth_p()`: what NSH can carry by its Ethernet type. */
function isTunnelProtocol(etherType: number): boolean {
  return (
    etherType === P.ETH_P_IP ||
    etherType === P.ETH_P_IPV6 ||
    etherType === P.ETH_P_TEB ||
    etherType === P.ETH_P_NSH ||
    etherType === P.ETH_P_MPLS_UC
  );
}

/** `tun_p_to_eth_p()` knows 1 to 5. */
function popNsh(context: ActionContext): Refusal | undefined {
  const { nshNp } = context.facts;
  if (context.etherType !== P.ETH_P_NSH)
    return refuse("action.pop_nsh", "pop_nsh needs eth_type 0x894f, matched exactly");
  if (nshNp < 1 || nshNp > 5)
    return refuse("action.pop_nsh", "pop_nsh needs nsh(np=…) from 1 to 5, matched exactly");
  context.ethernet = nshNp === 3;
  return undefined;
}
