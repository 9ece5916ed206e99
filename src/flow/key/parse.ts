import type { PortNames } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import { parseField, parseHexPair } from "../text/field-parse.ts";
import { type Field, setField } from "../text/field.ts";
import { FieldSet } from "../text/field-set.ts";
import { WordTable } from "../text/words.ts";
import { LEVELS, MPLS_ENTRIES_MAX, SLOT_UNKNOWN } from "./levels.ts";
import { isWellSized, keyOffset, type KeyRecord, maskOffset } from "./record.ts";
import { SLOT_PACKET_TYPE, SLOT_VLAN } from "./slots.ts";
import type { KeySpec } from "./spec.ts";
import { fieldNamed, KEY_BY_SLOT, KEYS, SLOT_OF_TYPE } from "./table.ts";
import { parseTunnel } from "./tunnel-parse.ts";
import { CLOSE, COLON, COMMA, EQUALS, OPEN, SLASH } from "../text/ascii.ts";

// Reads a key from text into a record.

const KEY_WORDS: WordTable = new WordTable(KEYS.map((key) => key.name));

/** The slot of the key whose name `cursor.word()` just found, or -1. */
export function slotOfWord(cursor: Cursor): number {
  return KEYS[KEY_WORDS.find(cursor)]?.slot ?? -1;
}

/** The fields of each key, by slot. */
export const FIELDS_OF_SLOT: readonly (FieldSet | undefined)[] = KEY_BY_SLOT.map(
  (key) => key && new FieldSet(key.fields),
);

const CFI: Field = fieldNamed("vlan", "cfi");

/** The longest payload of an attribute that KEYS does not have: the most that `nla_len` allows. */
const UNKNOWN_MAX = 0xffff - 4;

/**
 * Reads a whole key into `record`, which it clears first: attributes with or without commas between
 * them, up to white space outside parentheses or the end of the line. The record then holds what
 * the text says; `normalize` turns it into what the kernel keeps.
 * @throws FlowSyntaxError; the record then holds the attributes read so far
 */
export function parseKey(cursor: Cursor, record: KeyRecord, ports?: PortNames): void {
  record.clear();
  do {
    parseKeyAttribute(cursor, record, ports);
    while (cursor.take(COMMA));
  } while (!cursor.atBlank());
}

/**
 * As {@link parseKey}, but white space also separates attributes, and the key ends with the line:
 * for a key that is a separate argument.
 */
export function parseWholeKey(cursor: Cursor, record: KeyRecord, ports?: PortNames): void {
  record.clear();
  cursor.skipSeparators();
  do {
    parseKeyAttribute(cursor, record, ports);
    cursor.skipSeparators();
  } while (cursor.position < cursor.end);
}

/**
 * Reads one attribute `name(…)` into `record`, which must not have it yet.
 * @param level 0, or the depth of encap() around it
 * @returns its slot
 */
export function parseKeyAttribute(
  cursor: Cursor,
  record: KeyRecord,
  ports?: PortNames,
  level = 0,
): number {
  const start = cursor.position;
  if (cursor.word() === 0) cursor.fail("a key such as in_port(1)");
  const index = KEY_WORDS.find(cursor);
  if (index < 0) return parseUnknown(cursor, record, level, start);
  const spec = KEYS[index]!;
  if (!cursor.take(OPEN)) failUnopened(cursor, spec);
  if (!record.add(level, spec.slot)) cursor.fail("each key once", start);
  if (spec.where === "userspace") {
    record.userspace.push({ name: spec.name, kind: "a key", level, at: start });
  }
  cursor.enter();
  parsePayload(cursor, record, level, spec, start, ports);
  cursor.leave();
  cursor.expect(CLOSE, EXPECTED_CLOSE);
  return spec.slot;
}

/** Reports a name without a parenthesis; OpenFlow has `in_port=1`, and `tcp` alone. */
function failUnopened(cursor: Cursor, { name }: KeySpec): never {
  const next = cursor.peek();
  const isOpenFlow = next === EQUALS || next === COMMA;
  const hint = isOpenFlow ? ": this is OpenFlow, the language of ovs-ofctl" : "";
  cursor.fail(`an opening (${hint}`, cursor.position, isOpenFlow ? `${name}(…)` : undefined);
}

/** Reports a word that is not a key, and what may have been meant. */
function failUnknown(cursor: Cursor, start: number): never {
  const word = cursor.wordText();
  const next = cursor.peek();
  if (word === "actions" && (next === COLON || next === EQUALS)) {
    cursor.fail("a space before the actions", start);
  }
  const { openFlowKey }: typeof import("../text/openflow.ts") = require("../text/openflow.ts");
  const hint = next === OPEN ? undefined : openFlowKey(word);
  if (hint !== undefined) cursor.fail(hint.expected, start, hint.suggestion);
  cursor.fail("a key that is known", start, KEY_WORDS.nearest(word));
}

