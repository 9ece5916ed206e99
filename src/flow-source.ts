import { statSync } from "node:fs";
import { TemplateFill } from "./flow/template.ts";
import type { FlowInput } from "./format/open-feed.ts";
import type { FlowItem } from "./format/flows-feed.ts";
import type { LoadInput } from "./load/start-load.ts";
import {
  bytesSource,
  type ByteSource,
  pathSource,
  streamSource,
  UnreadableInputError,
} from "./format/source.ts";
import { MillraceError } from "./sys/errors.ts";

/** A source of flows for a load. */
export type FlowSource =
  /**
   * A file's path, a `Bun.file` or a part of one, or any other blob: text, JSON lines or a flow
   * set, detected by its first bytes. It may be compressed by gzip or zstd, except in a synchronous
   * load. The name of a `File` is ignored. Pass a single flow as an array: `[text]`.
   */
  | string
  | URL
  | Blob
  /** The content of such a file. */
  | Uint8Array
  /** A template and its rows: the fastest way. */
  | TemplateFill
  /** One flow per item: text or {@link Flow}. */
  | Iterable<FlowItem>
  | AsyncIterable<FlowItem>;

/** The input of a synchronous load. @throws UnreadableInputError */
export function synchronousInput(source: string | Uint8Array | Iterable<FlowItem>): LoadInput {
  if (typeof source === "string") return file(namedSource(source));
  if (!(source instanceof Uint8Array)) {
    if (!isIterable(source, Symbol.iterator)) throw notFlows(source);
    return { items: source };
  }
  return file(bytesSource("bytes", source));
}

/** The input behind a source; nothing is read yet. @throws UnreadableInputError */
export function inputOf(source: string | URL | Blob | Uint8Array): FlowInput;
export function inputOf(source: FlowSource): LoadInput;
export function inputOf(source: FlowSource): LoadInput {
  if (source instanceof TemplateFill) return source;
  if (source instanceof URL) return file(pathSource(Bun.fileURLToPath(source)));
  if (source instanceof Blob) return file(blobSource(source));
  return isIterable(source, Symbol.asyncIterator) ? { items: source } : synchronousInput(source);
}

/** Whether a value can be iterated; a script without types may pass anything. */
function isIterable<Key extends symbol>(value: unknown, key: Key): value is Record<Key, unknown> {
  return typeof value === "object" && value !== null && key in value;
}

function notFlows(source: unknown): MillraceError {
  const found = source === null ? "null" : typeof source;
  const expected = "a path, bytes, a Blob, a filled template, or an iterable of flows";
  return new MillraceError("USAGE", `flows: found ${found}, expected ${expected}`);
}

/** A string is a path; whoever passes a flow is told how. */
function namedSource(path: string): ByteSource {
  try {
    return pathSource(path);
  } catch (error) {
    const isFlow = error instanceof UnreadableInputError && /^\w+\(.*\)/.test(path);
    if (!isFlow) throw error;
    throw new UnreadableInputError(`${error.message} (pass a flow in an array: [text])`);
  }
}

function file(source: ByteSource): FlowInput {
  return { format: "auto", source };
}

function blobSource(blob: Blob): ByteSource {
  const path = pathOf(blob);
  if (path !== undefined) return pathSource(path);
  const name = "name" in blob && typeof blob.name === "string" ? blob.name : "blob";
  return streamSource(name, () => blob.stream());
}

/**
 * An upper limit of valid offsets. Bun gives a greater one for a slice that counts from an end not
 * known yet.
 */
const OFFSET_MAX = 2 ** 51;

/**
 * The path of a blob that is all of `Bun.file(path)`: read as a file it is faster, and may be
 * parsed by another thread. Undefined for all other blobs, which are read as blobs. A name is not a
 * path: the client of a server chooses that of a `File`, and a part of a file has the name of the
 * whole. Only Bun's inspection of a blob tells whether a file is behind it.
 * @throws UnreadableInputError for a slice whose beginning Bun has lost
 */
function pathOf(blob: Blob): string | undefined {
  if (blob instanceof File || !("name" in blob) || typeof blob.name !== "string") return undefined;
  const { name } = blob;
  const shown = Bun.inspect(blob, { colors: false });
  const beginning = `FileRef ("${name}")`;
  if (!shown.startsWith(beginning)) return undefined;
  const offset = /\boffset: (\d+)/.exec(shown.slice(beginning.length))?.[1];
  if (Number(offset) > OFFSET_MAX) {
    const why =
      "this part of it counts from the end, which Bun only knows after its size was requested";
    throw new UnreadableInputError(`cannot read ${name}: ${why}`);
  }
  return offset === undefined && isWhole(blob, name) ? name : undefined;
}

/** Whether a blob that begins at the beginning of a file also ends at its end. */
function isWhole(blob: Blob, path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  // Ask a copy: the blob itself would remember its current size.
  const { size } = blob.slice();
  return stat === undefined || size === Number.POSITIVE_INFINITY || size === stat.size;
}
