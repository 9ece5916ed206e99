import type { Cursor } from "../text/cursor.ts";
import { parseField } from "../text/field-parse.ts";
import { getField, setField, writeContainer } from "../text/field.ts";
import { FieldSet } from "../text/field-set.ts";
import { parseFlags } from "../text/flags.ts";
import { WordTable } from "../text/words.ts";
import { parseGeneve } from "./geneve.ts";
import { type KeyRecord, keyOffset, maskOffset } from "./record.ts";
import { SLOT_TUNNEL } from "./slots.ts";
import * as T from "./tunnel-fields.ts";
import { CLOSE, COMMA, DASH, EQUALS, OPEN, PLUS, SLASH } from "../text/ascii.ts";

// Reads the inside of `tunnel(…)`.

const FIELDS: FieldSet = new FieldSet(T.TUNNEL_FIELDS);
export const GBP: FieldSet = new FieldSet(T.VXLAN_GBP_FIELDS);
export const GTPU: FieldSet = new FieldSet(T.GTPU_FIELDS);
const ERSPAN: FieldSet = new FieldSet([
  T.ERSPAN_VERSION,
  ...T.ERSPAN_FIELDS_1,
  ...T.ERSPAN_FIELDS_2,
]);

/** The parts with parentheses inside tunnel(). */
const PARTS: WordTable = new WordTable(["geneve", "vxlan", "erspan", "gtpu", "flags"]);
const PART_BITS: readonly number[] = [
  T.TUNNEL_HAS_GENEVE,
  T.TUNNEL_HAS_VXLAN,
  T.TUNNEL_HAS_ERSPAN,
  T.TUNNEL_HAS_GTPU,
  T.TUNNEL_HAS_FLAGS,
];
const ALL_WORDS: WordTable = new WordTable([...FIELDS.words.words, ...PARTS.words]);

/** Reads what is inside `tunnel(…)` into the slot TUNNEL of `record`. */
export function parseTunnel(cursor: Cursor, record: KeyRecord): void {
  if (cursor.peek() === CLOSE) return;
  const { bytes } = record;
  const key = keyOffset(0, SLOT_TUNNEL);
  const mask = maskOffset(0, SLOT_TUNNEL);
  let present = 0;
  do {
    if (cursor.word() === 0) cursor.fail("a tunnel's field");
    const start = cursor.wordStart;
    const index = FIELDS.find(cursor);
    const part = index < 0 ? PARTS.find(cursor) : -1;
    if (index < 0 && part < 0) {
      cursor.fail("a tunnel's field", start, ALL_WORDS.nearest(cursor.wordText()));
    }
    const bit = index >= 0 ? 1 << index : PART_BITS[part]!;
    if ((present & bit) !== 0) cursor.fail("each field once", start);
    if ((bit & T.TUNNEL_HAS_OPTIONS) !== 0 && (present & T.TUNNEL_HAS_OPTIONS) !== 0) {
      cursor.fail("one kind of options", start);
    }
    present |= bit;
    if (index >= 0) {
      cursor.expect(EQUALS, "=");
      parseField(cursor, FIELDS.fields[index]!, bytes, key, mask, undefined);
    } else {
      if (bit === T.TUNNEL_HAS_GTPU) {
        record.userspace.push({ name: "gtpu", kind: "a field", level: 0, at: start });
      }
      cursor.expect(OPEN, "an opening (");
      if (bit === T.TUNNEL_HAS_FLAGS) present |= plainFlags(cursor);
      parsePart(cursor, bit, bytes, key, mask);
      cursor.expect(CLOSE, "a closing )");
    }
  } while (cursor.take(COMMA));
  writeContainer(bytes, key + T.TUNNEL_PRESENT, 4, false, present);
}

/** {@link T.TUNNEL_PLAIN_FLAGS} if flags without signs or a mask are next, otherwise 0. */
function plainFlags(cursor: Cursor): number {
  const { bytes, end } = cursor;
  for (let at = cursor.position; at < end && bytes[at] !== CLOSE; at++) {
    if (bytes[at] === PLUS || bytes[at] === DASH || bytes[at] === SLASH) return 0;
  }
  return T.TUNNEL_PLAIN_FLAGS;
}

function parsePart(
  cursor: Cursor,
  bit: number,
  bytes: Uint8Array,
  key: number,
  mask: number,
): void {
  switch (bit) {
    case T.TUNNEL_HAS_FLAGS:
      parseFlags(cursor, T.TUNNEL_FLAGS_FIELD, bytes, key, mask);
      return;
    case T.TUNNEL_HAS_VXLAN:
      cursor.word();
      if (cursor.wordEnd - cursor.wordStart !== 3 || cursor.wordText() !== "gbp") {
        cursor.fail("gbp(", cursor.wordStart);
      }
      cursor.expect(OPEN, "an opening (");
      if (cursor.peek() !== CLOSE) GBP.parse(cursor, bytes, key, mask, undefined);
      cursor.expect(CLOSE, "a closing )");
      return;
    case T.TUNNEL_HAS_GTPU:
      GTPU.parse(cursor, bytes, key, mask, undefined);
      return;
    case T.TUNNEL_HAS_ERSPAN:
      parseErspan(cursor, bytes, key, mask);
      return;
    default: {
      const length = parseGeneve(cursor, bytes, key + T.TUNNEL_OPTIONS, mask + T.TUNNEL_OPTIONS);
      writeContainer(bytes, key + T.TUNNEL_OPTIONS_LENGTH, 2, false, length);
    }
  }
}

/** `erspan(ver=1,idx=…)` or `erspan(ver=2,dir=…,hwid=…)`: see {@link T.ERSPAN_FIELDS_1}. */
function parseErspan(cursor: Cursor, bytes: Uint8Array, key: number, mask: number): void {
  const start = cursor.position;
  // Like OVS, matches the fields that have no name.
  bytes.fill(0xff, mask + T.TUNNEL_OPTIONS, mask + T.TUNNEL_OPTIONS + T.ERSPAN_SIZE);
  const seen = ERSPAN.parse(cursor, bytes, key, mask, undefined);
  const version = getField(T.ERSPAN_VERSION, bytes, key);
  const fields = T.erspanFields(version);
  const named = T.erspanNamed(version);
  for (const [index, of] of ERSPAN.fields.entries()) {
    const isSeen = ((seen >>> index) & 1) === 1;
    const isOwn = index === 0 || fields.includes(of);
    if (index === 0 ? !isSeen : isSeen && !isOwn) {
      cursor.fail("ver=1 with idx, or ver=2 with dir and hwid", start);
    }
    if (!isSeen && named.includes(of)) setField(of, bytes, mask, 0);
  }
}
