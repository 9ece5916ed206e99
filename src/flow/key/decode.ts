import { AttributeReader } from "../../netlink/attribute-reader.ts";
import { copyBytes } from "../bytes.ts";
import { readContainer, writeContainer } from "../text/field.ts";
import { LEVELS, SLOT_UNKNOWN } from "./levels.ts";
import { IN_PORT_WILD } from "./normal-form.ts";
import { isWellSized, keyOffset, type KeyRecord, maskOffset } from "./record.ts";
import {
  SLOT_ENCAP,
  SLOT_ETHERTYPE,
  SLOT_IN_PORT,
  SLOT_MPLS,
  SLOT_NSH,
  SLOT_TUNNEL,
  SLOT_VLAN,
  NO_PORT,
} from "./slots.ts";
import { SIZE_OF_SLOT, SLOT_OF_TYPE, TYPE_OF_SLOT, TYPES } from "./table.ts";
import { decodeNsh, decodeTunnel, type KeyAttribute } from "./nest-decode.ts";

/** The mask offset that means there is no mask: every attribute of the key is exact. */
export const NO_MASK = -1;

/** Attributes that have a meaning in a mask without a key. */
const MASK_ONLY_SLOTS: readonly number[] = [SLOT_ETHERTYPE, SLOT_IN_PORT];

/** The bit in the first byte of a tag that says the tag is present. */
const VLAN_CFI = 0x10;

/** Two readers per level, one for the key's attributes and one for the mask's. */
const READERS: readonly AttributeReader[] = Array.from(
  { length: LEVELS * 2 },
  () => new AttributeReader(),
);

/** One per level, and one for a nest that is too deep. */
const ATTRIBUTES: readonly KeyAttribute[] = Array.from({ length: LEVELS + 1 }, () => ({
  bytes: new Uint8Array(0),
  at: 0,
  length: 0,
  exact: false,
  maskAt: NO_MASK,
  maskLength: 0,
  maskStart: NO_MASK,
  maskEnd: 0,
}));

/** Offset and length of each type's payload in the mask of each level; -1 if absent. */
const MASK_START: Int32Array = new Int32Array(TYPES * LEVELS);
const MASK_LENGTH: Int32Array = new Int32Array(TYPES * LEVELS);

/**
 * Reads a key and its mask, the payloads of OVS_FLOW_ATTR_KEY and OVS_FLOW_ATTR_MASK, into
 * `record`, which it clears first. Attributes without a name are kept byte for byte.
 * @param maskStart {@link NO_MASK} if there is no mask
 * @returns false if the bytes are not a key: not a list of attributes, a duplicate, nested too deep
 */
export function decodeKey(
  bytes: Uint8Array,
  start: number,
  end: number,
  maskStart: number,
  maskEnd: number,
  record: KeyRecord,
): boolean {
  record.clear();
  const attribute = ATTRIBUTES[0]!;
  attribute.bytes = bytes;
  attribute.maskStart = maskStart;
  attribute.maskEnd = maskEnd;
  return decodeLevel(record, 0, start, end, false);
}

/**
 * Reads a level, `start` to `end`; its attribute object holds bytes and mask.
 * @param isOuterMask the mask belongs to the enclosing level, and so does metadata in it
 */
function decodeLevel(
  record: KeyRecord,
  level: number,
  start: number,
  end: number,
  isOuterMask: boolean,
): boolean {
  if (level === LEVELS) return start === end;
  const attribute = ATTRIBUTES[level]!;
  const { bytes, maskStart, maskEnd } = attribute;
  const exact = maskStart === NO_MASK;
  attribute.exact = exact;
  let anyTag = false;
  if (!exact && !indexMask(bytes, maskStart, maskEnd, level)) return false;
  const reader = READERS[level * 2]!.reset(bytes, start, end);
  while (reader.next()) {
    const { type, start: at, length } = reader;
    const known = type < TYPES;
    const maskAt = exact || !known ? NO_MASK : MASK_START[level * TYPES + type]!;
    const maskLength = known ? MASK_LENGTH[level * TYPES + type]! : 0;
    const slot = known ? SLOT_OF_TYPE[type]! : -1;
    if (slot === SLOT_ENCAP) {
      if (!record.add(level, slot)) return false;
      anyTag = !exact && maskLength === 0 && !hasMask(level, SLOT_VLAN) && isTagged(record, level);
      const inner = ATTRIBUTES[level + 1]!;
      inner.bytes = bytes;
      // A mask without the nest applies to what follows the tag.
      inner.maskStart = exact || anyTag ? maskStart : Math.max(maskAt, 0);
      inner.maskEnd = exact || anyTag ? maskEnd : inner.maskStart + maskLength;
      if (!decodeLevel(record, level + 1, at, at + length, anyTag)) return false;
      continue;
    }
    attribute.at = at;
    attribute.length = length;
    attribute.maskAt = maskAt;
    attribute.maskLength = maskLength;
    const isRead =
      slot >= 0 && isWellSized(slot, length)
        ? decodeAttribute(attribute, slot, record, level)
        : decodeUnknown(attribute, type, record, level);
    if (!isRead) return false;
  }
  if (anyTag) matchTag(record, level);
  if (!exact) decodeMaskOnly(bytes, record, level, isOuterMask);
  return !reader.malformed;
}

