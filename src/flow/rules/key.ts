import { ETH_P_IP, ETH_P_IPV6, OVS_FRAG_TYPE_LATER } from "../../uapi/packet.ts";
import { isNdType, networkSlots, transportSlots } from "../key/called-for.ts";
import type { KeyRecord } from "../key/record.ts";
import { keyOffset, maskOffset } from "../key/record.ts";
import * as S from "../key/slots.ts";
import { KEY_BY_SLOT } from "../key/table.ts";
import { isZero } from "../bytes.ts";
import { be16At, u32At } from "../bytes.ts";
import * as F from "./facts.ts";
import type { KernelFeatures } from "./features.ts";
import {
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
import { EXTHDRS, FEATURE, type Lacking } from "./lacking.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { checkTunnel } from "./tunnel.ts";

/** Bits of ct_state that the kernel knows (`CT_SUPPORTED_MASK`). */
const CT_STATE_KNOWN = 0xff;
const NSH_M_TYPE1 = 1;
const NSH_CONTEXT = 8;
const NSH_CONTEXT_SIZE = 16;

/** Attributes whose mask the kernel takes only where the key's type or protocol asks for them. */
const GUARDED: readonly number[] = [
  S.SLOT_IPV4,
  S.SLOT_CT_TUPLE4,
  S.SLOT_IPV6,
  S.SLOT_CT_TUPLE6,
  S.SLOT_TCP,
  S.SLOT_TCP_FLAGS,
  S.SLOT_UDP,
  S.SLOT_SCTP,
  S.SLOT_ICMP,
  S.SLOT_ICMPV6,
  S.SLOT_ARP,
  S.SLOT_ND,
  S.SLOT_MPLS,
  S.SLOT_NSH,
];

/**
 * Whether the kernel takes a key and its mask: `ovs_nla_get_match()` in net/openvswitch/flow_netlink.c.
 * The record is in normal form, as it is sent. `facts` gets what the actions may rely on.
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
    checkMetadata(record, features) ??
    readHeaders(record, headers) ??
    checkValues(record, headers) ??
    checkMatch(record, headers, facts)
  );
}

/** Attributes that no kernel, or not this one, knows. */
function checkKnown(record: KeyRecord, features: KernelFeatures): Refusal | undefined {
  for (let level = 0; level < S.LEVELS; level++) {
    const present = record.present[level]!;
    if (present === 0) continue;
    for (const slot of USERSPACE_SLOTS) {
      if (((present >>> slot) & 1) === 0) continue;
      const text = `${keyName(slot)} is known to OVS's userspace datapath only, to no kernel`;
      return refuse("key.userspace", text);
    }
    if (((present >>> S.SLOT_UNKNOWN) & 1) === 1) return refuseUnknown(record, level, features);
    const exthdrs = KEY_BY_SLOT[S.SLOT_IPV6_EXTHDRS]!;
    if (((present >>> S.SLOT_IPV6_EXTHDRS) & 1) === 1 && features.keyMax < exthdrs.type)
      return refuse(
        "key.unsupported",
        `key${exthdrs.type}(): this kernel has no ${EXTHDRS.feature}`,
        EXTHDRS,
      );
  }
  return undefined;
}

const USERSPACE_SLOTS: readonly number[] = [S.SLOT_PACKET_TYPE, S.SLOT_ND_EXTENSIONS];

function refuseUnknown(record: KeyRecord, level: number, features: KernelFeatures): Refusal {
  const type = record.unknown.find((one) => one.level === level)?.type ?? 0;
  const text = `key${type}(): the kernel knows no such key, or not of this length (its last is ${features.keyMax})`;
  return refuse("key.unknown", text);
}

/** `metadata_from_nlattrs()`. */
function checkMetadata(record: KeyRecord, features: KernelFeatures): Refusal | undefined {
  // Metadata stands inside encap() too where somebody puts it there: the kernel does not mind.
  for (let level = 0; level < S.LEVELS; level++) {
    const present = record.present[level]!;
    if ((present & METADATA_BITS) === 0) continue;
    if (record.has(level, S.SLOT_IN_PORT)) {
      const port = u32At(record.bytes, keyOffset(level, S.SLOT_IN_PORT));
      if (port >= F.DP_MAX_PORTS && port !== 0xffff_ffff) {
        const text = `in_port(${port}): ports are below ${F.DP_MAX_PORTS}`;
        return refuse("key.in_port", text);
      }
    }
    const refusal = checkCtKeys(record, level, features);
    if (refusal !== undefined) return refusal;
    if (record.has(level, S.SLOT_TUNNEL)) {
      const tunnel = checkTunnel(record);
      if (tunnel !== undefined) return tunnel;
    }
  }
  return undefined;
}

const METADATA_BITS =
  (1 << S.SLOT_IN_PORT) |
  (1 << S.SLOT_TUNNEL) |
  (1 << S.SLOT_CT_STATE) |
  (1 << S.SLOT_CT_ZONE) |
  (1 << S.SLOT_CT_MARK) |
  (1 << S.SLOT_CT_LABELS);

/** `ovs_ct_verify()`, and the bits of ct_state. */
function checkCtKeys(
  record: KeyRecord,
  level: number,
  features: KernelFeatures,
): Refusal | undefined {
  if (record.has(level, S.SLOT_CT_STATE)) {
    if (!features.ct) return refuseCt("ct_state", FEATURE.ct);
    const key = u32At(record.bytes, keyOffset(level, S.SLOT_CT_STATE));
    const mask = u32At(record.bytes, maskOffset(level, S.SLOT_CT_STATE));
    if (((key | mask) & ~CT_STATE_KNOWN) !== 0)
      return refuse(
        "key.ct_state",
        "ct_state(): the kernel knows the bits 0xff, in value and mask",
      );
  }
  if (record.has(level, S.SLOT_CT_ZONE) && !(features.ct && features.ctZones))
    return refuseCt("ct_zone", FEATURE.ctZones);
  if (record.has(level, S.SLOT_CT_MARK) && !(features.ct && features.ctMark))
    return refuseCt("ct_mark", FEATURE.ctMark);
  if (record.has(level, S.SLOT_CT_LABELS) && !(features.ct && features.ctLabels))
    return refuseCt("ct_label", FEATURE.ctLabels);
  return undefined;
}

function refuseCt(name: string, lacking: Lacking): Refusal {
  const text = `${name}(): this kernel was built without ${lacking.feature}`;
  return refuse("key.unsupported", text, lacking);
}

/** Values that the kernel looks at one by one: `ovs_key_from_nlattrs()`. */
function checkValues(record: KeyRecord, headers: Headers): Refusal | undefined {
  if (
    hasKey(headers, S.SLOT_IPV4) &&
    keyByte(record, headers, S.SLOT_IPV4, 11) > OVS_FRAG_TYPE_LATER
  )
    return refuse("key.frag", "ipv4(frag=…) is no, first or later");
  if (hasKey(headers, S.SLOT_IPV6)) {
    if (keyByte(record, headers, S.SLOT_IPV6, 39) > OVS_FRAG_TYPE_LATER)
      return refuse("key.frag", "ipv6(frag=…) is no, first or later");
    const label = keyOffset(headers.level[S.SLOT_IPV6]!, S.SLOT_IPV6) + 32;
    if ((be16At(record.bytes, label) & 0xfff0) !== 0)
      return refuse("key.label", "ipv6(label=…) has 20 bits");
  }
  if (hasKey(headers, S.SLOT_ARP) && keyByte(record, headers, S.SLOT_ARP, 8) !== 0)
    return refuse("key.arp", "arp(op=…) is below 256");
  if (hasKey(headers, S.SLOT_MPLS) && record.mplsEntries[headers.level[S.SLOT_MPLS]!] === 0)
    return refuse(
      "key.mpls",
      "mpls() has one label at least: no flow matches a packet that ends before it",
    );
  if (hasKey(headers, S.SLOT_NSH) && keyByte(record, headers, S.SLOT_NSH, 2) !== NSH_M_TYPE1) {
    const context = keyOffset(headers.level[S.SLOT_NSH]!, S.SLOT_NSH) + NSH_CONTEXT;
    if (!isZero(record.bytes, context, NSH_CONTEXT_SIZE))
      return refuse("key.nsh", "nsh(c1=…) to c4 are of mdtype=1: the kernel wants both");
  }
  return undefined;
}

/** `match_validate()`: what must be there, and what may be matched. */
function checkMatch(record: KeyRecord, headers: Headers, facts: F.MatchFacts): Refusal | undefined {
  const type = headers.etherType;
  const expected = networkSlots(type);
  const transport = transportOf(headers);
  const nd = isNd(record, headers, transport);
  const missing = (expected | transport | (nd ? 1 << S.SLOT_ND : 0)) & ~headers.keys;
  if (missing !== 0) return refuseMissing(headers, missing);

  let allowed = 0;
  if (headers.etherTypeExact) {
    allowed = expected;
    if (type === ETH_P_IP) allowed |= 1 << S.SLOT_CT_TUPLE4;
    if (type === ETH_P_IPV6 && !nd) allowed |= 1 << S.SLOT_CT_TUPLE6;
  }
  if (headers.ipProtoMask === 0xff) allowed |= transport;
  if (nd && maskByte(record, headers, S.SLOT_ICMPV6, 0) === 0xff) allowed |= 1 << S.SLOT_ND;
  for (const slot of GUARDED) {
    if (hasMask(headers, slot) && ((allowed >>> slot) & 1) === 0)
      return refuseMask(headers, slot, expected | transport, nd);
  }
  readFacts(record, headers, facts);
  return undefined;
}

/** The headers of the transport that the protocol asks for. */
function transportOf(headers: Headers): number {
  const network = 31 - Math.clz32(networkSlots(headers.etherType));
  if (network !== S.SLOT_IPV4 && network !== S.SLOT_IPV6) return 0;
  if (!hasKey(headers, network) || headers.ipFrag === OVS_FRAG_TYPE_LATER) return 0;
  return transportSlots(network, headers.ipProto);
}

/** Neighbour discovery: ICMPv6 of type 135 or 136. */
function isNd(record: KeyRecord, headers: Headers, transport: number): boolean {
  if (((transport >>> S.SLOT_ICMPV6) & 1) === 0 || !hasKey(headers, S.SLOT_ICMPV6)) return false;
  return isNdType(keyByte(record, headers, S.SLOT_ICMPV6, 0));
}

function refuseMissing(headers: Headers, missing: number): Refusal {
  const slot = 31 - Math.clz32(missing & -missing);
  const type = F.etherTypeText(headers.etherType);
  if (slot === S.SLOT_TCP_FLAGS)
    return refuse(
      "key.missing",
      "tcp needs tcp_flags() as well: the kernel wants both for proto 6, even if only as tcp_flags(0/0)",
    );
  if (slot === S.SLOT_ND)
    return refuse(
      "key.missing",
      "nd() is missing: the kernel wants it for icmpv6 type 135 and 136, even if only as nd()",
    );
  const why = TRANSPORT.has(slot)
    ? `proto ${headers.ipProto}, unless frag=later`
    : `eth_type ${type}`;
  const text = `${keyName(slot)} is missing: the kernel wants it for ${why}, even if only as ${keyName(slot)}`;
  return refuse("key.missing", text);
}

const TRANSPORT: ReadonlySet<number> = new Set([
  S.SLOT_TCP,
  S.SLOT_UDP,
  S.SLOT_SCTP,
  S.SLOT_ICMP,
  S.SLOT_ICMPV6,
]);

function refuseMask(headers: Headers, slot: number, expected: number, nd: boolean): Refusal {
  const name = keyName(slot);
  const type = F.etherTypeText(headers.etherType);
  if (slot === S.SLOT_CT_TUPLE6 && nd)
    return refuse("mask.ct_tuple6", "ct_tuple6() and nd() cannot be matched together");
  if (slot === S.SLOT_ND && nd)
    return refuse("mask.nd", "nd() is matched, so the icmpv6 type must be matched exactly");
  if (slot === S.SLOT_CT_TUPLE4 || slot === S.SLOT_CT_TUPLE6) {
    const wanted = slot === S.SLOT_CT_TUPLE4 ? "0x0800" : "0x86dd";
    return refuse("mask.ct_tuple", `${name} needs eth_type(${wanted}), matched exactly`);
  }
  if (((expected >>> slot) & 1) === 0) {
    const packet = `a packet of eth_type ${type} and proto ${headers.ipProto}`;
    return refuse("mask.unexpected", `${name} is matched, but does not belong to ${packet}`);
  }
  if (TRANSPORT.has(slot) || slot === S.SLOT_TCP_FLAGS)
    return refuse("mask.proto", `${name} is matched, so proto must be matched exactly`);
  return refuse("mask.eth_type", `${name} is matched, so eth_type must be matched exactly`);
}
