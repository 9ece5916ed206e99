import type { Flow } from "./flow/flow.ts";
import type { TemplateFill } from "./flow/template.ts";
import { formatOf } from "./format/detect.ts";
import type { FlowInput } from "./format/open-feed.ts";
import { linesSource } from "./format/lines-source.ts";
import { bytesSource, type ByteSource, pathSource, streamSource } from "./format/source.ts";

/** What flows can be loaded from. */
export type FlowSource =
  /** A file's path, or `Bun.file(path)`: text, JSON lines or a flow set, as its first bytes tell. */
  | URL
  | Blob
  /** What such a file holds. */
  | Uint8Array
  /** A template and its rows: the fastest way. */
  | TemplateFill
  /** A flow each: text or {@link Flow}. */
  | Iterable<string | Flow>
  | AsyncIterable<string | Flow>;

/** Flows that are read without waiting. */
export function synchronousInput(source: Uint8Array | Iterable<string | Flow>): FlowInput {
  if (source instanceof Uint8Array) {
    return { format: formatOf(source), source: bytesSource("bytes", source) };
  }
  return { format: "text", source: linesSource("flows", mapText(source)) };
}

/** Where flows come from; nothing is read yet. @throws UnreadableInputError */
export function inputOf(source: Exclude<FlowSource, TemplateFill>): FlowInput {
  if (source instanceof URL) return file(pathSource(Bun.fileURLToPath(source)));
  if (source instanceof Blob) return file(blobSource(source));
  if (Symbol.asyncIterator in source) {
    return { format: "text", source: linesSource("flows", mapTextAsync(source)) };
  }
  return synchronousInput(source);
}

function file(source: ByteSource): FlowInput {
  return { format: "auto", source };
}

function blobSource(source: Blob): ByteSource {
  // A Bun.file is a Blob with a name: read as a file, it need not fit memory.
  if ("name" in source && typeof source.name === "string") return pathSource(source.name);
  return streamSource("blob", source.stream());
}

function* mapText(flows: Iterable<string | Flow>): Generator<string> {
  for (const flow of flows) yield flow.toString();
}

async function* mapTextAsync(flows: AsyncIterable<string | Flow>): AsyncGenerator<string> {
  for await (const flow of flows) yield flow.toString();
}
