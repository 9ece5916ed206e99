import * as uapi from "../../uapi/openvswitch.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { attributeLength, attributeType, nextAttribute } from "../action/attributes.ts";
import { isZero, u32At } from "../bytes.ts";
import { TUNNEL_OPTIONS_MAX } from "../key/levels.ts";
import { keyOffset, type KeyRecord } from "../key/record.ts";
import { SLOT_TUNNEL } from "../key/slots.ts";
import * as T from "../key/tunnel-fields.ts";
import { type Refusal, refuse } from "./refusal.ts";

// The kernel's rules for tunnels, in keys and in set().

const RULE = "tunnel";

/** The attributes that hold options. A tunnel has at most one; their length varies. */
const OPTIONS: readonly number[] = [
  uapi.OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS,
  uapi.OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS,
  uapi.OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS,
];

/** The size of tables by the type of a tunnel's attribute. */
const TYPES = 32;

/**
 * Bytes of each attribute of a tunnel (`ovs_tunnel_key_lens`); -1 if it varies, -2 for unknown
 * types.
 */
const LENGTHS: Int32Array = lengths();

/** What `ip_tun_from_nlattr()` looks at, from a record or from netlink. One object is reused. */
type TunnelFacts = {
  ipv4: boolean;
  ipv6: boolean;
  destination: boolean;
  ttl: boolean;
  bridge: boolean;
  /** Whether the tunnel has a part that excludes IPV4_INFO_BRIDGE. */
  beyondBridge: boolean;
};

const FACTS: TunnelFacts = {
  ipv4: false,
  ipv6: false,
  destination: false,
  ttl: false,
  bridge: false,
  beyondBridge: false,
};

/** Checks the tunnel() of a key, in normal form. */
export function checkTunnel(record: KeyRecord): Refusal | undefined {
  const base = keyOffset(0, SLOT_TUNNEL);
  const bytes = record.bytes;
  const present = u32At(bytes, base + T.TUNNEL_PRESENT);
  if ((present & T.TUNNEL_HAS_GTPU) !== 0)
    return refuse(
      "key.userspace",
      "gtpu() is known to OVS's userspace datapath only, to no kernel",
    );
  const flags = bytes[base + T.TUNNEL_FLAGS]!;
  FACTS.bridge = (flags & T.TUNNEL_F_BRIDGE) !== 0;
  FACTS.ipv4 = FACTS.bridge || isSent(bytes, base, present, 1) || isSent(bytes, base, present, 2);
  FACTS.ipv6 = isSent(bytes, base, present, 3) || isSent(bytes, base, present, 4);
  FACTS.destination =
    isSent(bytes, base, present, 2) || (FACTS.ipv6 && isSent(bytes, base, present, 4));
  FACTS.ttl = (present & T.TUNNEL_HAS_TTL) !== 0;
  FACTS.beyondBridge = (flags & ~T.TUNNEL_F_BRIDGE & ~T.TUNNEL_F_KEY) !== 0;
  for (let index = 1; index < T.TUNNEL_FIELDS.length; index++)
    if (isSent(bytes, base, present, index)) FACTS.beyondBridge = true;
  if ((present & T.TUNNEL_HAS_OPTIONS) !== 0) FACTS.beyondBridge = true;
  const options = bytes[base + T.TUNNEL_OPTIONS_LENGTH]!;
  if ((present & T.TUNNEL_HAS_GENEVE) !== 0 && (options & 3) !== 0)
    return refuse(RULE, "tunnel(geneve(…)): options have a multiple of 4 bytes");
  return checkFacts();
}

/** Whether one of TUNNEL_FIELDS is sent: zero is not. */
function isSent(bytes: Uint8Array, base: number, present: number, index: number): boolean {
  const field = T.TUNNEL_FIELDS[index]!;
  if (((present >>> index) & 1) === 0) return false;
  return !isZero(bytes, base + field.offset, field.size);
}

function checkFacts(): Refusal | undefined {
  if (FACTS.ipv4 && FACTS.ipv6)
    return refuse(RULE, "tunnel(): src and dst, or ipv6_src and ipv6_dst, not both");
  if (!FACTS.ipv4 && !FACTS.ipv6) return refuse(RULE, "tunnel() needs dst= or ipv6_dst=, not 0");
  if (FACTS.bridge) {
    if (!FACTS.beyondBridge) return undefined;
    return refuse(RULE, "tunnel(flags(bridge)) goes with tun_id alone");
  }
  if (!FACTS.destination) return refuse(RULE, "tunnel(): dst or ipv6_dst must not be 0");
  if (!FACTS.ttl) return refuse(RULE, "tunnel() needs ttl=, even if only as ttl=0/0");
  return undefined;
}

