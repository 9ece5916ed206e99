import type { Flow } from "./flow/flow.ts";
import type { TemplateFill } from "./flow/template.ts";
import { detect, type DetectedSource, formatOf } from "./format/detect.ts";
import { bytesSource, type ByteSource, linesSource, pathSource } from "./format/source.ts";

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

/** What these flows are, read without waiting. */
export function detectedSync(source: Uint8Array | Iterable<string | Flow>): DetectedSource {
  if (source instanceof Uint8Array) {
    return { format: formatOf(source), source: bytesSource("bytes", source) };
  }
  return { format: "text", source: linesSource("flows", mapText(source)) };
}

/** What these flows are: a file tells by its first bytes. @throws UnreadableInputError */
export async function detected(source: Exclude<FlowSource, TemplateFill>): Promise<DetectedSource> {
  if (source instanceof URL || source instanceof Blob) return detect(await fileOf(source));
  if (Symbol.asyncIterator in source) {
    return { format: "text", source: linesSource("flows", mapTextAsync(source)) };
  }
  return detectedSync(source);
}

async function fileOf(source: URL | Blob): Promise<ByteSource> {
  if (source instanceof URL) return pathSource(Bun.fileURLToPath(source));
  // A Bun.file is a Blob with a name: read as a file, it need not fit memory.
  if ("name" in source && typeof source.name === "string") return pathSource(source.name);
  return bytesSource("blob", new Uint8Array(await source.arrayBuffer()));
}

function* mapText(flows: Iterable<string | Flow>): Generator<string> {
  for (const flow of flows) yield flow.toString();
}

async function* mapTextAsync(flows: AsyncIterable<string | Flow>): AsyncGenerator<string> {
  for await (const flow of flows) yield flow.toString();
}
