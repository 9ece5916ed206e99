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

/** What flows can be loaded from. */
export type FlowSource =
  /**
   * A file's path, a `Bun.file` or a part of one, or any other blob: text, JSON lines or a flow set, as its
   * first bytes tell; also compressed by gzip or zstd, where it need not be read without waiting. The name of a `File` says nothing: what is read is its content. One flow in text is an
   * array with that: `[text]`.
   */
  | string
  | URL
  | Blob
  /** What such a file holds. */
  | Uint8Array
  /** A template and its rows: the fastest way. */
  | TemplateFill
  /** A flow each: text or {@link Flow}. */
  | Iterable<FlowItem>
  | AsyncIterable<FlowItem>;

/** Flows that are read without waiting. @throws UnreadableInputError */
export function synchronousInput(source: string | Uint8Array | Iterable<FlowItem>): LoadInput {
  if (typeof source === "string") return file(pathSource(source));
  if (!(source instanceof Uint8Array)) return { items: source };
  return file(bytesSource("bytes", source));
}

/** Where flows come from; nothing is read yet. @throws UnreadableInputError */
export function inputOf(source: string | URL | Blob | Uint8Array): FlowInput;
export function inputOf(source: FlowSource): LoadInput;
export function inputOf(source: FlowSource): LoadInput {
  if (source instanceof TemplateFill) return source;
  if (source instanceof URL) return file(pathSource(Bun.fileURLToPath(source)));
  if (source instanceof Blob) return file(blobSource(source));
  const isAsync = typeof source === "object" && Symbol.asyncIterator in source;
  return isAsync ? { items: source } : synchronousInput(source);
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

/** What Bun gives as the offset of a slice that counts from an end it does not know yet is beyond this. */
const OFFSET_MAX = 2 ** 51;

/**
 * The path of a blob that is all of `Bun.file(path)`: read as a file it is faster, and may be parsed by
 * another thread. Undefined for all else, which is read as the blob that it is. A name is no path: of a
 * `File` the client of a server chooses it, and a part of a file has the name of the whole. Only what Bun
 * shows of a blob tells whether a file lies behind it.
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
    const why = "this part of it counts from its end, which Bun knows once its size was asked for";
    throw new UnreadableInputError(`cannot read ${name}: ${why}`);
  }
  return offset === undefined && isWhole(blob, name) ? name : undefined;
}

/** Whether a blob that begins where a file begins ends where it ends. */
function isWhole(blob: Blob, path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  // A copy is asked: the blob itself would keep the size that it has now.
  const { size } = blob.slice();
  return stat === undefined || size === Number.POSITIVE_INFINITY || size === stat.size;
}
