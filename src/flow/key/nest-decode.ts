import { AttributeReader } from "../../netlink/attribute-reader.ts";
import { copyBytes } from "../bytes.ts";
import {
  OVS_NSH_KEY_ATTR_BASE,
  OVS_NSH_KEY_ATTR_MD1,
  OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS,
  OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS,
  OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS,
} from "../../uapi/openvswitch.ts";
import { readContainer, setFull, writeContainer } from "../text/field.ts";
import { TUNNEL_OPTIONS_MAX } from "./levels.ts";
import { keyOffset, type KeyRecord, maskOffset } from "./record.ts";
import { SLOT_NSH, SLOT_TUNNEL } from "./slots.ts";
import { OVS_VXLAN_EXT_GBP } from "./tunnel-encode.ts";
import * as T from "./tunnel-fields.ts";

// Reads the nested attributes of a key, TUNNEL and NSH, into a record.

const READER: AttributeReader = new AttributeReader();
const INNER: AttributeReader = new AttributeReader();

/** The index in TUNNEL_FIELDS of each attribute type, or -1. */
const FIELD_OF_TYPE: Int8Array = new Int8Array(32).fill(-1);
for (const [index, type] of T.TUNNEL_FIELD_TYPES.entries()) FIELD_OF_TYPE[type] = index;

/** The flag of each attribute type that is a flag, or 0. */
const FLAG_OF_TYPE: Uint8Array = new Uint8Array(32);
for (const [flag, type] of T.TUNNEL_FLAG_TYPES) FLAG_OF_TYPE[type] = flag;

/** An attribute of a key, and its mask. Each level has one object, which is reused. */
export type KeyAttribute = {
  bytes: Uint8Array;
  /** Its payload: `length` bytes at `at`. */
  at: number;
  length: number;
  /** Whether there is no mask, so that every bit is matched. */
  exact: boolean;
  /**
   * The payload of its mask; `maskAt` is negative if the mask lacks it, so that no bit is matched.
   */
  maskAt: number;
  maskLength: number;
  /** The mask of the whole level. */
  maskStart: number;
  maskEnd: number;
};

/**
 * Reads a TUNNEL nest and its mask into the slot.
 * @returns false if the bytes are not such a nest
 */
export function decodeTunnel(
  { bytes, at, length, exact, maskAt, maskLength }: KeyAttribute,
  record: KeyRecord,
): boolean {
  const out = record.bytes;
  const key = keyOffset(0, SLOT_TUNNEL);
  const mask = maskOffset(0, SLOT_TUNNEL);
  let present = decodeHalf(bytes, at, length, out, key, key);
  if (present < 0) return false;
  if (exact) {
    present = fillExact(out, key, mask, present);
  } else if (maskAt >= 0) {
    const masked = decodeHalf(bytes, maskAt, maskLength, out, mask, key);
    if (masked < 0) return false;
    // A mask of the tunnel id without a key means that there is no tunnel id.
    const withoutId = (masked & T.TUNNEL_HAS_ID) !== 0 && (present & T.TUNNEL_HAS_ID) === 0;
    if (withoutId) {
      out[mask + T.TUNNEL_FLAGS] = out[mask + T.TUNNEL_FLAGS]! | T.TUNNEL_F_KEY;
      out.fill(0, mask + T.TUNNEL_FIELDS[0]!.offset, mask + T.TUNNEL_FIELDS[0]!.offset + 8);
    }
    present |= masked & ~(T.TUNNEL_HAS_OPTIONS | (withoutId ? T.TUNNEL_HAS_ID : 0));
  }
  // The kernel does not dump a wildcarded destination, but requires one.
  if ((present & (T.TUNNEL_HAS_DST | T.TUNNEL_HAS_DST6)) === 0) {
    present |= (present & T.TUNNEL_HAS_SRC6) !== 0 ? T.TUNNEL_HAS_DST6 : T.TUNNEL_HAS_DST;
  }
  writeContainer(out, key + T.TUNNEL_PRESENT, 4, false, present);
  return true;
}

/**
 * Reads one nest of a tunnel's attributes into the half at `base`.
 * @returns the presence bits, or -1 if the bytes are not such a nest
 */
function decodeHalf(
  bytes: Uint8Array,
  at: number,
  length: number,
  out: Uint8Array,
  base: number,
  key: number,
): number {
  const isMask = base !== key;
  const reader = READER.reset(bytes, at, at + length);
  let present = 0;
  while (reader.next()) {
    const { type, start, length: size } = reader;
    const field = FIELD_OF_TYPE[type] ?? -1;
    const flag = FLAG_OF_TYPE[type] ?? 0;
    if (field >= 0) {
      const known = T.TUNNEL_FIELDS[field]!;
      if (size !== known.size) return -1;
      present |= 1 << field;
      copyBytes(bytes, start, out, base + known.offset, size);
    } else if (flag !== 0) {
      present |= T.TUNNEL_HAS_FLAGS;
      out[base + T.TUNNEL_FLAGS] = out[base + T.TUNNEL_FLAGS]! | flag;
    } else {
      const options = decodeOptions(bytes, reader, out, base, isMask ? key : -1);
      if (options < 0) return -1;
      present |= options;
    }
  }
  return reader.malformed ? -1 : present;
}

