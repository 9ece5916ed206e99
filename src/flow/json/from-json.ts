import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { isActionWord, USERSPACE_ACTIONS } from "../action/table.ts";
import type { FlowLineEncoder } from "../line.ts";
import { FlowSyntaxError } from "../text/syntax-error.ts";
import { LineText } from "./line-text.ts";
import { FlowJsonError } from "./error.ts";
import { ACTION_TYPES, KEY_TYPES, RAW_TYPE, type JsonType } from "./json-type.ts";
import { UFID, isCount, VERBS, RAW_ACTION } from "./values.ts";

/** The most levels of a flow, more than text can nest. */
const DEPTH_MAX = 80;
const MEMBERS: readonly string[] = [
  "verb",
  "ufid",
  "key",
  "actions",
  "packets",
  "bytes",
  "used",
  "flags",
];
const ENCODER = new TextEncoder();

/**
 * Turns flows in JSON into the attributes of requests: each becomes a line of text, so that both
 * share one grammar and one set of checks. An error in the line is reported as a path in the JSON.
 */
export class FlowJsonEncoder {
  readonly #encoder: FlowLineEncoder;
  /** The text made from the last flow. */
  readonly text: LineText = new LineText();

  /** @param encoder reads the line; its verb, record and `hasActions` are then those of the flow */
  constructor(encoder: FlowLineEncoder) {
    this.#encoder = encoder;
  }

  /**
   * Appends the attributes of one flow, as `FlowLineEncoder.encode` does.
   * @param json a {@link FlowJson}, not trusted
   * @param line its number in the input, for errors
   * @param raw the line in the input, if it came from one
   * @throws FlowJsonError with the writer rolled back
   */
  encode(json: unknown, line: number, writer: AttributeWriter, raw?: Uint8Array): void {
    const text = this.text.clear(json, line, raw);
    writeFlow(json, text);
    const bytes = ENCODER.encode(text.text);
    try {
      this.#encoder.encode(bytes, 0, bytes.length, line, writer);
    } catch (error) {
      if (!(error instanceof FlowSyntaxError)) throw error;
      const path = text.pathAt(bytes, error.column - 1);
      const { found, expected, suggestion } = error;
      throw new FlowJsonError({ json, raw, path, line, found, expected, suggestion });
    }
  }
}

/** The line of text of a flow in JSON. @throws FlowJsonError */
export function flowJsonToLine(json: unknown, line = 1): string {
  const text = new LineText().clear(json, line);
  writeFlow(json, text);
  return text.text;
}

function writeFlow(json: unknown, text: LineText): void {
  if (!isObject(json)) text.fail("", json, "a flow: an object with key and actions");
  for (const name of Object.keys(json))
    if (!MEMBERS.includes(name))
      text.failName(`.${name}`, name, `one of ${MEMBERS.join(", ")}`, MEMBERS);
  checkStatistics(json, text);
  const { verb, ufid, key, actions } = json;
  if (verb !== undefined) {
    if (typeof verb !== "string" || !VERBS.test(verb))
      text.fail(".verb", verb, "add, modify or delete");
    text.put(".verb", `${verb} `);
  }
  if (ufid !== undefined) {
    if (typeof ufid !== "string" || !UFID.test(ufid))
      text.fail(".ufid", ufid, "a UUID, or 0x and fewer than 16 bytes");
    text.put(".ufid", `ufid:${ufid},`);
  }
  if (!isObject(key)) text.fail(".key", key, "a key: an object of attributes");
  writeKeys(key, ".key", text, 0);
  text.put(".actions", " ");
  if (actions === undefined) return;
  if (!Array.isArray(actions)) text.fail(".actions", actions, "a list of actions");
  writeActions(actions, ".actions", text, 0);
}

/** Statistics are not loaded, but they must look as in a dump. */
function checkStatistics(json: { readonly [name: string]: unknown }, text: LineText): void {
  for (const name of ["packets", "bytes"]) {
    const count = json[name];
    if (count !== undefined && !isCount(count)) text.fail(`.${name}`, count, "a whole number");
  }
  const { used, flags } = json;
  if (used !== undefined && used !== "never" && !(typeof used === "number" && used >= 0))
    text.fail(".used", used, 'seconds, or "never"');
  if (flags !== undefined && typeof flags !== "string") text.fail(".flags", flags, "a string");
}

function writeKeys(
  key: { readonly [name: string]: unknown },
  path: string,
  text: LineText,
  depth: number,
): void {
  let first = true;
  for (const [name, value] of Object.entries(key)) {
    const at = `${path}.${name}`;
    const type = KEY_TYPES.get(name) ?? (/^key[0-9]+$/.test(name) ? RAW_TYPE : undefined);
    if (type === undefined) text.failName(at, name, "a key that is known", KEY_TYPES.keys());
    if (!first) text.put(path, ",");
    first = false;
    text.put(at, `${name}(`);
    writeInside(value, type, at, text, depth + 1);
    text.put(at, ")");
  }
}

function writeActions(
  actions: readonly unknown[],
  path: string,
  text: LineText,
  depth: number,
): void {
  if (depth > DEPTH_MAX) text.fail(path, "a list", "fewer lists in lists");
  // The empty list is written as `drop`.
  if (actions.length === 0) text.put(path, "drop");
  for (const [index, action] of actions.entries()) {
    const at = `${path}[${index}]`;
    const entries = isObject(action) ? Object.entries(action) : [];
    const [entry] = entries;
    if (entry === undefined || entries.length !== 1)
      text.fail(at, action, "an action: an object with one member");
    if (index > 0) text.put(path, ",");
    writeAction(entry[0], entry[1], `${at}.${entry[0]}`, text, depth);
  }
}

