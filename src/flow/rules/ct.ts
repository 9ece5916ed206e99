import * as uapi from "../../uapi/openvswitch.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { attributeLength, attributeType, nextAttribute } from "../action/attributes.ts";
import { isZero } from "../bytes.ts";
import { FEATURE } from "../feature.ts";
import type { ActionContext } from "./action-context.ts";
import { ETH_P_IP, ETH_P_IPV6 } from "../../uapi/packet.ts";
import type { MissingFeature } from "./missing-feature.ts";
import { type Refusal, refuse } from "./refusal.ts";

/** The maximum bytes of the names of helpers and timeout policies, including the closing zero. */
const HELPER_MAX = 16;
const TIMEOUT_MAX = 32;

const RULE = "action.ct";
const RULE_NAT = "action.nat";
const NEEDS_COMMIT = "needs commit or force_commit before it";
const DECODER = new TextDecoder();

/** `ovs_ct_copy_action()` and `parse_ct()` in net/openvswitch/conntrack.c. */
export function checkCt(context: ActionContext): Refusal | undefined {
  const { facts, features, bytes, start, end } = context;
  if (!features.ct)
    return refuse(RULE, "this kernel was built without connection tracking", FEATURE.ct);
  if (facts.etherType !== ETH_P_IPV6 && facts.etherType !== ETH_P_IP)
    return refuse(RULE, "ct needs eth_type 0x0800 or 0x86dd, matched exactly");
  let commit = false;
  let mark = false;
  let labels = false;
  let at = start;
  while (at < end) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) return refuse(RULE, "ct: bytes that are not an attribute");
    const type = attributeType(bytes, at);
    const refusal = checkMember(context, at, type);
    if (refusal !== undefined) return refusal;
    if (type === uapi.OVS_CT_ATTR_COMMIT || type === uapi.OVS_CT_ATTR_FORCE_COMMIT) commit = true;
    if (type === uapi.OVS_CT_ATTR_MARK) mark = true;
    if (type === uapi.OVS_CT_ATTR_LABELS) labels = true;
    if (type === uapi.OVS_CT_ATTR_NAT) {
      const nat = checkNat(context, at, commit);
      if (nat !== undefined) return nat;
    }
    at = nextAttribute(at, length, end);
  }
  if (mark && !commit) return refuse(RULE, "ct(mark=…) needs commit or force_commit as well");
  if (labels && !commit) return refuse(RULE, "ct(label=…) needs commit or force_commit as well");
  return undefined;
}

/** Payload bytes of the attribute at `at`, which must be complete. */
function sizeAt({ bytes, end }: ActionContext, at: number): number {
  return attributeLength(bytes, at, end) - NLA_HEADER;
}

/** Checks one attribute of ct(), at `at`: its length, and whether this kernel has it. */
function checkMember(context: ActionContext, at: number, type: number): Refusal | undefined {
  const { features } = context;
  const size = sizeAt(context, at);
  switch (type) {
    case uapi.OVS_CT_ATTR_COMMIT:
    case uapi.OVS_CT_ATTR_FORCE_COMMIT:
      return size === 0 ? undefined : refuse(RULE, "ct: commit has no value");
    case uapi.OVS_CT_ATTR_ZONE:
      if (!features.ctZones) return refuseMissing("zone", FEATURE.ctZones);
      return size === 2 ? undefined : refuse(RULE, "ct: zone has 16 bits");
    case uapi.OVS_CT_ATTR_MARK:
      if (!features.ctMark) return refuseMissing("mark", FEATURE.ctMark);
      return checkMasked(context, at, 4, "mark");
    case uapi.OVS_CT_ATTR_LABELS:
      if (!features.ctLabels) return refuseMissing("label", FEATURE.ctLabels);
      return checkMasked(context, at, 16, "label");
    case uapi.OVS_CT_ATTR_EVENTMASK:
      return size === 4 ? undefined : refuse(RULE, "ct: eventmask has 32 bits");
    case uapi.OVS_CT_ATTR_HELPER:
      return checkName(context, at, HELPER_MAX, "helper") ?? checkHelper(context, at);
    case uapi.OVS_CT_ATTR_TIMEOUT:
      if (!features.ctTimeout) return refuseMissing("timeout", FEATURE.ctTimeout);
      return checkName(context, at, TIMEOUT_MAX, "timeout");
    case uapi.OVS_CT_ATTR_NAT:
      return features.nat
        ? undefined
        : refuse(RULE_NAT, "this kernel was built without NAT", FEATURE.nat);
    default:
      return refuse(RULE, `ct: attribute ${type} is one that the kernel does not know`);
  }
}

function refuseMissing(member: string, missing: MissingFeature): Refusal {
  const text = `ct(${member}=…): this kernel was built without ${missing.feature}`;
  return refuse(RULE, text, missing);
}

/** Checks a value of `half` bytes, and its mask. */
function checkMasked(
  context: ActionContext,
  at: number,
  half: number,
  name: string,
): Refusal | undefined {
  if (sizeAt(context, at) !== 2 * half)
    return refuse(RULE, `ct: ${name} has ${half} bytes and as many of mask`);
  if (!isZero(context.bytes, at + NLA_HEADER + half, half)) return undefined;
  return refuse(RULE, `ct: the mask of ${name} cannot be 0`);
}

/** Checks a zero-terminated name of at most `max` bytes including the zero. */
function checkName(
  context: ActionContext,
  at: number,
  max: number,
  name: string,
): Refusal | undefined {
  const start = at + NLA_HEADER;
  const size = sizeAt(context, at);
  let closed = false;
  for (let i = 0; i < size; i++) if (context.bytes[start + i] === 0) closed = true;
  if (size >= 1 && size <= max && closed) return undefined;
  return refuse(RULE, `ct: the name of a ${name} has at most ${max - 1} letters`);
}

function checkHelper(context: ActionContext, at: number): Refusal | undefined {
  const { bytes, facts, features } = context;
  if (features.ctHelpers === undefined) return undefined;
  const start = at + NLA_HEADER;
  const text = DECODER.decode(bytes.subarray(start, start + sizeAt(context, at)));
  const name = text.replace(/\0.*$/s, "");
  if (features.ctHelpers.has(`${name}/${facts.ipProto}`)) return undefined;
  return refuse(
    RULE,
    `this kernel has no conntrack helper ${name} for proto ${facts.ipProto}: ct(helper=…)`,
  );
}

/**
 * `parse_nat()`: addresses must be of the flow's kind, options need src or dst, which may occur
 * once.
 */
function checkNat(context: ActionContext, nat: number, commit: boolean): Refusal | undefined {
  const { bytes, facts } = context;
  const ipv6 = facts.etherType === ETH_P_IPV6;
  const start = nat + NLA_HEADER;
  const end = start + sizeAt(context, nat);
  let direction = false;
  let options = false;
  let at = start;
  while (at < end) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) return refuse(RULE_NAT, "nat: bytes that are not an attribute");
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