const EXPECTED_CLOSE = "a comma or a closing )";

function parsePayload(
  cursor: Cursor,
  record: KeyRecord,
  level: number,
  spec: KeySpec,
  start: number,
  ports: PortNames | undefined,
): void {
  const key = keyOffset(level, spec.slot);
  const mask = maskOffset(level, spec.slot);
  switch (spec.form) {
    case "struct": {
      // The tag is present, and its presence matched, unless cfi says otherwise.
      if (spec.slot === SLOT_VLAN) {
        setField(CFI, record.bytes, key, 1);
        setField(CFI, record.bytes, mask, 1);
      }
      if (cursor.peek() === CLOSE) return;
      const seen = FIELDS_OF_SLOT[spec.slot]!.parse(cursor, record.bytes, key, mask, ports);
      // The number of a packet type has no meaning without its name space.
      if (spec.slot === SLOT_PACKET_TYPE && seen !== 3) cursor.fail("both ns and id", start);
      return;
    }
    case "single":
      parseField(cursor, spec.fields[0]!, record.bytes, key, mask, ports);
      return;
    case "mpls":
      parseMpls(cursor, record, level, spec);
      return;
    case "tunnel":
      if (level > 0) cursor.fail("no tunnel() inside encap()", start);
      parseTunnel(cursor, record);
      return;
    case "encap":
      parseEncap(cursor, record, level, start, ports);
  }
}

function parseEncap(
  cursor: Cursor,
  record: KeyRecord,
  level: number,
  start: number,
  ports: PortNames | undefined,
): void {
  cursor.skipSeparators();
  if (cursor.peek() !== CLOSE && level + 1 >= LEVELS) {
    cursor.fail("no more than two encap() around a key", start);
  }
  while (cursor.peek() !== CLOSE) {
    if (cursor.position >= cursor.end) cursor.fail("a key or a closing )");
    parseKeyAttribute(cursor, record, ports, level + 1);
    cursor.skipSeparators();
  }
}

/** `mpls(label=…,tc=…,ttl=…,bos=…,label=…)`: a repeated field begins the next entry. */
function parseMpls(cursor: Cursor, record: KeyRecord, level: number, spec: KeySpec): void {
  const key = keyOffset(level, spec.slot);
  const mask = maskOffset(level, spec.slot);
  record.mplsEntries[level] = 1;
  if (cursor.peek() === CLOSE) return;
  const set = FIELDS_OF_SLOT[spec.slot]!;
  let entry = 0;
  let seen = 0;
  do {
    cursor.word();
    const index = set.findOrFail(cursor);
    if (((seen >>> index) & 1) === 1) {
      seen = 0;
      if (++entry === MPLS_ENTRIES_MAX) cursor.fail("at most three entries", cursor.wordStart);
    }
    seen |= 1 << index;
    cursor.expect(EQUALS, "=");
    const at = entry * 4;
    parseField(cursor, set.fields[index]!, record.bytes, key + at, mask + at, undefined);
  } while (cursor.take(COMMA));
  record.mplsEntries[level] = entry + 1;
}

/** Reads `keyN(hex/hex)`: an attribute without a name, byte for byte. */
function parseUnknown(cursor: Cursor, record: KeyRecord, level: number, start: number): number {
  const type = unknownType(cursor);
  if (type < 0 || cursor.peek() !== OPEN) {
    failUnknown(cursor, start);
  }
  for (const unknown of record.unknown) {
    if (unknown.level === level && unknown.type === type) cursor.fail("each key once", start);
  }
  cursor.expect(OPEN, "an opening (");
  const key = parseBytes(cursor);
  const mask = cursor.take(SLASH) ? parseBytes(cursor) : new Uint8Array(key.length).fill(0xff);
  if (mask.length !== key.length) cursor.fail("a mask as long as the key");
  // An attribute with a name is read this way only if its length is unusual.
  const known = KEY_BY_SLOT[SLOT_OF_TYPE[type] ?? -1];
  if (known !== undefined && isWellSized(known.slot, key.length)) {
    cursor.fail("the key's name, because it has one", start, known.name);
  }
  cursor.expect(CLOSE, "a byte or a closing )");
  record.unknown.push({ level, type, key, mask });
  record.add(level, SLOT_UNKNOWN);
  return SLOT_UNKNOWN;
}

/** The number in `keyN`, or -1 if the word has another form. */
function unknownType(cursor: Cursor): number {
  const match = /^key(0|[1-9][0-9]{0,4})$/.exec(cursor.wordText());
  const type = Number(match?.[1] ?? -1);
  return type <= 0x3fff ? type : -1;
}

function parseBytes(cursor: Cursor): Uint8Array {
  const values: number[] = [];
  for (let value = parseHexPair(cursor); value >= 0; value = parseHexPair(cursor)) {
    if (values.length === UNKNOWN_MAX) cursor.fail("fewer bytes");
    values.push(value);
  }
  return Uint8Array.from(values);
}
