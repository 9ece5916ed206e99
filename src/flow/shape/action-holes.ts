import { AttributeReader } from "../../netlink/attribute-reader.ts";
import * as uapi from "../../uapi/openvswitch.ts";
import { SLOT_VLAN } from "../key/slots.ts";
import { KEY_BY_SLOT } from "../key/table.ts";
import type { ByteRange } from "../parts.ts";
import { CLOSE, COMMA, OPEN } from "../text/ascii.ts";
import type { Cursor } from "../text/cursor.ts";
import { type EncodedLine, type FoundHole, isPlain, keyless, kindOf } from "./found-hole.ts";
import { HOLE_LE32 } from "./hole.ts";
import { findValues, type KeyValue } from "./holes.ts";

// The values in the actions of a line that may differ between lines of one pattern.

const SET = new TextEncoder().encode("set(");

/**
 * The values in a line's actions that may differ between lines of one pattern, in the order of the
 * line: ports and the fields of set(), but not inside other actions.
 */
export function actionHoles(line: EncodedLine, cursor: Cursor): FoundHole[] {
  const found: FoundHole[] = [];
  const places = placesOf(line.message);
  const texts = actionTexts(line.bytes, line.actionsStart, line.actionsEnd);
  const ports = texts.filter(({ start, end }) => isPlain(line.bytes, start, end, HOLE_LE32));
  const sets = texts.filter((text) => isSet(line.bytes, text));
  // Each such port is an OUTPUT and each set() a SET, in order; if the numbers differ, the line has
  // another notation.
  if (ports.length === places.outputs.length) {
    for (const [i, text] of ports.entries()) {
      const at = places.outputs[i] ?? 0;
      found.push(keyless(line, text, { kind: HOLE_LE32, at, size: 4 }));
    }
  }
  if (sets.length === places.sets.length) {
    for (const [i, text] of sets.entries()) {
      found.push(...setHoles(line, text, places.sets[i] ?? 0, cursor));
    }
  }
  return found.toSorted((a, b) => a.hole.textStart - b.hole.textStart);
}

/** The values of a `set(KEY)` whose attribute's payload is at `at`. */
function setHoles(line: EncodedLine, text: ByteRange, at: number, cursor: Cursor): FoundHole[] {
  const values: KeyValue[] = [];
  cursor.reset(line.bytes, text.start + SET.length, text.end, 1);
  findValues(cursor, 0, values);
  const found: FoundHole[] = [];
  for (const value of values) {
    const { field, slot, start, end, masked } = value;
    const kind = kindOf(value);
    if (masked || kind < 0 || !isPlainSlot(slot) || !isPlain(line.bytes, start, end, kind)) {
      continue;
    }
    const { hole } = keyless(line, value, { kind, at: at + field.offset, size: field.size });
    found.push({ hole: { ...hole, max: field.limit }, field, recordAt: -1 });
  }
  return found;
}

/** Whether the fields of a key have the same fixed layout in SET as in a key. */
function isPlainSlot(slot: number): boolean {
  const form = KEY_BY_SLOT[slot]?.form;
  return (form === "single" || form === "struct") && slot !== SLOT_VLAN;
}

/** Lists the values in the set() of the actions between `start` and `end`; the cursor is used. */
export function findSetValues(
  bytes: Uint8Array,
  start: number,
  end: number,
  cursor: Cursor,
  found: KeyValue[],
): void {
  for (const text of actionTexts(bytes, start, end)) {
    if (!isSet(bytes, text)) continue;
    cursor.reset(bytes, text.start + SET.length, text.end, 1);
    findValues(cursor, 0, found);
  }
}

function isSet(bytes: Uint8Array, { start }: ByteRange): boolean {
  return SET.every((byte, i) => bytes[start + i] === byte);
}

/** The range of each action in the text; actions are separated by commas outside parentheses. */
function actionTexts(bytes: Uint8Array, from: number, to: number): ByteRange[] {
  const found: ByteRange[] = [];
  let depth = 0;
  let start = from;
  for (let at = from; at <= to; at++) {
    const byte = at < to ? bytes[at]! : COMMA;
    if (byte === OPEN) depth++;
    else if (byte === CLOSE) depth--;
    if (byte !== COMMA || depth > 0) continue;
    found.push({ start, end: at });
    start = at + 1;
  }
  return found;
}

/**
 * The offsets in the message of the port of each OUTPUT and the value of each SET, except inside
 * other actions.
 */
function placesOf(message: Uint8Array): { outputs: number[]; sets: number[] } {
  const outputs: number[] = [];
  const sets: number[] = [];
  const reader = new AttributeReader().reset(message, 0, message.length);
  while (reader.next()) {
    if (reader.type !== uapi.OVS_FLOW_ATTR_ACTIONS) continue;
    const action = new AttributeReader();
    action.reset(message, reader.start, reader.start + reader.length);
    while (action.next()) {
      if (action.type === uapi.OVS_ACTION_ATTR_OUTPUT) outputs.push(action.start);
      if (
        action.type !== uapi.OVS_ACTION_ATTR_SET &&
        action.type !== uapi.OVS_ACTION_ATTR_SET_MASKED
      )
        continue;
      const key = new AttributeReader().reset(message, action.start, action.start + action.length);
      if (key.next()) sets.push(key.start);
    }
  }
  return { outputs, sets };
}
