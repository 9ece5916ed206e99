import * as uapi from "../../uapi/openvswitch.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { attributeLength, attributeType, nextAttribute } from "../action/attributes.ts";
import { isZero } from "../bytes.ts";
import { FEATURE } from "../feature.ts";
import type { MatchFacts } from "./facts.ts";
import { ETH_P_IP, ETH_P_IPV6 } from "../../uapi/packet.ts";
import type { KernelFeatures } from "./features.ts";
import type { Lacking } from "./lacking.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** Bytes of a helper's and of a timeout policy's name, the closing zero counted. */
const HELPER_MAX = 16;
const TIMEOUT_MAX = 32;

const RULE = "action.ct";
const RULE_NAT = "action.nat";
const NEEDS_COMMIT = "needs commit or force_commit before it";
const DECODER = new TextDecoder();

/** `ovs_ct_copy_action()` and `parse_ct()` in net/openvswitch/conntrack.c. */
export function checkCt(
  facts: MatchFacts,
  bytes: Uint8Array,
  start: number,
  end: number,
  features: KernelFeatures,
): Refusal | undefined {
  if (!features.ct)
    return refuse(RULE, "this kernel was built without connection tracking", FEATURE.ct);
  const ipv6 = facts.etherType === ETH_P_IPV6;
  if (!ipv6 && facts.etherType !== ETH_P_IP)
    return refuse(RULE, "ct needs eth_type 0x0800 or 0x86dd, matched exactly");
  let commit = false;
  let mark = false;
  let labels = false;
  let at = start;
  while (at < end) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) return refuse(RULE, "ct: bytes that are no attribute");
    const payload = at + NLA_HEADER;
    const size = length - NLA_HEADER;
    const type = attributeType(bytes, at);
    const refusal = checkMember(bytes, payload, size, type, facts.ipProto, features);
    if (refusal !== undefined) return refusal;
    if (type === uapi.OVS_CT_ATTR_COMMIT || type === uapi.OVS_CT_ATTR_FORCE_COMMIT) commit = true;
    if (type === uapi.OVS_CT_ATTR_MARK) mark = true;
    if (type === uapi.OVS_CT_ATTR_LABELS) labels = true;
    if (type === uapi.OVS_CT_ATTR_NAT) {
      const nat = checkNat(bytes, payload, payload + size, ipv6, commit);
      if (nat !== undefined) return nat;
    }
    at = nextAttribute(at, length, end);
  }
  if (mark && !commit) return refuse(RULE, "ct(mark=…) needs commit or force_commit as well");
  if (labels && !commit) return refuse(RULE, "ct(label=…) needs commit or force_commit as well");
  return undefined;
}

/** One attribute of ct(): its length, and whether this kernel has it. */
function checkMember(
  bytes: Uint8Array,
  at: number,
  size: number,
  type: number,
  ipProto: number,
  features: KernelFeatures,
): Refusal | undefined {
  switch (type) {
    case uapi.OVS_CT_ATTR_COMMIT:
    case uapi.OVS_CT_ATTR_FORCE_COMMIT:
      return size === 0 ? undefined : refuse(RULE, "ct: commit has no value");
    case uapi.OVS_CT_ATTR_ZONE:
      if (!features.ctZones) return refuseLacking("zone", FEATURE.ctZones);
      return size === 2 ? undefined : refuse(RULE, "ct: zone has 16 bits");
    case uapi.OVS_CT_ATTR_MARK:
      if (!features.ctMark) return refuseLacking("mark", FEATURE.ctMark);
      return checkMasked(bytes, at, size, 4, "mark");
    case uapi.OVS_CT_ATTR_LABELS:
      if (!features.ctLabels) return refuseLacking("label", FEATURE.ctLabels);
      return checkMasked(bytes, at, size, 16, "label");
    case uapi.OVS_CT_ATTR_EVENTMASK:
      return size === 4 ? undefined : refuse(RULE, "ct: eventmask has 32 bits");
    case uapi.OVS_CT_ATTR_HELPER:
      return (
        checkName(bytes, at, size, HELPER_MAX, "helper") ??
        checkHelper(bytes, at, size, ipProto, features)
      );
    case uapi.OVS_CT_ATTR_TIMEOUT:
      if (!features.ctTimeout) return refuseLacking("timeout", FEATURE.ctTimeout);
      return checkName(bytes, at, size, TIMEOUT_MAX, "timeout");
    case uapi.OVS_CT_ATTR_NAT:
      return features.nat
        ? undefined
        : refuse(RULE_NAT, "this kernel was built without NAT", FEATURE.nat);
    default:
      return refuse(RULE, `ct: attribute ${type} is one that the kernel does not know`);
  }
}