/** Checks the payload of set(tunnel(…)): `validate_and_copy_set_tun()`. */
export function checkSetTunnel(bytes: Uint8Array, start: number, end: number): Refusal | undefined {
  FACTS.ipv4 = false;
  FACTS.ipv6 = false;
  FACTS.destination = false;
  FACTS.ttl = false;
  FACTS.bridge = false;
  FACTS.beyondBridge = false;
  let options = 0;
  let at = start;
  while (at < end) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) return refuse(RULE, "set(tunnel(…)): bytes that are not an attribute");
    const type = attributeType(bytes, at);
    const wanted = LENGTHS[type] ?? -2;
    if (wanted === -2 || (wanted >= 0 && wanted !== length - NLA_HEADER))
      return refuse(RULE, `set(tunnel(…)): attribute ${type} is none that the kernel knows`);
    const payload = at + NLA_HEADER;
    if (wanted === -1 && ++options > 1) return refuse(RULE, "set(tunnel(…)): one kind of options");
    const refusal = note(bytes, payload, at + length, type);
    if (refusal !== undefined) return refusal;
    at = nextAttribute(at, length, end);
  }
  return checkFacts();
}

/** Records one attribute in FACTS. The last of a type counts. */
function note(bytes: Uint8Array, at: number, end: number, type: number): Refusal | undefined {
  const zero = isZero(bytes, at, end - at);
  switch (type) {
    case uapi.OVS_TUNNEL_KEY_ATTR_ID:
    case uapi.OVS_TUNNEL_KEY_ATTR_PAD:
      return undefined;
    case uapi.OVS_TUNNEL_KEY_ATTR_IPV4_SRC:
    case uapi.OVS_TUNNEL_KEY_ATTR_IPV4_DST:
      FACTS.ipv4 = true;
      if (type === uapi.OVS_TUNNEL_KEY_ATTR_IPV4_DST) FACTS.destination = !zero;
      break;
    case uapi.OVS_TUNNEL_KEY_ATTR_IPV6_SRC:
    case uapi.OVS_TUNNEL_KEY_ATTR_IPV6_DST:
      FACTS.ipv6 = true;
      if (type === uapi.OVS_TUNNEL_KEY_ATTR_IPV6_DST) FACTS.destination = !zero;
      break;
    case uapi.OVS_TUNNEL_KEY_ATTR_IPV4_INFO_BRIDGE:
      FACTS.bridge = true;
      FACTS.ipv4 = true;
      return undefined;
    case uapi.OVS_TUNNEL_KEY_ATTR_TTL:
      FACTS.ttl = true;
      break;
    case uapi.OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS:
      FACTS.beyondBridge = true;
      return checkGeneve(bytes, at, end);
    case uapi.OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS:
      FACTS.beyondBridge = true;
      return checkVxlan(bytes, at, end);
    case uapi.OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS:
      FACTS.beyondBridge = true;
      if (end - at <= TUNNEL_OPTIONS_MAX) return undefined;
      return refuse(RULE, `set(tunnel(…)): options have at most ${TUNNEL_OPTIONS_MAX} bytes`);
    default:
      // A present flag, or a number other than 0.
      if (LENGTHS[type] === 0) FACTS.beyondBridge = true;
  }
  if (!zero) FACTS.beyondBridge = true;
  return undefined;
}

/** `genev_tun_opt_from_nlattr()` and `validate_geneve_opts()`: whole options, one after another. */
function checkGeneve(bytes: Uint8Array, start: number, end: number): Refusal | undefined {
  const length = end - start;
  if (length > TUNNEL_OPTIONS_MAX || (length & 3) !== 0)
    return refuse(RULE, "set(tunnel(geneve(…))): at most 255 bytes, and a multiple of 4");
  for (let at = start; at < end;) {
    const size = end - at < 4 ? length + 1 : 4 + (bytes[at + 3]! & 0x1f) * 4;
    if (at + size > end) return refuse(RULE, "set(tunnel(geneve(…))): an option is cut short");
    at += size;
  }
  return undefined;
}

function checkVxlan(bytes: Uint8Array, start: number, end: number): Refusal | undefined {
  for (let at = start; at < end;) {
    const length = attributeLength(bytes, at, end);
    if (length !== NLA_HEADER + 4 || attributeType(bytes, at) !== uapi.OVS_VXLAN_EXT_GBP)
      return refuse(RULE, "set(tunnel(vxlan(…))) holds gbp()");
    at = nextAttribute(at, length, end);
  }
  return undefined;
}

function lengths(): Int32Array {
  const sizes = new Int32Array(TYPES).fill(-2);
  for (const [index, type] of T.TUNNEL_FIELD_TYPES.entries())
    sizes[type] = T.TUNNEL_FIELDS[index]!.size;
  for (const [, type] of T.TUNNEL_FLAG_TYPES) sizes[type] = 0;
  sizes[uapi.OVS_TUNNEL_KEY_ATTR_PAD] = 0;
  for (const type of OPTIONS) sizes[type] = -1;
  return sizes;
}
