import { FLOW_BYTES_MAX } from "../parts.ts";
import { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { PinnedMemory } from "../../sys/memory.ts";
import { OVS_ACTION_ATTR_OUTPUT } from "../../uapi/openvswitch.ts";
import { LineParser, type LineParserOptions, type LineVerb } from "../line-parser.ts";
import { type EncodedLine, type FoundHole, keyless } from "../shape/found-hole.ts";
import { findHoles, layOut } from "../shape/compile.ts";
import { findSetValues } from "../shape/action-holes.ts";
import { HOLE_LE32, HOLE_SKIP } from "../shape/hole.ts";
import { findValues, type KeyValue } from "../shape/holes.ts";
import type { Layout } from "../shape/layout.ts";
import { Cursor } from "../text/cursor.ts";
import type { Field } from "../text/field.ts";
import { FlowSyntaxError, oneLine, syntaxErrorAt } from "../text/syntax-error.ts";
import { fillText, type FilledText, findNames, type NamedHole, placeholderOf } from "./text.ts";

// Compiles a template, a line with holes, into a message and the places of the holes in it.

const OUTPUT_PORT_MAX = 0xffff;
/** The header of an attribute of type OVS_ACTION_ATTR_OUTPUT with four bytes. */
const OUTPUT_HEADER = 8 | (OVS_ACTION_ATTR_OUTPUT << 16);

/** A hole in a compiled template; the hole of its layout has the same index. */
export type Place = {
  readonly name: string;
  /** The index of its name in the template's names. */
  readonly index: number;
  /** Its field in the key; undefined for an output port. */
  readonly field: Field | undefined;
  /** Its column in the text, 1-based, in bytes. */
  readonly column: number;
};

/** A template as bytes. */
export type CompiledTemplate = {
  readonly layout: Layout;
  readonly places: readonly Place[];
  readonly verb: LineVerb;
  /** The text before, between and after the holes. */
  readonly pieces: readonly string[];
  readonly options: LineParserOptions;
};

/** The names of a template's holes, in the order of their first occurrence. */
export function namesOf(text: string): string[] {
  const names = findNames(new TextEncoder().encode(text)).map(({ name }) => name);
  return [...new Set(names)];
}

/** Lays out the flow of a template. @throws FlowSyntaxError with the place in the template */
export function compileTemplate(text: string, options: LineParserOptions): CompiledTemplate {
  const template = new TextEncoder().encode(text);
  const holes = findNames(template);
  const names = namesOf(text);
  const fields = fieldsOf(template, holes, options);
  const values = fields.map(placeholderOf);
  const parser = new LineParser(options);
  const writer = new AttributeWriter(new PinnedMemory(FLOW_BYTES_MAX));
  const filled = fillText(template, holes, values);
  const line = encode(parser, writer, template, filled);
  const found = findHoles(line, new Cursor());
  const layoutHoles = holes.map((hole, index) => {
    const start = filled.starts[index];
    const known = found.find(
      (candidate) => candidate.hole.textStart === start && candidate.field !== undefined,
    );
    if (known !== undefined) return known;
    // Parses the text again with another port in the hole; a place where no port may be is refused
    // first.
    const others = values.map((value, i) => (i === index ? "2" : value));
    const withOther = (): EncodedLine =>
      encode(
        parser,
        new AttributeWriter(new PinnedMemory(FLOW_BYTES_MAX)),
        template,
        fillText(template, holes, others),
      );
    const output = findOutput(parser.verb, line, start ?? 0, withOther);
    if (output !== undefined) return output;
    throw syntaxErrorAt(oneLine(template), hole.start, EXPECTED_VALUE);
  });
  return {
    layout: layOut(line, layoutHoles),
    places: holes.map(({ name, start }, i) => {
      const field = layoutHoles[i]?.field;
      return { name, index: names.indexOf(name), field, column: start + 1 };
    }),
    verb: parser.verb,
    pieces: piecesOf(template, holes),
    options,
  };
}

function piecesOf(template: Uint8Array, holes: readonly NamedHole[]): string[] {
  const starts = [0, ...holes.map(({ end }) => end)];
  const ends = [...holes.map(({ start }) => start), template.length];
  return starts.map((start, i) => new TextDecoder().decode(template.subarray(start, ends[i])));
}

const EXPECTED_VALUE =
  "holes only for values that a key matches or a set() writes, and for output ports";

/**
 * The field of each hole that is a value in the key or in a set(); the parser later checks the
 * place.
 */
function fieldsOf(
  template: Uint8Array,
  holes: readonly NamedHole[],
  options: LineParserOptions,
): (Field | undefined)[] {
  const { cursor, ...parser } = parserAt(template, options);
  const values: KeyValue[] = [];
  if (parser.hasKey) findValues(cursor, 0, values);
  cursor.skipBlanks();
  findSetValues(template, cursor.position, template.length, cursor, values);
  return holes.map(({ start, end }) => {
    const value = values.find((candidate) => candidate.start === start && candidate.end === end);
    return value?.field;
  });
}

function parserAt(
  template: Uint8Array,
  options: LineParserOptions,
): { cursor: Cursor; hasKey: boolean } {
  const parser = new LineParser(options);
  const cursor = parser.cursor.reset(template, 0, template.length, 1);
  return { cursor, hasKey: parser.parsePrefix() };
}

function encode(
  parser: LineParser,
  writer: AttributeWriter,
  template: Uint8Array,
  filled: FilledText,
): EncodedLine {
  const { bytes } = filled;
  parser.cursor.reset(bytes, 0, bytes.length, 1);
  writer.reset(0, writer.memory.size);
  try {
    if (!parser.parse(writer)) parser.cursor.fail("a flow");
  } catch (error) {
    if (!(error instanceof FlowSyntaxError)) throw error;
    // The place in the template rather than in the text with values.
    const at = filled.originOf(error.column - 1);
    const { expected, suggestion } = error;
    throw syntaxErrorAt(oneLine(template), at, expected, suggestion);
  }
  const line = parser.describe(bytes, 0, bytes.length, writer, 0);
  if (line === undefined)
    throw syntaxErrorAt(oneLine(template), 0, "a flow that a netlink message can hold");
  return line;
}

/**
 * Finds the hole of an output port, anywhere in the actions: another number there changes one word
 * of the message, the payload of an OUTPUT.
 */
function findOutput(
  verb: LineVerb,
  line: EncodedLine,
  first: number,
  withOther: () => EncodedLine,
): FoundHole | undefined {
  if (first < line.actionsStart) return undefined;
  // A delete has no actions: the value is ignored.
  const text = { start: first, end: first + 1 };
  if (verb === "delete") return keyless(line, text, { kind: HOLE_SKIP, at: 0, size: 0 });
  if (!isWholeAction(line.bytes, first, line)) return undefined;
  const changed = withOther().message;
  const at = changed.findIndex((byte, i) => byte !== line.message[i]);
  const last = changed.findLastIndex((byte, i) => byte !== line.message[i]);
  if (at < 4 || at !== last) return undefined;
  const header = new DataView(changed.buffer, changed.byteOffset).getUint32(at - 4, true);
  if (header !== OUTPUT_HEADER) return undefined;
  const found = keyless(line, text, { kind: HOLE_LE32, at, size: 4 });
  return { ...found, hole: { ...found.hole, max: OUTPUT_PORT_MAX } };
}

/** Whether a number is an action rather than a part of one. */
function isWholeAction(bytes: Uint8Array, at: number, line: EncodedLine): boolean {
  const before = at === line.actionsStart ? "," : String.fromCharCode(bytes[at - 1] ?? 0);
  const after = at + 1 >= line.actionsEnd ? "," : String.fromCharCode(bytes[at + 1] ?? 0);
  return /[\s,(]/.test(before) && /[\s,)]/.test(after);
}