/** Whether the mask of a level has an attribute. */
function hasMask(level: number, slot: number): boolean {
  return MASK_START[level * TYPES + TYPE_OF_SLOT[slot]!]! >= 0;
}

/** Whether the key has a tag. */
function isTagged(record: KeyRecord, level: number): boolean {
  return (record.bytes[keyOffset(level, SLOT_VLAN)]! & VLAN_CFI) !== 0;
}

/** Matches all of a tag but its type; see {@link isAnyTag}. */
function matchTag(record: KeyRecord, level: number): void {
  const { bytes } = record;
  // What is written of a slot that was not added would stay, for the next key.
  if (record.has(level, SLOT_ETHERTYPE)) {
    writeContainer(bytes, keyOffset(level, SLOT_ETHERTYPE), 2, true, 0);
    writeContainer(bytes, maskOffset(level, SLOT_ETHERTYPE), 2, true, 0xffff);
  }
  writeContainer(bytes, maskOffset(level, SLOT_VLAN), 2, true, 0xffff);
}

/** Notes where each attribute of the mask is. */
function indexMask(bytes: Uint8Array, start: number, end: number, level: number): boolean {
  const base = level * TYPES;
  MASK_START.fill(-1, base, base + TYPES);
  MASK_LENGTH.fill(0, base, base + TYPES);
  const reader = READERS[level * 2 + 1]!.reset(bytes, start, end);
  while (reader.next()) {
    if (reader.type >= TYPES) continue;
    MASK_START[base + reader.type] = reader.start;
    MASK_LENGTH[base + reader.type] = reader.length;
  }
  return !reader.malformed;
}

/** Reads one attribute into its slot. */
function decodeAttribute(
  attribute: KeyAttribute,
  slot: number,
  record: KeyRecord,
  level: number,
): boolean {
  if (!record.add(level, slot)) return false;
  if (slot === SLOT_TUNNEL) {
    return level === 0 && decodeTunnel(attribute, record);
  }
  if (slot === SLOT_NSH) return decodeNsh(attribute, record, level);
  const { bytes, at, length, exact, maskAt, maskLength } = attribute;
  if (slot === SLOT_MPLS) record.mplsEntries[level] = length >> 2;
  copyBytes(bytes, at, record.bytes, keyOffset(level, slot), length);
  if (exact) record.setExact(level, slot);
  else if (maskAt >= 0) {
    copyBytes(bytes, maskAt, record.bytes, maskOffset(level, slot), Math.min(length, maskLength));
  }
  return true;
}

function decodeUnknown(
  { bytes, at, length, exact, maskStart, maskEnd }: KeyAttribute,
  type: number,
  record: KeyRecord,
  level: number,
): boolean {
  if (record.unknown.some((known) => known.level === level && known.type === type)) return false;
  const key = bytes.slice(at, at + length);
  const mask = new Uint8Array(length).fill(exact ? 0xff : 0);
  if (!exact) {
    const reader = READERS[level * 2 + 1]!.reset(bytes, maskStart, maskEnd);
    while (reader.next()) {
      if (reader.type === type)
        copyBytes(bytes, reader.start, mask, 0, Math.min(length, reader.length));
    }
  }
  record.unknown.push({ level, type, key, mask });
  record.add(level, SLOT_UNKNOWN);
  return true;
}

/**
 * Reads masks without a key. A type without a key is that of an 802.2 frame, or any type. A port
 * without a key is no port, unless the kernel's dump says by the mask that any port will do. A
 * tunnel's mask is in every dump of the kernel and means nothing.
 */
function decodeMaskOnly(
  bytes: Uint8Array,
  record: KeyRecord,
  level: number,
  isOuterMask: boolean,
): void {
  for (const slot of MASK_ONLY_SLOTS) {
    if (record.has(level, slot) || (isOuterMask && slot === SLOT_IN_PORT)) continue;
    const type = TYPE_OF_SLOT[slot]!;
    const at = MASK_START[level * TYPES + type]!;
    const size = SIZE_OF_SLOT[slot]!;
    if (at < 0 || MASK_LENGTH[level * TYPES + type] !== size) continue;
    if (slot === SLOT_IN_PORT && readContainer(bytes, at, 4, false) === IN_PORT_WILD) continue;
    record.add(level, slot);
    copyBytes(bytes, at, record.bytes, maskOffset(level, slot), size);
    if (slot === SLOT_IN_PORT) {
      writeContainer(record.bytes, keyOffset(level, slot), 4, false, NO_PORT);
    }
  }
}
