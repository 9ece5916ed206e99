import { AttributeReader } from "../../netlink/attribute-reader.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import * as uapi from "../../uapi/openvswitch.ts";
import { isZero, areOnes } from "../bytes.ts";
import { LEVELS } from "../key/levels.ts";
import { keyOffset, type KeyRecord, maskOffset } from "../key/record.ts";
import * as S from "../key/slots.ts";
import { TYPE_OF_SLOT } from "../key/table.ts";
import { TUNNEL_FIELDS, TUNNEL_FIELD_TYPES } from "../key/tunnel-fields.ts";
import { hashedWords, UFID_SIZE } from "../key/ufid.ts";
import { UUID_LENGTH } from "../text/uuid.ts";
import type { Cursor } from "../text/cursor.ts";
import type { Field } from "../text/field.ts";
import { actionHoles } from "./action-holes.ts";
import { type EncodedLine, type FoundHole, isPlain, keyless, kindOf } from "./found-hole.ts";
import { findValues, type KeyValue } from "./holes.ts";
import * as H from "./hole.ts";
import type { Hole } from "./hole.ts";
import { type HashedWord, Layout } from "./layout.ts";

// Makes the layout of a line: constant bytes, and holes for values.

const EMPTY = new Int32Array(0);

/** Table size of one level's payloads: by attribute type, followed by the tunnel's types. */
const TYPES_MAX = 64;
const TUNNEL_TYPES = LEVELS * TYPES_MAX;

/** The values that may differ between lines of one pattern, in the order of the line. */
export function findHoles(line: EncodedLine, cursor: Cursor): FoundHole[] {
  const values: KeyValue[] = [];
  cursor.reset(line.bytes, line.start, line.end, 1);
  cursor.position = line.keyStart;
  findValues(cursor, 0, values);
  const payloads = new Int32Array(TUNNEL_TYPES + TYPES_MAX).fill(-1);
  findPayloads(line.message, payloads);
  const found: FoundHole[] = [];
  // A shorter UFID is not a hole: it is part of the shape.
  if (line.ufidStart >= 0 && line.ufidEnd - line.ufidStart === UUID_LENGTH) {
    const text = { start: line.ufidStart, end: line.ufidEnd };
    found.push(keyless(line, text, { kind: H.HOLE_UUID, at: NLA_HEADER, size: UFID_SIZE }));
  }
  for (const value of values) {
    const hole = holeOf(value, payloads, line);
    if (hole === undefined) continue;
    const recordAt = keyOffset(value.level, value.slot) + value.offset + value.field.offset;
    found.push({ hole, field: value.field, recordAt });
  }
  for (let i = 0; i < line.statistics.length; i += 2) {
    const [start = 0, end = 0] = line.statistics.subarray(i, i + 2);
    found.push(keyless(line, { start, end }, { kind: H.HOLE_SKIP, at: 0, size: 0 }));
  }
  found.push(...actionHoles(line, cursor));
  return found;
}

/** The layout of a line, with holes in place of its values. */
export function layOut(line: EncodedLine, found: readonly FoundHole[]): Layout {
  // A message begins with its UFID.
  const ofHash = line.ufidStart < 0 && line.message[2] === uapi.OVS_FLOW_ATTR_UFID;
  const { words, count, sources } = hashedWords(line.record);
  const hashed: HashedWord[] = [];
  const message = new Int32Array(line.message.length >> 2);
  const bytes = new Uint8Array(message.buffer);
  bytes.set(line.message);
  for (const value of found) {
    if (value.recordAt >= 0) addWords(hashed, sources, value);
    clearHole(bytes, value.hole);
  }
  return new Layout({
    holes: found.map(({ hole }) => hole),
    message,
    length: line.length,
    hash: ofHash ? words : EMPTY,
    hashCount: count,
    seed: line.seed,
    hashedWords: ofHash ? hashed : [],
  });
}

/** Clears the bits of a hole; the other bits of its bytes are constant. */
function clearHole(bytes: Uint8Array, { kind, at, size, max, shift }: Hole): void {
  if (H.isBits(kind)) H.clearBits(bytes, at, size, max << shift);
}

/** Records the offset of the payload of each attribute of the key, by level and type. */
function findPayloads(message: Uint8Array, payloads: Int32Array): void {
  const reader = new AttributeReader().reset(message, 0, message.length);
  while (reader.next()) {
    if (reader.type !== uapi.OVS_FLOW_ATTR_KEY) continue;
    const { start, length } = reader;
    findLevel(message, start, start + length, 0, payloads);
  }
}

function findLevel(
  message: Uint8Array,
  start: number,
  end: number,
  level: number,
  payloads: Int32Array,
): void {
  const reader = new AttributeReader().reset(message, start, end);
  while (reader.next()) {
    if (reader.type >= TYPES_MAX) continue;
    payloads[level * TYPES_MAX + reader.type] = reader.start;
    const inside = reader.start + reader.length;
    if (reader.type === uapi.OVS_KEY_ATTR_ENCAP && level + 1 < LEVELS) {
      findLevel(message, reader.start, inside, level + 1, payloads);
    } else if (reader.type === uapi.OVS_KEY_ATTR_TUNNEL) {
      const tunnel = new AttributeReader().reset(message, reader.start, inside);
      while (tunnel.next()) payloads[TUNNEL_TYPES + tunnel.type] = tunnel.start;
    }
  }
}

