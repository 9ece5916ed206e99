import { FLOW_BYTES_MAX } from "../parts.ts";
import { AssertionError } from "../../sys/errors.ts";
import { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { PinnedMemory } from "../../sys/memory.ts";
import { notOneFlow } from "../text/syntax-error.ts";
import { FlowLineEncoder } from "../line.ts";
import { ANY_PORTS } from "../ports.ts";
import { ACTION_TYPES, KEY_TYPES, RAW_TYPE, type JsonType } from "./json-type.ts";
import { PORT, VERBS, RAW_ACTION } from "./values.ts";
import type { ActionJson, FlowJson, JsonScalar, JsonValue, KeyJson } from "./types.ts";

// Converts a flow's printed text to JSON.

/** What a line is encoded to, only to see whether it is a flow; made once. */
let checkWriter: AttributeWriter | undefined;

/**
 * The flow of a line as a dump prints it, or `Flow.toString` (with or without UFID, statistics and
 * port names), as an object that a load reads back to the same flow.
 * @throws FlowSyntaxError if the line is not a flow; AssertionError if it is not written as the
 * printer does
 */
export function lineToFlowJson(line: string): FlowJson {
  const bytes = new TextEncoder().encode(line);
  const encoder = new FlowLineEncoder({ ufid: false, mode: "modify", ports: ANY_PORTS });
  checkWriter ??= new AttributeWriter(new PinnedMemory(FLOW_BYTES_MAX));
  checkWriter.reset(0, FLOW_BYTES_MAX);
  if (!encoder.encode(bytes, 0, bytes.length, 1, checkWriter)) throw notOneFlow(line);
  return printedLineToJson(line);
}

/** As {@link lineToFlowJson}, for a line that the printer made. */
export function printedLineToJson(line: string): FlowJson {
  const reader = new Reader(line);
  const json: { -readonly [name in keyof FlowJson]: FlowJson[name] } = { key: {} };
  const verb = reader.word(/[ ]/);
  if (VERBS.test(verb) && reader.take(" ")) {
    if (verb === "add" || verb === "modify" || verb === "delete") json.verb = verb;
  } else {
    reader.back();
  }
  if (reader.take("ufid:")) {
    json.ufid = reader.word(/[,\s]/);
    reader.skip();
  }
  json.key = reader.keys();
  const blank = reader.take(" ");
  reader.skip();
  if (blank && !reader.atEnd()) json.actions = reader.actions(true);
  while (!reader.atEnd() && json.actions === undefined) {
    const name = reader.word(/:/);
    reader.expect(":");
    if (name === "actions") json.actions = reader.actions(true);
    else readStatistic(json, name, reader.word(/[,\s]/));
    reader.skip();
  }
  reader.expectEnd();
  return json;
}

function readStatistic(
  json: { -readonly [name in keyof FlowJson]: FlowJson[name] },
  name: string,
  value: string,
): void {
  if (name === "packets") json.packets = Number(value);
  else if (name === "bytes") json.bytes = Number(value);
  else if (name === "used") json.used = value === "never" ? value : Number(value.replace("s", ""));
  else if (name === "flags") json.flags = value;
}

/** Reads printed text, which is well formed, into a tree of JSON. */
class Reader {
  readonly #text: string;
  #at = 0;
  #before = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Goes back to the beginning of the last word. */
  back(): void {
    this.#at = this.#before;
  }

  take(text: string): boolean {
    if (!this.#text.startsWith(text, this.#at)) return false;
    this.#at += text.length;
    return true;
  }

  /** Skips commas and blanks. */
  skip(): void {
    while (!this.atEnd() && ", ".includes(this.#text.charAt(this.#at))) this.#at++;
  }

  /** The text up to a character of `ends`, or to the end. */
  word(ends: RegExp): string {
    this.#before = this.#at;
    let at = this.#at;
    while (at < this.#text.length && !ends.test(this.#text.charAt(at))) at++;
    const word = this.#text.slice(this.#at, at);
    this.#at = at;
    return word;
  }

  expectEnd(): void {
    if (!this.atEnd()) this.#fail("nothing");
  }

  expect(text: string): void {
    if (!this.take(text)) this.#fail(text);
  }

  #fail(expected: string): never {
    const rest = this.#text.slice(this.#at, this.#at + 20);
    throw new AssertionError(`printed text goes on with ${expected}, not with ${rest}`);
  }

  /** Attributes up to a parenthesis, a blank or the end. */
  keys(): KeyJson {
    const key: { [name: string]: JsonValue } = {};
    for (;;) {
      const name = this.word(/[(:\s)]/);
      if (name === "" || !this.take("(")) {
        this.back();
        return key;
      }
      key[name] = this.#inside(KEY_TYPES.get(name) ?? RAW_TYPE);
      this.expect(")");
      if (!this.take(",")) return key;
      if (this.take(" ")) return key;
    }
  }

  /** A list of actions up to the closing parenthesis or the end. */
  actions(top: boolean): readonly ActionJson[] {
    const actions: ActionJson[] = [];
    for (;;) {
      this.skip();
      if (this.atEnd() || (!top && this.#text.charAt(this.#at) === ")")) break;
      actions.push(this.#action());
    }
    // `drop` alone is the empty list.
    const [only] = actions;
    return actions.length === 1 && only?.["drop"] === true ? [] : actions;
  }

  #action(): ActionJson {
    const word = this.word(/[(), \t-\r]/);
    if (word === "") this.#fail("an action");
    const type = ACTION_TYPES.get(word);
    if (type === undefined && !RAW_ACTION.test(word)) return { output: scalarOf(word) };
    return { [word]: this.#member({ type: type ?? RAW_TYPE, group: true }) };
  }

  /** Reads what follows a member's name. */
  #member(member: { readonly type: JsonType; readonly group: boolean }): JsonValue {
    const { type } = member;
    if (type.kind === "flag") {
      this.take("()");
      return true;
    }
    if (!member.group) return this.take("=") ? this.#inside(type) : true;
    if (!this.take("(")) return type === RAW_TYPE ? "" : true;
    const value = this.#inside(type);
    this.expect(")");
    return value;
  }

  #inside(type: JsonType): JsonValue {
    switch (type.kind) {
      case "keys":
        return this.keys();
      case "actions":
        return this.actions(false);
      case "percent": {
        const value = Number(this.word(/%/));
        this.expect("%");
        return value;
      }
      case "object":
      case "choice":
        return this.#object(type);
      case "stack":
        return this.#stack(type);
      case "options":
        return this.#options(type);
      default:
        return scalarOf(this.word(endsOf(type)));
    }
  }

  #object(type: Extract<JsonType, { members: unknown }>): KeyJson {
    const object: { [name: string]: JsonValue } = {};
    for (;;) {
      this.take(",");
      const name = this.word(/[=(),{}]/);
      const member = type.members.get(name);
      if (name === "" || member === undefined) {
        this.back();
        return object;
      }
      object[name] = this.#member(member);
    }
  }

  /** Reads a stack: a repeated field begins the next object. */
  #stack(type: Extract<JsonType, { members: unknown }>): JsonValue {
    const list: { [name: string]: JsonValue }[] = [];
    let last: { [name: string]: JsonValue } | undefined;
    for (;;) {
      this.take(",");
      const name = this.word(/[=)]/);
      const member = type.members.get(name);
      if (member === undefined) {
        this.back();
        return list;
      }
      if (last === undefined || name in last) list.push((last = {}));
      last[name] = this.#member(member);
    }
  }

  /** `{class=…,type=…,len=…,0x…}`, one after another. */
  #options(type: Extract<JsonType, { members: unknown }>): JsonValue {
    const list: JsonValue[] = [];
    while (this.take("{")) {
      const option = this.#object(type);
      const data = this.word(/}/);
      this.expect("}");
      list.push(data === "" ? option : { ...option, data });
    }
    return list;
  }
}

/** A decimal number as a number, all other text unchanged. */
export function scalarOf(text: string): JsonScalar {
  if (/^(0|[1-9][0-9]{0,15})$/.test(text) && Number.isSafeInteger(Number(text)))
    return Number(text);
  return text;
}

/** The bytes that end a scalar: only the parenthesis if blanks or commas may be part of it. */
function endsOf(type: JsonType): RegExp {
  if (type.kind === "scalar" && type.inside === PORT) return /[,) ]/;
  const wide = type.kind === "scalar" && (type.inside.test("00 00") || type.inside.test("a,b"));
  return wide ? /\)/ : /[,)} \t-\r]/;
}
