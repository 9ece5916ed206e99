import { type AttributeWriter, NLA_PAYLOAD_MAX } from "../../netlink/attribute-writer.ts";
import { NLA_TYPE_MASK } from "../../netlink/attribute-reader.ts";
import {
  OVS_ACTION_ATTR_DROP,
  OVS_ACTION_ATTR_OUTPUT,
  OVS_HASH_ALG_L4,
  OVS_HASH_ALG_SYM_L4,
} from "../../uapi/openvswitch.ts";
import { KEYS } from "../key/table.ts";
import type { PortNames } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import type { FieldSet } from "../text/field-set.ts";
import { parsePort, PORT_MAX } from "../text/port.ts";
import { failUserspaceOnly } from "../userspace-only.ts";
import { closeNest, parseNest } from "./nest-parse.ts";
import { parsePushNsh } from "./nsh.ts";
import { parseSet } from "./set.ts";
import { ACTION_OF_WORD, ACTION_WORDS, type ActionSpec, USERSPACE_ACTIONS } from "./table.ts";
import { parseBytes } from "./value.ts";
import { CLOSE, COLON, EQUALS, OPEN } from "../text/ascii.ts";

// Reads a list of actions from text, straight into netlink attributes.

const EXPECTED_ACTION = "an action";
const EXPECTED_SEPARATOR = '"," or the end of the actions';
const EXPECTED_NUMBER = "a number of 32 bits";

/**
 * Reads a list of actions, up to the end of the cursor, and writes their attributes at the writer's
 * position: into an OVS_FLOW_ATTR_ACTIONS nest that the caller has opened. `drop` alone is the
 * empty list, which drops on every kernel.
 *
 * A writer without room is left failed, and the caller rolls back what was written.
 * @throws FlowSyntaxError; UserspaceOnlyError for an action that no kernel knows.
 */
export function parseActions(cursor: Cursor, writer: AttributeWriter, ports?: PortNames): void {
  const start = writer.position;
  const at = cursor.position;
  parseList(cursor, writer, ports, false);
  if (!writer.failed && writer.position - start > NLA_PAYLOAD_MAX)
    cursor.fail("fewer actions: an attribute holds 65,531 bytes", at);
}

/** Reads the actions up to the closing parenthesis, which it does not skip. */
function parseNested(cursor: Cursor, writer: AttributeWriter, ports: PortNames | undefined): void {
  parseList(cursor, writer, ports, true);
}

function parseList(
  cursor: Cursor,
  writer: AttributeWriter,
  ports: PortNames | undefined,
  nested: boolean,
): void {
  cursor.skipSeparators();
  for (let first = true; !atEnd(cursor, nested); first = false) {
    parseAction(cursor, writer, ports, first, nested);
    if (atEnd(cursor, nested)) return;
    const at = cursor.position;
    cursor.skipSeparators();
    // In a nested list, OVS accepts a closing parenthesis as the separator of two actions.
    if (cursor.position === at && !(nested && cursor.bytes[at - 1] === CLOSE))
      cursor.fail(EXPECTED_SEPARATOR);
  }
}

function atEnd(cursor: Cursor, nested: boolean): boolean {
  const next = cursor.peek();
  return next < 0 || (nested && next === CLOSE);
}

function parseAction(
  cursor: Cursor,
  writer: AttributeWriter,
  ports: PortNames | undefined,
  first: boolean,
  nested: boolean,
): void {
  const next = cursor.peek();
  if (next >= 0x30 && next <= 0x39 && ports === undefined) {
    writer.u32(OVS_ACTION_ATTR_OUTPUT, cursor.integer(PORT_MAX, "a port number"));
    return;
  }
  const start = cursor.position;
  const end = cursor.tokenEnd();
  if (cursor.word() === 0 || cursor.position < end) {
    const after = cursor.peek();
    // A port's name may have an equals sign, but no colon.
    const isName = after === EQUALS && ports?.numberOf(cursor.slice(start, end)) !== undefined;
    if (after === COLON || (after === EQUALS && !isName)) failOpenFlow(cursor, start);
    cursor.position = start;
    parseOutput(cursor, writer, ports, end);
    return;
  }
  const index = ACTION_WORDS.find(cursor);
  if (index >= 0) {
    parseKnown(cursor, writer, ACTION_OF_WORD[index]!, ports, first, nested);
    return;
  }
  const word = cursor.wordText();
  if (word.toLowerCase() === "drop") {
    parseDrop(cursor, writer, first, nested);
  } else if (/^action[0-9]+$/.test(word)) {
    parseRaw(cursor, writer, word, start);
  } else if (USERSPACE_ACTIONS.includes(word)) {
    failUserspaceOnly(cursor, word, "an action", start);
  } else {
    const port = ports?.numberOf(word);
    if (port === undefined) failUnknown(cursor, word, start, ports !== undefined);
    writer.u32(OVS_ACTION_ATTR_OUTPUT, port);
  }
}

/** Reports the word just read if it is an action of OpenFlow, as in `output:2` or `NORMAL`. */
function failOpenFlow(cursor: Cursor, start: number): void {
  const { openFlowAction }: typeof import("../text/openflow.ts") = require("../text/openflow.ts");
  const hint = openFlowAction(cursor.wordText());
  if (hint !== undefined) cursor.fail(hint.expected, start, hint.suggestion);
}

