import * as uapi from "../../uapi/openvswitch.ts";
import { be16, be32, be64, type Field, flagBits, ipv4, ipv6, u32, u8 } from "../text/field.ts";

/**
 * Where the parts of a tunnel are in the slot TUNNEL. The kernel's form is a nest of attributes. In
 * a record each part has a fixed place, and the u32 at {@link TUNNEL_PRESENT} (key half) has a bit
 * for each present part.
 */
export const TUNNEL_PRESENT = 0;
/** Bytes of Geneve options, a u16 in the key half. */
export const TUNNEL_OPTIONS_LENGTH = 4;
/** Where the fields begin; the bytes before are the record's own. */
export const TUNNEL_FIELDS_START = 8;
export const TUNNEL_FLAGS = 62;
export const TUNNEL_GBP = 64;
const TUNNEL_GTPU = 68;
export const TUNNEL_OPTIONS = 72;
export const TUNNEL_SIZE = 328;

// Bits of TUNNEL_PRESENT, in the order in which the parts are printed.
export const TUNNEL_HAS_ID = 1;
export const TUNNEL_HAS_SRC = 2;
export const TUNNEL_HAS_DST = 4;
export const TUNNEL_HAS_SRC6 = 8;
export const TUNNEL_HAS_DST6 = 16;
export const TUNNEL_HAS_TOS = 32;
export const TUNNEL_HAS_TTL = 64;
export const TUNNEL_HAS_TP_SRC = 128;
export const TUNNEL_HAS_TP_DST = 256;
export const TUNNEL_HAS_GENEVE = 512;
export const TUNNEL_HAS_VXLAN = 1024;
export const TUNNEL_HAS_ERSPAN = 2048;
export const TUNNEL_HAS_GTPU = 4096;
export const TUNNEL_HAS_FLAGS = 8192;
/**
 * In a key that is not in normal form: flags() has no mask, so the absence of `key` does not mean
 * `-key`.
 */
export const TUNNEL_PLAIN_FLAGS = 16384;

/** All kinds of options; a tunnel has at most one. */
export const TUNNEL_HAS_OPTIONS: number =
  TUNNEL_HAS_GENEVE | TUNNEL_HAS_VXLAN | TUNNEL_HAS_ERSPAN | TUNNEL_HAS_GTPU;

// Bits of flags().
export const TUNNEL_F_OAM = 1;
export const TUNNEL_F_DF = 2;
export const TUNNEL_F_CSUM = 4;
/** There is a tunnel id; the flag follows from tun_id. */
export const TUNNEL_F_KEY = 8;
/** The attribute IPV4_INFO_BRIDGE, which OVS neither reads nor prints. */
export const TUNNEL_F_BRIDGE = 16;
/** The bits that flags() without a mask matches (`FLOW_TNL_F_MASK` of OVS). */
export const TUNNEL_F_FULL = 15;

/** The fields `name=value`: field i has the presence bit `1 << i`. */
export const TUNNEL_FIELDS: readonly Field[] = [
  be64("tun_id", 8),
  ipv4("src", 16),
  ipv4("dst", 20),
  ipv6("ipv6_src", 24),
  ipv6("ipv6_dst", 40),
  u8("tos", 60, { radix: "hex" }),
  u8("ttl", 61),
  be16("tp_src", 56),
  be16("tp_dst", 58),
];

/** The attribute type in the TUNNEL nest of each of TUNNEL_FIELDS. */
export const TUNNEL_FIELD_TYPES: readonly number[] = [
  uapi.OVS_TUNNEL_KEY_ATTR_ID,
  uapi.OVS_TUNNEL_KEY_ATTR_IPV4_SRC,
  uapi.OVS_TUNNEL_KEY_ATTR_IPV4_DST,
  uapi.OVS_TUNNEL_KEY_ATTR_IPV6_SRC,
  uapi.OVS_TUNNEL_KEY_ATTR_IPV6_DST,
  uapi.OVS_TUNNEL_KEY_ATTR_TOS,
  uapi.OVS_TUNNEL_KEY_ATTR_TTL,
  uapi.OVS_TUNNEL_KEY_ATTR_TP_SRC,
  uapi.OVS_TUNNEL_KEY_ATTR_TP_DST,
];