/** The offset of a value's bytes in the message, or -1. */
function placeOf(value: KeyValue, payloads: Int32Array): number {
  const { field, level, slot } = value;
  if (slot === S.SLOT_TUNNEL) {
    const index = TUNNEL_FIELDS.indexOf(field);
    return payloads[TUNNEL_TYPES + TUNNEL_FIELD_TYPES[index]!] ?? -1;
  }
  const payload = payloads[level * TYPES_MAX + TYPE_OF_SLOT[slot]!] ?? -1;
  return payload < 0 ? -1 : payload + value.offset + field.offset;
}

/** The hole for a value, or undefined if it should stay constant text. */
function holeOf(value: KeyValue, payloads: Int32Array, line: EncodedLine): Hole | undefined {
  const { field, level, slot } = value;
  const at = placeOf(value, payloads);
  // A port with a mask has special rules.
  if (at < 0 || (field.kind === "port" && value.masked)) return undefined;
  const kind = kindOf(value);
  if (kind < 0 || !isPlain(line.bytes, value.start, value.end, kind)) return undefined;
  if (slot === S.SLOT_VLAN && decidesTag(value, line.record)) return undefined;
  if (decidesForm(value, line) || hasFreeBits(value, line.record)) return undefined;
  const maskAt = maskOffset(level, slot) + value.offset + field.offset;
  const bytes = line.record.bytes.slice(maskAt, maskAt + field.size);
  const mask = bytes.every((byte) => byte === 0xff) ? undefined : bytes;
  // A masked part of a tunnel may be absent for reasons other than being zero.
  if (slot === S.SLOT_TUNNEL && mask !== undefined) return undefined;
  return {
    kind,
    textStart: value.start - line.start,
    textEnd: value.end - line.start,
    at,
    size: field.size,
    max: field.limit,
    shift: field.shift,
    mask,
    nonzero: isAbsentAsZero(field, slot),
    decimal: false,
  };
}

/**
 * Whether another value could change the form of the key, or of the hashed words: see `normalize`,
 * `writeUfid`.
 */
function decidesForm({ field, level, slot }: KeyValue, line: EncodedLine): boolean {
  const { record, isDump } = line;
  const byType = slot === S.SLOT_ETHERTYPE || slot === S.SLOT_ICMPV6 || field.name === "proto";
  const maskAt = maskOffset(level, slot) + field.offset;
  const isWhole = areOnes(record.bytes, maskAt, field.size);
  if (byType && (isDump || record.headersByType || !isWhole)) return true;
  if (slot === S.SLOT_ETHERTYPE && hasNoTag(record, level)) return true;
  if (slot === S.SLOT_ETHERTYPE && isZero(record.bytes, keyOffset(level, slot), 2)) return true;
  if (field.name !== "proto" || (slot !== S.SLOT_CT_TUPLE4 && slot !== S.SLOT_CT_TUPLE6))
    return false;
  return record.bytes[keyOffset(level, slot) + field.offset] === 0;
}

/**
 * Whether its word has bits outside the mask, which are sent but not hashed; see `settleDecisive`.
 */
function hasFreeBits({ field, level, slot, offset }: KeyValue, record: KeyRecord): boolean {
  if (slot === S.SLOT_TUNNEL) return false;
  const key = keyOffset(level, slot) >> 2;
  const mask = maskOffset(level, slot) >> 2;
  const at = offset + field.offset;
  for (let i = at >> 2; i <= (at + field.size - 1) >> 2; i++)
    if ((record.ints[key + i]! & ~record.ints[mask + i]!) !== 0) return true;
  return false;
}

/** Whether a tag is unmatched, which means no tag after the type of a tag; see `normalize`. */
function hasNoTag(record: KeyRecord, level: number): boolean {
  return record.has(level, S.SLOT_VLAN) && record.isWild(level, S.SLOT_VLAN);
}

/**
 * Whether the field decides if the key has a tag, and of which kind; see `normalize`, `isAnyTag`.
 */
function decidesTag({ field, level }: KeyValue, record: KeyRecord): boolean {
  if (record.isWild(level, S.SLOT_VLAN)) return true;
  return field.name === "cfi" && isZero(record.bytes, keyOffset(level, S.SLOT_ETHERTYPE), 2);
}

/** Whether a value of zero omits an attribute, or a tuple from the hash. */
function isAbsentAsZero(field: Field, slot: number): boolean {
  switch (slot) {
    case S.SLOT_ETHERTYPE:
      return true;
    case S.SLOT_CT_TUPLE4:
    case S.SLOT_CT_TUPLE6:
      return field.name === "proto";
    case S.SLOT_TUNNEL:
      return field.name !== "tun_id" && field.name !== "ttl";
    default:
      return false;
  }
}

/**
 * Adds the hashed words that a hole is part of: an attribute's value is hashed as it is in the
 * message, including padding.
 */
function addWords(words: HashedWord[], sources: Int32Array, found: FoundHole): void {
  const { at, size } = found.hole;
  for (let messageWord = at >> 2; messageWord <= (at + size - 1) >> 2; messageWord++) {
    const hashWord = sources.indexOf(found.recordAt + messageWord * 4 - at);
    if (hashWord < 0 || words.some((word) => word.hashWord === hashWord)) continue;
    words.push({ messageWord, hashWord });
  }
}
