import type { PortNames } from "./ports.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { LineParser, type LineParserOptions, type LineVerb } from "./line-parser.ts";
import { ShapeCache } from "./shape/cache.ts";
import { findHoles, layOut } from "./shape/compile.ts";
import type { FoundHole } from "./shape/found-hole.ts";
import { Shape } from "./shape/shape.ts";
import { HASH } from "./text/ascii.ts";

export type { LineVerb } from "./line-parser.ts";

/** How lines become requests. */
export type FlowLineOptions = LineParserOptions & {
  /** Whether lines of one shape share work, true by default; the bytes are the same either way. */
  readonly shapes?: boolean;
  /** The names of ports in flow sets; by default those in `ports`. */
  readonly setPorts?: PortNames;
};

/**
 * Turns lines of text into the attributes of flow requests. It is reused for all lines of a load,
 * by one caller at a time, and allocates nothing for a valid line.
 */
export class FlowLineEncoder {
  /** The verb of the last line. */
  verb: LineVerb = "put";
  /** Whether the last line had actions; without them a modify keeps the flow's. */
  hasActions = false;
  /** Whether the last line had a `ufid:`; without it a flow's UFID is a hash. */
  ownUfid = false;
  /**
   * Whether the last line was from a dump that left out what a kernel requires; it was added,
   * wildcarded.
   */
  completed = false;
  /** Whether the last line was a header of a dump rather than a flow. */
  isHeader = false;

  readonly #parser: LineParser;
  readonly #shapes: ShapeCache<LineFacts> | undefined;

  constructor(options: FlowLineOptions) {
    this.#parser = new LineParser(options);
    this.#shapes = options.shapes === false ? undefined : new ShapeCache();
  }

  /**
   * Reads line number `line`, the bytes `start` to `end`, and appends UFID, KEY, MASK and ACTIONS
   * to the writer, in this order. A line has one of two forms:
   * - `[add|modify|delete] [ufid:UUID] KEY [ACTIONS]`, the verb or any prefix of it
   * - `[ufid:UUID, ]KEY[, packets:N][, bytes:N][, used:T][, flags:F]…, actions:ACTIONS`, of a dump
   *
   * A delete has no ACTIONS; a modify without them keeps the flow's. A writer without room is left
   * failed.
   * @returns false for a blank line or a comment: nothing was written
   * @throws FlowSyntaxError with the writer rolled back
   */
  encode(
    bytes: Uint8Array,
    start: number,
    end: number,
    line: number,
    writer: AttributeWriter,
  ): boolean {
    const known = this.#shapes?.encode(bytes, start, end, writer);
    if (known !== undefined) {
      this.recall(known);
      return true;
    }
    const parser = this.#parser;
    const cursor = parser.cursor.reset(bytes, start, end, line);
    const mark = writer.position;
    try {
      const encoded = parser.parse(writer);
      this.verb = parser.verb;
      this.hasActions = parser.hasActions;
      this.ownUfid = parser.ownUfid;
      this.completed = parser.completed;
      this.isHeader = parser.isHeader;
      if (encoded && this.#shapes?.wants() === true) this.#learn(bytes, start, end, writer, mark);
      return encoded;
    } catch (error) {
      if (!writer.failed || writer.position > mark) writer.rollback(mark);
      // A comment directly after the key is found late, since lines are not searched for comments.
      let comment = start;
      while (comment < cursor.position && bytes[comment] !== HASH) comment++;
      if (comment >= end || bytes[comment] !== HASH) throw error;
      return this.encode(bytes, start, comment, line, writer);
    }
  }

  /** Names of skipped members, which are in no kernel's dumps. */
  get members(): ReadonlySet<string> {
    return this.#parser.members;
  }

  /** Takes over the facts of a line that was encoded by a shape kept elsewhere. */
  recall({ verb, hasActions, ownUfid, completed }: LineFacts): void {
    this.completed = completed;
    this.verb = verb;
    this.hasActions = hasActions;
    this.ownUfid = ownUfid;
  }

  /**
   * Makes a shape for lines in another notation from a flow in text. Uses the writer's room, but
   * appends nothing.
   * @param text the flow
   * @param notation the same flow in the other notation
   * @param place moves the holes of the text to their values in the notation, in its order
   * @returns undefined if there is no shape
   */
  shapeFor(
    text: Uint8Array,
    notation: Uint8Array,
    place: (found: readonly FoundHole[]) => readonly FoundHole[] | undefined,
    writer: AttributeWriter,
  ): Shape | undefined {
    const mark = writer.position;
    const parser = this.#parser;
    parser.cursor.reset(text, 0, text.length, 1);
    const line = parser.parse(writer)
      ? parser.describe(text, 0, text.length, writer, mark)
      : undefined;
    writer.rollback(mark);
    if (line === undefined || parser.namesPort) return undefined;
    const placed = place(findHoles(line, parser.cursor));
    if (placed === undefined) return undefined;
    const holes = placed.map(({ hole }) => hole);
    return new Shape(notation, holes, layOut(line, placed));
  }

  /**
   * Makes a shape from the line just written at `mark`, unless the line is unlikely to have others
   * like it.
   */
  #learn(
    bytes: Uint8Array,
    start: number,
    end: number,
    writer: AttributeWriter,
    mark: number,
  ): void {
    if (this.#parser.namesPort) return;
    const line = this.#parser.describe(bytes, start, end, writer, mark);
    if (line === undefined) return;
    const found = findHoles(line, this.#parser.cursor);
    const holes = found.map(({ hole }) => hole);
    const shape = new Shape(bytes.slice(start, end), holes, layOut(line, found));
    const { verb, hasActions, ownUfid, completed } = this;
    this.#shapes?.add(shape, { verb, hasActions, ownUfid, completed });
  }
}

/** The facts of a line other than its bytes. */
export type LineFacts = {
  readonly verb: LineVerb;
  readonly hasActions: boolean;
  readonly ownUfid: boolean;
  readonly completed: boolean;
};