function writeAction(
  name: string,
  value: unknown,
  path: string,
  text: LineText,
  depth: number,
): void {
  const raw = RAW_ACTION.test(name);
  const type = ACTION_TYPES.get(name) ?? (raw ? RAW_TYPE : undefined);
  if (type === undefined) {
    // The grammar refuses by name what only user space has, but would take any other word as a
    // port's name.
    if (!USERSPACE_ACTIONS.includes(name))
      text.failName(path, name, "an action that is known", ACTION_TYPES.keys());
    text.put(path, name);
    return;
  }
  // A port with the name of an action needs output().
  if (name === "output" && !(typeof value === "string" && isActionWord(value))) {
    writeInside(value, type, path, text, depth);
    return;
  }
  writeMember(name, value, { type: type, group: type.kind !== "flag" }, path, text, depth);
}

/** `name`, `name=value` or `name(value)`. */
function writeMember(
  name: string,
  value: unknown,
  member: { readonly type: JsonType; readonly group: boolean },
  path: string,
  text: LineText,
  depth: number,
): void {
  const { type } = member;
  if (type.kind === "flag") {
    if (value !== true) text.fail(path, value, "true, or nothing at all");
    text.put(path, name);
    return;
  }
  const bare = type.kind !== "percent" && "bare" in type && type.bare;
  if (bare && value === true) {
    text.put(path, name);
    return;
  }
  text.put(path, member.group ? `${name}(` : `${name}=`);
  writeInside(value, type, path, text, depth + 1);
  if (member.group) text.put(path, ")");
}

/** Writes what follows `=` or is in parentheses. */
function writeInside(
  value: unknown,
  type: JsonType,
  path: string,
  text: LineText,
  depth: number,
): void {
  if (depth > DEPTH_MAX) text.fail(path, "an object", "fewer levels");
  switch (type.kind) {
    case "scalar":
      text.put(path, scalarText(value, type.inside, path, text));
      return;
    case "percent":
      text.put(path, percentText(value, path, text));
      return;
    case "keys":
      if (!isObject(value)) text.fail(path, value, "an object of attributes");
      writeKeys(value, path, text, depth);
      return;
    case "actions":
      if (!Array.isArray(value)) text.fail(path, value, "a list of actions");
      writeActions(value, path, text, depth);
      return;
    case "stack":
    case "options":
      writeList(value, type, path, text, depth);
      return;
    case "object":
    case "choice":
      writeObject(value, type, path, text, depth);
      return;
    case "flag":
      text.fail(path, value, "true");
  }
}

/** Writes objects one after another: `label=1,…,label=2,…`, or `{class=…}{class=…}`. */
function writeList(
  value: unknown,
  type: Extract<JsonType, { members: unknown }>,
  path: string,
  text: LineText,
  depth: number,
): void {
  if (!Array.isArray(value)) text.fail(path, value, "a list of objects");
  for (const [index, one] of value.entries()) {
    const at = `${path}[${index}]`;
    if (type.kind === "options") text.put(at, "{");
    else if (index > 0) text.put(at, ",");
    const isComplete = type.kind === "stack" && value.length > 1 && isObject(one);
    writeObject(isComplete ? withAllMembers(one, type) : one, type, at, text, depth + 1);
    if (type.kind === "options") text.put(at, "}");
  }
}

/** Checks that each entry has all members: in text, a repeated name begins the next entry. */
function withAllMembers(
  entry: { readonly [name: string]: unknown },
  type: Extract<JsonType, { members: unknown }>,
): { readonly [name: string]: unknown } {
  const absent = [...type.members.keys()].filter((name) => !Object.hasOwn(entry, name));
  return { ...entry, ...Object.fromEntries(absent.map((name) => [name, "0/0"])) };
}

function writeObject(
  value: unknown,
  type: Extract<JsonType, { members: unknown }>,
  path: string,
  text: LineText,
  depth: number,
): void {
  if (!isObject(value)) text.fail(path, value, "an object");
  let first = true;
  for (const [name, inner] of Object.entries(value)) {
    const member = type.members.get(name);
    const at = `${path}.${name}`;
    if (member === undefined) {
      const names = [...type.members.keys()];
      text.failName(at, name, `one of ${names.join(", ")}`, names);
    }
    if (!first) text.put(at, ",");
    first = false;
    // The data of a Geneve option has no name in text.
    if (type.kind === "options" && name === "data")
      writeInside(inner, member.type, at, text, depth);
    else writeMember(name, inner, member, at, text, depth);
  }
}

function scalarText(value: unknown, inside: RegExp, path: string, text: LineText): string {
  if (isCount(value)) return String(value);
  if (typeof value === "string" && inside.test(value)) return value;
  return text.fail(
    path,
    value,
    "a whole number, or a string without blanks, commas and parentheses",
  );
}

function percentText(value: unknown, path: string, text: LineText): string {
  if (typeof value !== "number" || !(value >= 0 && value <= 100))
    text.fail(path, value, "a number from 0 to 100");
  return `${value.toFixed(8)}%`;
}

function isObject(value: unknown): value is { readonly [name: string]: unknown } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
