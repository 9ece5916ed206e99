import { looksLikeFlowSet } from "./flow-set/layout.ts";
import type { ByteSource } from "./source.ts";
import { OPEN_BRACE } from "../flow/text/ascii.ts";

/** How flows lie in a file: text lines, an object of JSON a line, or a flow set. */
export type FlowFormat = "text" | "jsonl" | "msgpack";

export const FLOW_FORMATS: readonly FlowFormat[] = ["text", "jsonl", "msgpack"];

/** An input and its format. */
export type DetectedSource = { readonly format: FlowFormat; readonly source: ByteSource };

/** Enough for the header of a flow set, and for the blank lines before the first object. */
const LOOK_BYTES = 4096;

/** The format of an input that begins with `first`; text is what is nothing else. */
export function formatOf(first: Uint8Array): FlowFormat {
  if (looksLikeFlowSet(first)) return "msgpack";
  const from = isByteOrderMark(first) ? 3 : 0;
  const visible = first.subarray(from).find((byte) => byte > 0x20);
  return visible === OPEN_BRACE ? "jsonl" : "text";
}

/**
 * Looks at the first bytes of an input.
 * @returns its format, and the input from its first byte on; a promise where it has to be waited for
 * @throws UnreadableInputError
 */
export function detect(source: ByteSource): DetectedSource | Promise<DetectedSource> {
  const first = new Uint8Array(LOOK_BYTES);
  let filled = 0;
  const decide = (): DetectedSource => {
    const bytes = first.subarray(0, filled);
    return { format: formatOf(bytes), source: putBack(source, bytes) };
  };
  const look = (): DetectedSource | Promise<DetectedSource> => {
    for (;;) {
      const read = source.read(first, filled);
      if (typeof read !== "number") {
        return read.then((count) => {
          filled += count;
          return count === 0 || isEnough(first.subarray(0, filled)) ? decide() : look();
        });
      }
      filled += read;
      if (read === 0 || isEnough(first.subarray(0, filled))) return decide();
    }
  };
  return look();
}

// A source may give a byte at a time: a flow set shows itself in two, the other formats in the first
// byte that is not blank, behind a byte order mark.
function isEnough(bytes: Uint8Array): boolean {
  if (bytes.length === LOOK_BYTES) return true;
  const from = bytes[0] === 0xef ? 3 : 0;
  return bytes.length > 3 && bytes.subarray(from).some((byte) => byte > 0x20);
}

// Some editors put one first.
function isByteOrderMark(bytes: Uint8Array): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

function putBack(source: ByteSource, first: Uint8Array): ByteSource {
  if (source.rewind !== undefined) {
    source.rewind();
    return source;
  }
  let left = first;
  return {
    name: source.name,
    size: source.size,
    read: (buffer, offset) => {
      if (left.length === 0) return source.read(buffer, offset);
      const count = Math.min(left.length, buffer.length - offset);
      buffer.set(left.subarray(0, count), offset);
      left = left.subarray(count);
      return count;
    },
    close: () => source.close(),
  };
}