function refuseLacking(member: string, lacking: Lacking): Refusal {
  const text = `ct(${member}=…): this kernel was built without ${lacking.feature}`;
  return refuse(RULE, text, lacking);
}

function checkMasked(
  bytes: Uint8Array,
  at: number,
  size: number,
  half: number,
  name: string,
): Refusal | undefined {
  if (size !== 2 * half) return refuse(RULE, `ct: ${name} has ${half} bytes and as many of mask`);
  if (!isZero(bytes, at + half, size - half)) return undefined;
  return refuse(RULE, `ct: the mask of ${name} cannot be 0`);
}

function checkName(
  bytes: Uint8Array,
  at: number,
  size: number,
  max: number,
  name: string,
): Refusal | undefined {
  let closed = false;
  for (let i = 0; i < size; i++) if (bytes[at + i] === 0) closed = true;
  if (size >= 1 && size <= max && closed) return undefined;
  return refuse(RULE, `ct: the name of a ${name} has at most ${max - 1} letters`);
}

function checkHelper(
  bytes: Uint8Array,
  at: number,
  size: number,
  ipProto: number,
  features: KernelFeatures,
): Refusal | undefined {
  if (features.ctHelpers === undefined) return undefined;
  const name = DECODER.decode(bytes.subarray(at, at + size)).replace(/\0.*$/s, "");
  if (features.ctHelpers.has(`${name}/${ipProto}`)) return undefined;
  return refuse(
    RULE,
    `this kernel has no conntrack helper ${name} for proto ${ipProto}: ct(helper=…)`,
  );
}

/** `parse_nat()`: addresses of the flow's own kind, options only with src or dst, these only once. */
function checkNat(
  bytes: Uint8Array,
  start: number,
  end: number,
  ipv6: boolean,
  commit: boolean,
): Refusal | undefined {
  let direction = false;
  let options = false;
  let at = start;
  while (at < end) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) return refuse(RULE_NAT, "nat: bytes that are no attribute");
    const type = attributeType(bytes, at);
    const size = length - NLA_HEADER;
    if (type === 0 || type > uapi.OVS_NAT_ATTR_PROTO_RANDOM)
      return refuse(RULE_NAT, `nat: attribute ${type} is one that the kernel does not know`);
    const address = type === uapi.OVS_NAT_ATTR_IP_MIN || type === uapi.OVS_NAT_ATTR_IP_MAX;
    const port = type === uapi.OVS_NAT_ATTR_PROTO_MIN || type === uapi.OVS_NAT_ATTR_PROTO_MAX;
    if (address && size !== (ipv6 ? 16 : 4)) {
      const kind = ipv6 ? "IPv6 for eth_type 0x86dd" : "IPv4 for eth_type 0x0800";
      return refuse(RULE_NAT, `nat: its addresses must be ${kind}`);
    }
    if (!address && size !== (port ? 2 : 0))
      return refuse(RULE_NAT, `nat: attribute ${type} is of length ${size}`);
    if (type === uapi.OVS_NAT_ATTR_SRC || type === uapi.OVS_NAT_ATTR_DST) {
      if (direction) return refuse(RULE_NAT, "nat: src or dst, not both");
      direction = true;
    } else {
      options = true;
    }
    at = nextAttribute(at, length, end);
  }
  if (direction && !commit) return refuse(RULE_NAT, `nat(src or dst) ${NEEDS_COMMIT}`);
  if (options && !direction) return refuse(RULE_NAT, "nat: a range or option needs src or dst");
  return undefined;
}
