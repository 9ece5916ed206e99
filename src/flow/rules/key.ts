import { OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { FEATURE } from "../feature.ts";
import {
  HEADER_WORD,
  levelOfWord,
  LEVELS,
  lowestSlot,
  SLOT_UNKNOWN,
  SLOT_WORDS,
  slotBit,
} from "../key/levels.ts";
import { keyOffset, type KeyRecord, maskOffset } from "../key/record.ts";
import {
  icmpv6Slots,
  networkSlots,
  TRANSPORT_SLOTS,
  transportSlots,
} from "../key/required-headers.ts";
import * as S from "../key/slots.ts";
import type { KeySpec } from "../key/spec.ts";
import { fieldNamed, KEY_BY_SLOT, KEYS, slotWords } from "../key/table.ts";
import { be16At, isZero, u32At } from "../bytes.ts";
import * as F from "./facts.ts";
import type { KernelFeatures } from "./features.ts";
import {
  atSlot,
  hasKey,
  hasMask,
  type Headers,
  HEADERS,
  keyByte,
  keyName,
  maskByte,
  readFacts,
  readHeaders,
  takeTags,
} from "./headers.ts";
import { missingKey } from "./missing-feature.ts";
import { atKey, type Refusal, refuse } from "./refusal.ts";
import { checkTunnel } from "./tunnel.ts";

/** Bits of ct_state that the kernel knows (`CT_SUPPORTED_MASK`). */
const CT_STATE_KNOWN = 0xff;
const NSH_M_TYPE1 = 1;
const NSH_CONTEXT = 8;
const NSH_CONTEXT_SIZE = 16;

/** Attributes whose mask the kernel takes only if the key's type or protocol requires them. */
const GUARDED: readonly KeySpec[] = KEYS.filter(({ guarded }) => guarded);

/** A bit for each key that some kernels lack, by word. */
const NOT_EVERYWHERE: Int32Array = slotWords(
  ({ where, probe, feature }) => where === "userspace" || (probe ?? feature) !== undefined,
);

/**
 * Whether the kernel takes a key and its mask: `ovs_nla_get_match()` in
 * net/openvswitch/flow_netlink.c. The record is in normal form, as it is sent. `facts` is set to
 * what the actions may rely on.
 */
export function validateKey(
  record: KeyRecord,
  features: KernelFeatures,
  facts: F.MatchFacts,
): Refusal | undefined {
  const headers = HEADERS;
  return (
    checkKnown(record, features) ??
    takeTags(record, headers) ??
    checkMetadata(record) ??
    readHeaders(record, headers) ??
    checkValues(record, headers) ??
    checkMatch(record, headers, facts)
  );
}

/** Refuses attributes that no kernel, or not this one, knows. */
function checkKnown(record: KeyRecord, features: KernelFeatures): Refusal | undefined {
  for (let word = 0; word < record.present.length; word++) {
    const level = levelOfWord(word);
    let left = record.present[word]! & NOT_EVERYWHERE[word % SLOT_WORDS]!;
    for (; left !== 0; left &= left - 1) {
      const key = KEY_BY_SLOT[lowestSlot(word, left)];
      const refusal = key && checkKernelHas(key, features);
      if (key !== undefined && refusal !== undefined) return atKey(refusal, key.name, level);
    }
    if (record.has(level, SLOT_UNKNOWN)) return refuseUnknown(record, level, features);
  }
  return undefined;
}

function checkKernelHas(key: KeySpec, features: KernelFeatures): Refusal | undefined {
  if (key.where === "userspace") {
    const text = `${key.name}() is known to OVS's userspace datapath only, to no kernel`;
    return refuse("key.userspace", text);
  }
  if (key.type > features.keyMax) {
    const text = `this kernel does not have ${key.name}()`;
    return refuse("key.unsupported", text, missingKey(key));
  }
  if (key.feature === undefined || features[key.feature]) return undefined;
  const missing = FEATURE[key.feature];
  const text = `${key.name}(): this kernel was built without ${missing.feature}`;
  return refuse("key.unsupported", text, missing);
}

function refuseUnknown(record: KeyRecord, level: number, features: KernelFeatures): Refusal {
  const type = record.unknown.find((unknown) => unknown.level === level)?.type ?? 0;
  const text = `key${type}(): the kernel knows no such key, or not of this length (its last is ${features.keyMax})`;
  return atKey(refuse("key.unknown", text), `key${type}`, level);
}

/** `metadata_from_nlattrs()`. */
function checkMetadata(record: KeyRecord): Refusal | undefined {
  // The kernel also accepts metadata inside encap().
  for (let level = 0; level < LEVELS; level++) {
    if (record.metadata(level) === 0) continue;
    const refusal = checkPort(record, level) ?? checkCtState(record, level);
    if (refusal !== undefined) return refusal;
    if (!record.has(level, S.SLOT_TUNNEL)) continue;
    const tunnel = checkTunnel(record);
    if (tunnel !== undefined) return atSlot(tunnel, S.SLOT_TUNNEL, level);
  }
  return undefined;
}

function checkPort(record: KeyRecord, level: number): Refusal | undefined {
  const port = u32At(record.bytes, keyOffset(level, S.SLOT_IN_PORT));
  if (port < F.DP_MAX_PORTS || port === S.NO_PORT) return undefined;
  const text = `in_port(${port}): ports are below ${F.DP_MAX_PORTS}`;
  return atSlot(refuse("key.in_port", text), S.SLOT_IN_PORT, level);
}

function checkCtState(record: KeyRecord, level: number): Refusal | undefined {
  const key = u32At(record.bytes, keyOffset(level, S.SLOT_CT_STATE));
  const mask = u32At(record.bytes, maskOffset(level, S.SLOT_CT_STATE));
  if (((key | mask) & ~CT_STATE_KNOWN) === 0) return undefined;
  const text = "ct_state(): the kernel knows the bits 0xff, in value and mask";
  return atSlot(refuse("key.ct_state", text), S.SLOT_CT_STATE, level);
}

/** Checks single values, as `ovs_key_from_nlattrs()` does. */
function checkValues(record: KeyRecord, headers: Headers): Refusal | undefined {
  return (
    checkFrag(headers, S.SLOT_IPV4, record, IPV4_FRAG) ??
    checkFrag(headers, S.SLOT_IPV6, record, IPV6_FRAG) ??
    checkLabel(record, headers) ??
    checkOpcode(record, headers) ??
    checkStack(record, headers) ??
    checkNsh(record, headers)
  );
}

const IPV4_FRAG: number = fieldNamed("ipv4", "frag").offset;
const IPV6_FRAG: number = fieldNamed("ipv6", "frag").offset;
const IPV6_LABEL: number = fieldNamed("ipv6", "label").offset;

function checkFrag(
  headers: Headers,
  slot: number,
  record: KeyRecord,
  offset: number,
): Refusal | undefined {
  if (!hasKey(headers, slot) || keyByte(record, headers, slot, offset) <= OVS_FRAG_TYPE_LATER)
    return undefined;
  const text = `${KEY_BY_SLOT[slot]?.name}(frag=…) is no, first or later`;
  return atSlot(refuse("key.frag", text), slot, headers.level[slot]!, "frag");
}

function checkLabel(record: KeyRecord, headers: Headers): Refusal | undefined {
  if (!hasKey(headers, S.SLOT_IPV6)) return undefined;
  const level = headers.level[S.SLOT_IPV6]!;
  const label = keyOffset(level, S.SLOT_IPV6) + IPV6_LABEL;
  if ((be16At(record.bytes, label) & 0xfff0) === 0) return undefined;
  return atSlot(refuse("key.label", "ipv6(label=…) has 20 bits"), S.SLOT_IPV6, level, "label");
}

function checkOpcode(record: KeyRecord, headers: Headers): Refusal | undefined {
  const slot = S.SLOT_ARP;
  if (!hasKey(headers, slot) || keyByte(record, headers, slot, 8) === 0) return undefined;
  return atSlot(refuse("key.arp", "arp(op=…) is below 256"), slot, headers.level[slot]!, "op");
}

function checkStack(record: KeyRecord, headers: Headers): Refusal | undefined {
  const level = headers.level[S.SLOT_MPLS]!;
  if (!hasKey(headers, S.SLOT_MPLS) || record.mplsEntries[level] !== 0) return undefined;
  const text = "mpls() has one label at least: no flow matches a packet that ends before it";
  return atSlot(refuse("key.mpls", text), S.SLOT_MPLS, level);
}

function checkNsh(record: KeyRecord, headers: Headers): Refusal | undefined {
  const slot = S.SLOT_NSH;
  if (!hasKey(headers, slot) || keyByte(record, headers, slot, 2) === NSH_M_TYPE1) return undefined;
  const level = headers.level[slot]!;
  const context = keyOffset(level, slot) + NSH_CONTEXT;
  if (isZero(record.bytes, context, NSH_CONTEXT_SIZE)) return undefined;
  const text = "nsh(c1=…) to c4 need mdtype=1: the kernel requires both";
  return atSlot(refuse("key.nsh", text), slot, level);
}

/** Checks which headers must be present, and which may be matched: `match_validate()`. */
function checkMatch(record: KeyRecord, headers: Headers, facts: F.MatchFacts): Refusal | undefined {
  const network = networkSlots(headers.etherType);
  const transport = transportOf(headers);
  const inside = slotsInIcmpv6(record, headers, transport);
  const required = network | transport | inside;
  const missing = required & ~headers.keys[HEADER_WORD]!;
  if (missing !== 0) return refuseMissing(headers, lowestSlot(HEADER_WORD, missing));
  for (const key of GUARDED) {
    if (!hasMask(headers, key.slot) || mayMatch(key, record, headers, required)) continue;
    const refusal = refuseMask(key, headers, required);
    return atKey(refusal, key.name, headers.level[key.slot]!);
  }
  readFacts(record, headers, facts);
  return undefined;
}

/** The transport headers that the protocol requires. */
function transportOf(headers: Headers): number {
  const network = lowestSlot(HEADER_WORD, networkSlots(headers.etherType));
  if (network !== S.SLOT_IPV4 && network !== S.SLOT_IPV6) return 0;
  if (!hasKey(headers, network) || headers.ipFrag === OVS_FRAG_TYPE_LATER) return 0;
  return transportSlots(network, headers.ipProto);
}

/** The headers of neighbour discovery that the type of ICMPv6 requires. */
function slotsInIcmpv6(record: KeyRecord, headers: Headers, transport: number): number {
  if ((transport & slotBit(S.SLOT_ICMPV6)) === 0 || !hasKey(headers, S.SLOT_ICMPV6)) return 0;
  return icmpv6Slots(keyByte(record, headers, S.SLOT_ICMPV6, 0));
}

/** Whether the kernel takes a mask of a key: the values that it depends on are matched exactly. */
function mayMatch(key: KeySpec, record: KeyRecord, headers: Headers, required: number): boolean {
  const isRequired = (required & slotBit(key.slot)) !== 0;
  switch (key.asksFor?.key) {
    case "proto":
      return isRequired && headers.ipProtoMask === 0xff;
    case "icmpv6":
      return isRequired && maskByte(record, headers, S.SLOT_ICMPV6, 0) === 0xff;
    default:
      if (key.slot === S.SLOT_CT_TUPLE6 && isNd(required)) return false;
      return headers.etherTypeExact && key.asksFor?.values.includes(headers.etherType) === true;
  }
}

function isNd(required: number): boolean {
  return (required & slotBit(S.SLOT_ND)) !== 0;
}

/** The refusal for a missing header; it points at the key that requires it. */
function refuseMissing(headers: Headers, slot: number): Refusal {
  const rule = "key.missing";
  const level = (asking: number): number => headers.level[asking]!;
  if (slot === S.SLOT_TCP_FLAGS) {
    const text =
      "tcp needs tcp_flags() as well: the kernel requires both for proto 6, even if only as tcp_flags(0/0)";
    return atSlot(refuse(rule, text), S.SLOT_TCP, level(S.SLOT_TCP));
  }
  const name = keyName(slot);
  const asksFor = KEY_BY_SLOT[slot]?.asksFor;
  const missing = (why: string): Refusal =>
    refuse(rule, `${name} is missing: the kernel requires it for ${why}, even if only as ${name}`);
  switch (asksFor?.key) {
    case "icmpv6": {
      const refusal = missing(`icmpv6 type ${asksFor.values.join(" and ")}`);
      return atSlot(refusal, S.SLOT_ICMPV6, level(S.SLOT_ICMPV6), "type");
    }
    case "proto": {
      const network = lowestSlot(HEADER_WORD, networkSlots(headers.etherType));
      const refusal = missing(`proto ${headers.ipProto}, unless frag=later`);
      return atSlot(refusal, network, level(network), "proto");
    }
    default: {
      const refusal = missing(`eth_type ${F.etherTypeText(headers.etherType)}`);
      return atSlot(refusal, S.SLOT_ETHERTYPE, level(S.SLOT_ETHERTYPE));
    }
  }
}

function refuseMask(key: KeySpec, headers: Headers, required: number): Refusal {
  const { asksFor } = key;
  const name = `${key.name}()`;
  const type = F.etherTypeText(headers.etherType);
  if (key.slot === S.SLOT_CT_TUPLE6 && isNd(required))
    return refuse("mask.ct_tuple6", "ct_tuple6() and nd() cannot be matched together");
  if (key.layer === "metadata") {
    const wanted = asksFor?.values.map(F.etherTypeText).join(" or ");
    return refuse("mask.ct_tuple", `${name} needs eth_type(${wanted}), matched exactly`);
  }
  if ((required & slotBit(key.slot)) === 0) {
    const packet = `a packet of eth_type ${type} and proto ${headers.ipProto}`;
    return refuse("mask.unexpected", `${name} is matched, but does not belong to ${packet}`);
  }
  if (asksFor?.key === "icmpv6")
    return refuse("mask.nd", "nd() is matched, so the icmpv6 type must be matched exactly");
  return (TRANSPORT_SLOTS & slotBit(key.slot)) !== 0
    ? refuse("mask.proto", `${name} is matched, so proto must be matched exactly`)
    : refuse("mask.eth_type", `${name} is matched, so eth_type must be matched exactly`);
}
