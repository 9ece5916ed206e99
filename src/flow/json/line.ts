import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import type { FlowLineEncoder, LineVerb } from "../line.ts";
import { FlowJsonError } from "./error.ts";
import { FlowJsonEncoder } from "./from-json.ts";
import { FlowJsonShapes } from "./shapes.ts";

// Reads lines of JSON as flow requests.

const DECODER = new TextDecoder();

/** Turns lines of JSON into the attributes of flow requests, as {@link FlowLineEncoder} does with text. */
export class FlowJsonLineEncoder {
  readonly #encoder: FlowLineEncoder;
  readonly #json: FlowJsonEncoder;
  readonly #shapes: FlowJsonShapes | undefined;

  /**
   * @param encoder reads the text of the flows; its `verb`, `hasActions` and `ownUfid` are those of
   * the last line
   * @param shapes whether lines of one form share work; the bytes are the same either way
   */
  constructor(encoder: FlowLineEncoder, shapes = true) {
    this.#encoder = encoder;
    this.#json = new FlowJsonEncoder(encoder);
    this.#shapes = shapes ? new FlowJsonShapes() : undefined;
  }

  /** The verb of the last line. */
  get verb(): LineVerb {
    return this.#encoder.verb;
  }

  /**
   * Reads line number `line`, the bytes `start` to `end`, and appends its attributes.
   * @returns false for a blank line: nothing was written
   * @throws FlowJsonError with the writer rolled back
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
      this.#encoder.recall(known);
      return true;
    }
    const raw = bytes.subarray(start, end);
    const text = DECODER.decode(raw);
    if (text.trim() === "") return false;
    this.#json.encode(parse(text, raw, line), line, writer, raw);
    this.#shapes?.learn(bytes.slice(start, end), this.#json.text, this.#encoder, writer);
    return true;
  }
}

function parse(text: string, raw: Uint8Array, line: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const found = `invalid JSON (${why})`;
    throw new FlowJsonError({ raw, path: ".", line, found, expected: "a flow" });
  }
}