/**
 * Reads the reader's current attribute, which holds options, into the half at `base`.
 * @param key the key half if this is the mask's, otherwise -1
 * @returns the presence bit, 0 for a skipped attribute, -1 for malformed options
 */
function decodeOptions(
  bytes: Uint8Array,
  { type, start, length: size }: AttributeReader,
  out: Uint8Array,
  base: number,
  key: number,
): number {
  switch (type) {
    case OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS: {
      // The kernel requires whole words (`genev_tun_opt_from_nlattr`).
      if (size > TUNNEL_OPTIONS_MAX || (size & 3) !== 0) return -1;
      // The key gives the length of the options, for the mask too.
      const length = key < 0 ? size : readContainer(out, key + T.TUNNEL_OPTIONS_LENGTH, 2, false);
      if (key < 0) writeContainer(out, base + T.TUNNEL_OPTIONS_LENGTH, 2, false, size);
      copyBytes(bytes, start, out, base + T.TUNNEL_OPTIONS, Math.min(size, length));
      return key < 0 || length > 0 ? T.TUNNEL_HAS_GENEVE : 0;
    }
    case OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS: {
      const reader = INNER.reset(bytes, start, start + size);
      while (reader.next()) {
        if (reader.type === OVS_VXLAN_EXT_GBP && reader.length === 4)
          copyBytes(bytes, reader.start, out, base + T.TUNNEL_GBP, 4);
      }
      return reader.malformed ? -1 : T.TUNNEL_HAS_VXLAN;
    }
    case OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS:
      if (size !== T.ERSPAN_SIZE) return -1;
      copyBytes(bytes, start, out, base + T.TUNNEL_OPTIONS, size);
      return T.TUNNEL_HAS_ERSPAN;
    default:
      return 0;
  }
}

/** Without a mask, the kernel matches every field of a tunnel, including those that are zero. */
function fillExact(out: Uint8Array, key: number, mask: number, present: number): number {
  const source = (present & T.TUNNEL_HAS_DST6) === 0 ? T.TUNNEL_HAS_SRC : T.TUNNEL_HAS_SRC6;
  const all = present | source | T.TUNNEL_HAS_TOS | T.TUNNEL_HAS_TP_SRC | T.TUNNEL_HAS_TP_DST;
  for (const [index, of] of T.TUNNEL_FIELDS.entries()) {
    if ((all & (1 << index)) !== 0) setFull(of, out, mask);
  }
  setFull(T.TUNNEL_FLAGS_FIELD, out, mask);
  if ((present & T.TUNNEL_HAS_VXLAN) !== 0)
    out.fill(0xff, mask + T.TUNNEL_GBP, mask + T.TUNNEL_GBP + 3);
  const length = readContainer(out, key + T.TUNNEL_OPTIONS_LENGTH, 2, false);
  const options = (present & T.TUNNEL_HAS_ERSPAN) === 0 ? length : T.ERSPAN_SIZE;
  out.fill(0xff, mask + T.TUNNEL_OPTIONS, mask + T.TUNNEL_OPTIONS + options);
  return all | T.TUNNEL_HAS_FLAGS | T.TUNNEL_PLAIN_FLAGS;
}

/** Reads an NSH nest and its mask into the slot. @returns false if the bytes are not such a nest */
export function decodeNsh(
  { bytes, at, length, exact, maskAt, maskLength }: KeyAttribute,
  record: KeyRecord,
  level: number,
): boolean {
  if (!decodeNshHalf(bytes, at, length, record.bytes, keyOffset(level, SLOT_NSH))) return false;
  if (exact) record.setExact(level, SLOT_NSH);
  else if (maskAt >= 0) {
    return decodeNshHalf(bytes, maskAt, maskLength, record.bytes, maskOffset(level, SLOT_NSH));
  }
  return true;
}

function decodeNshHalf(
  bytes: Uint8Array,
  at: number,
  length: number,
  out: Uint8Array,
  base: number,
): boolean {
  const reader = READER.reset(bytes, at, at + length);
  while (reader.next()) {
    const isBase = reader.type === OVS_NSH_KEY_ATTR_BASE;
    if (!isBase && reader.type !== OVS_NSH_KEY_ATTR_MD1) continue;
    if (reader.length !== (isBase ? 8 : 16)) return false;
    copyBytes(bytes, reader.start, out, isBase ? base : base + 8, reader.length);
  }
  return !reader.malformed;
}
