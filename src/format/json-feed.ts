import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { FlowJsonEncoder, FlowJsonError } from "../flow/json.ts";
import { FlowLineEncoder, type FlowLineOptions, type LineVerb } from "../flow/line.ts";
import type { FlowFeed } from "./feed.ts";
import type { ByteSource } from "./source.ts";
import { TextFeed } from "./text-feed.ts";

const DECODER = new TextDecoder();

/** Flows in JSON, an object a line; blank lines are passed over. Errors tell the path in the object. */
export function jsonFeed(source: ByteSource, options: FlowLineOptions): FlowFeed {
  return new TextFeed(source, options, new JsonLineEncoder(new FlowLineEncoder(options)));
}

/** Turns lines of JSON into the attributes of flow requests, as {@link FlowLineEncoder} does with text. */
export class JsonLineEncoder {
  readonly #encoder: FlowLineEncoder;
  readonly #json: FlowJsonEncoder;

  constructor(encoder: FlowLineEncoder) {
    this.#encoder = encoder;
    this.#json = new FlowJsonEncoder(encoder);
  }

  /** What the last line asks for. */
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
    const text = DECODER.decode(bytes.subarray(start, end));
    if (text.trim() === "") return false;
    this.#json.encode(parse(text, line), line, writer);
    return true;
  }
}

function parse(text: string, line: number): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const found = `what is no JSON (${why})`;
    throw new FlowJsonError({ text, path: ".", line, found, expected: "a flow" });
  }
}