function failUnknown(cursor: Cursor, word: string, start: number, named: boolean): never {
  failOpenFlow(cursor, start);
  if (cursor.peek() === OPEN && KEYS.some(({ name }) => name === word)) {
    cursor.fail("actions: the key ends at its first space", start);
  }
  const expected = named ? "an action, or the name of a port of the datapath" : EXPECTED_ACTION;
  cursor.fail(expected, start, ACTION_WORDS.nearest(word));
}

/** Reads a port that is not a plain word: a number, or a name such as `br-int` or `eth0.100`. */
function parseOutput(
  cursor: Cursor,
  writer: AttributeWriter,
  ports: PortNames | undefined,
  end: number,
): void {
  const next = cursor.peek();
  const digit = next >= 0x30 && next <= 0x39;
  if (ports === undefined && !digit) cursor.fail(EXPECTED_ACTION);
  if (cursor.position === end) cursor.fail(EXPECTED_ACTION);
  writer.u32(OVS_ACTION_ATTR_OUTPUT, parsePort(cursor, PORT_MAX, ports));
}

/** Reads what follows the word of an action. */
function parseKnown(
  cursor: Cursor,
  writer: AttributeWriter,
  spec: ActionSpec,
  ports: PortNames | undefined,
  first: boolean,
  nested: boolean,
): void {
  const form = spec.form;
  const start = cursor.position;
  switch (form.kind) {
    case "output":
      parseOutputWord(cursor, writer, ports);
      return;
    case "flag":
      if (cursor.take(OPEN)) cursor.expect(CLOSE, '")"');
      writer.flag(spec.type);
      return;
    case "nest":
      parseNest(cursor, writer, spec.type, form.members, ports, parseNested);
      return;
    case "nsh":
      parsePushNsh(cursor, writer);
      return;
    case "drop":
      parseDrop(cursor, writer, first, nested);
      return;
    default:
      cursor.expect(OPEN, `"(": ${spec.syntax}`);
      if (form.kind === "struct") {
        parseStruct(cursor, writer, spec, form.fields, ports);
      } else if (form.kind === "number") {
        writer.u32(spec.type, cursor.integer(0xffff_ffff, EXPECTED_NUMBER));
      } else if (form.kind === "set") {
        parseSet(cursor, writer, ports);
      } else if (form.kind === "hash") {
        parseHash(cursor, writer, spec.type);
      } else {
        const mark = writer.nest(spec.type);
        cursor.enter();
        parseNested(cursor, writer, ports);
        cursor.leave();
        closeNest(cursor, writer, mark, start);
      }
      cursor.expect(CLOSE, '")"');
  }
}

/** Reads `output(N)`, the long form of a bare port. */
function parseOutputWord(
  cursor: Cursor,
  writer: AttributeWriter,
  ports: PortNames | undefined,
): void {
  cursor.expect(OPEN, '"("');
  writer.u32(OVS_ACTION_ATTR_OUTPUT, parsePort(cursor, PORT_MAX, ports));
  cursor.expect(CLOSE, '")"');
}

function parseStruct(
  cursor: Cursor,
  writer: AttributeWriter,
  spec: ActionSpec,
  fields: FieldSet,
  ports: PortNames | undefined,
): void {
  const at = writer.reserve(spec.type, spec.payload);
  // If there is no room, the text is still read, into bytes that are never used.
  const bytes = at < 0 ? UNWRITTEN : writer.memory.u8;
  const base = at < 0 ? 0 : at;
  bytes.fill(0, base, base + spec.payload);
  fields.parseValues(cursor, bytes, base, ports);
}

/** Reads `l4(B)` or `sym_l4(B)`: `struct ovs_action_hash`. */
function parseHash(cursor: Cursor, writer: AttributeWriter, type: number): void {
  const start = cursor.position;
  cursor.word();
  const word = cursor.wordText();
  if (word !== "l4" && word !== "sym_l4") cursor.fail("l4(N) or sym_l4(N)", start);
  cursor.expect(OPEN, '"("');
  const basis = cursor.integer(0xffff_ffff, EXPECTED_NUMBER);
  cursor.expect(CLOSE, '")"');
  writer.u64(type, word === "l4" ? OVS_HASH_ALG_L4 : OVS_HASH_ALG_SYM_L4, basis);
}

/**
 * Reads what follows `drop`. Alone in its list it means the empty list, otherwise the action DROP
 * with a reason.
 */
function parseDrop(cursor: Cursor, writer: AttributeWriter, first: boolean, nested: boolean): void {
  let reason = 0;
  if (cursor.take(OPEN)) {
    reason = cursor.integer(0xffff_ffff, EXPECTED_NUMBER);
    cursor.expect(CLOSE, '")"');
  } else if (first) {
    const after = cursor.position;
    cursor.skipSeparators();
    if (atEnd(cursor, nested)) return;
    cursor.position = after;
  }
  writer.u32(OVS_ACTION_ATTR_DROP, reason);
}

/** Reads `action26(01 02)`: a raw attribute, for actions that this version does not know. */
function parseRaw(cursor: Cursor, writer: AttributeWriter, word: string, start: number): void {
  const type = Number(word.slice("action".length));
  if (type > NLA_TYPE_MASK) cursor.fail(`an action number up to ${NLA_TYPE_MASK}`, start);
  if (!cursor.take(OPEN)) {
    writer.flag(type);
    return;
  }
  parseBytes(cursor, writer, type, false);
  cursor.expect(CLOSE, "pairs of hexadecimal digits");
}

const UNWRITTEN = new Uint8Array(16);
