import type { Compression } from "./compressed.ts";
import { looksLikeFlowSet } from "./flow-set/layout.ts";
import type { ByteSource } from "./source.ts";
import { OPEN_BRACE } from "../flow/text/ascii.ts";

/** The format of flows in a file: text lines, one JSON object per line, or a flow set. */
export type FlowFormat = "text" | "jsonl" | "msgpack";

export const FLOW_FORMATS: readonly FlowFormat[] = ["text", "jsonl", "msgpack"];

/** An input, decompressed, and its format. */
export type DetectedSource = { readonly format: FlowFormat; readonly source: ByteSource };

/** Enough for the header of a flow set, and for the blank lines before the first object. */
const LOOK_BYTES = 4096;

/** The compression of an input that begins with `first`; undefined if it is not compressed. */
export function compressionOf(first: Uint8Array): Compression | undefined {
  const [a = 0, b, c, d] = first;
  if (a === 0x1f && b === 0x8b && c === 0x08) return "gzip";
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return "zstd";
  // A skippable frame: pzstd writes one first.
  if ((a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18) return "zstd";
  return undefined;
}

/** The format of an input that begins with `first`; text if it is nothing else. */
export function formatOf(first: Uint8Array): FlowFormat {
  if (looksLikeFlowSet(first)) return "msgpack";
  const from = isByteOrderMark(first) ? 3 : 0;
  const visible = first.subarray(from).find((byte) => byte > 0x20);
  return visible === OPEN_BRACE ? "jsonl" : "text";
}

/** Whether a file is uncompressed text, so that another thread may read it. */
export function isPlainText(file: ByteSource): boolean {
  const first = new Uint8Array(LOOK_BYTES);
  const count = file.read(first, 0);
  file.rewind?.();
  if (typeof count !== "number") return false;
  const bytes = first.subarray(0, count);
  return compressionOf(bytes) === undefined && formatOf(bytes) === "text";
}

/**
 * Looks at the first bytes of an input, decompressed if necessary.
 * @returns its format, and the input from its first byte on; a promise if the bytes are not there
 * yet
 * @throws UnreadableInputError
 */
export function detect(source: ByteSource): DetectedSource | Promise<DetectedSource> {
  const first = look(source);
  return first instanceof Promise
    ? first.then((bytes) => decide(source, bytes))
    : decide(source, first);
}

function decide(source: ByteSource, first: Uint8Array): DetectedSource | Promise<DetectedSource> {
  const compression = compressionOf(first);
  const input = putBack(source, first);
  if (compression === undefined) return { format: formatOf(first), source: input };
  // Loaded only when needed: most inputs are not compressed.
  const { decompressed }: typeof import("./compressed.ts") = require("./compressed.ts");
  return ofCompressed(decompressed(input, compression));
}

// Input compressed twice is refused as binary: such a file may contain itself.
async function ofCompressed(source: ByteSource): Promise<DetectedSource> {
  const first = await look(source);
  return { format: formatOf(first), source: putBack(source, first) };
}

/** Reads as many of the first bytes as the format's detection needs. */
function look(source: ByteSource): Uint8Array | Promise<Uint8Array> {
  const first = new Uint8Array(LOOK_BYTES);
  let filled = 0;
  const more = (): Uint8Array | Promise<Uint8Array> => {
    for (;;) {
      const read = source.read(first, filled);
      if (typeof read !== "number") {
        return read.then((count) => {
          filled += count;
          const bytes = first.subarray(0, filled);
          return count === 0 || isEnough(bytes) ? bytes : more();
        });
      }
      filled += read;
      const bytes = first.subarray(0, filled);
      if (read === 0 || isEnough(bytes)) return bytes;
    }
  };
  return more();
}

// Whether the bytes suffice, since a source may give one byte at a time. A flow set is recognized
// by two bytes, the other formats by the first nonblank byte after a byte order mark.
function isEnough(bytes: Uint8Array): boolean {
  if (bytes.length === LOOK_BYTES) return true;
  const from = bytes[0] === 0xef ? 3 : 0;
  return bytes.length > 3 && bytes.subarray(from).some((byte) => byte > 0x20);
}

// Some editors write a byte order mark first.
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
    ...source,
    read: (buffer, offset) => {
      if (left.length === 0) return source.read(buffer, offset);
      const count = Math.min(left.length, buffer.length - offset);
      buffer.set(left.subarray(0, count), offset);
      left = left.subarray(count);
      return count;
    },
  };
}