/** The attribute type of each flag that has one. */
export const TUNNEL_FLAG_TYPES: readonly (readonly [flag: number, type: number])[] = [
  [TUNNEL_F_DF, uapi.OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT],
  [TUNNEL_F_CSUM, uapi.OVS_TUNNEL_KEY_ATTR_CSUM],
  [TUNNEL_F_OAM, uapi.OVS_TUNNEL_KEY_ATTR_OAM],
  [TUNNEL_F_BRIDGE, uapi.OVS_TUNNEL_KEY_ATTR_IPV4_INFO_BRIDGE],
];

export const TUNNEL_FLAGS_FIELD: Field = flagBits(
  "flags",
  TUNNEL_FLAGS,
  1,
  true,
  ["oam", "df", "csum", "key", "bridge"],
  { full: TUNNEL_F_FULL },
);

/** `vxlan(gbp(…))`: the u32 of the group policy extension is flags, then id. */
export const VXLAN_GBP_FIELDS: readonly Field[] = [
  u32("id", TUNNEL_GBP, { bits: 16 }),
  u32("flags", TUNNEL_GBP, { shift: 16, bits: 8, radix: "hex" }),
];

/** `gtpu(…)`, which only OVS's userspace datapath has. */
export const GTPU_FIELDS: readonly Field[] = [
  u8("flags", TUNNEL_GTPU, { radix: "hex" }),
  u8("msgtype", TUNNEL_GTPU + 1),
];

/**
 * `struct erspan_metadata` of linux/erspan.h: a version, then an index (1) or a header (2). OVS has
 * words for the first of {@link ERSPAN_FIELDS_1} and the first two of {@link ERSPAN_FIELDS_2}. Text
 * that does not name the other fields matches them as zero.
 */
export const ERSPAN_SIZE = 12;
export const ERSPAN_VERSION: Field = u32("ver", TUNNEL_OPTIONS);
export const ERSPAN_FIELDS_1: readonly Field[] = [
  be32("idx", TUNNEL_OPTIONS + 4, { radix: "hex" }),
  be32("rest", TUNNEL_OPTIONS + 8, { radix: "hex" }),
];
export const ERSPAN_FIELDS_2: readonly Field[] = [
  u8("dir", TUNNEL_OPTIONS + 11, { shift: 3, bits: 1 }),
  u8("hwid", TUNNEL_OPTIONS + 11, { shift: 4, bits: 4, radix: "hex" }),
  // hwid has six bits on the wire, but OVS reads and prints only the lower four.
  u8("hwid_upper", TUNNEL_OPTIONS + 10, { bits: 2 }),
  be32("timestamp", TUNNEL_OPTIONS + 4, { radix: "hex" }),
  be16("sgt", TUNNEL_OPTIONS + 8, { radix: "hex" }),
  u8("p", TUNNEL_OPTIONS + 10, { shift: 7, bits: 1 }),
  u8("ft", TUNNEL_OPTIONS + 10, { shift: 2, bits: 5, radix: "hex" }),
  u8("gra", TUNNEL_OPTIONS + 11, { shift: 1, bits: 2 }),
  u8("o", TUNNEL_OPTIONS + 11, { bits: 1 }),
];

/** The fields of a version. */
export function erspanFields(version: number): readonly Field[] {
  return version === 2 ? ERSPAN_FIELDS_2 : ERSPAN_FIELDS_1;
}

/** The fields of a version that OVS has words for. */
export function erspanNamed(version: number): readonly Field[] {
  return version === 2 ? ERSPAN_NAMED_2 : ERSPAN_NAMED_1;
}

const ERSPAN_NAMED_1: readonly Field[] = ERSPAN_FIELDS_1.slice(0, 1);
const ERSPAN_NAMED_2: readonly Field[] = ERSPAN_FIELDS_2.slice(0, 2);
