import { type NumberedPort, portNamesOf } from "../flow/ports.ts";
import { type FlowFormat, isPlainText } from "../format/detect.ts";
import type { FlowFeed } from "../format/feed.ts";
import { openFeed, type OpenOptions } from "../format/open-feed.ts";
import { type ByteSource, fileSource } from "../format/source.ts";
import { OVS_FLOW_FAMILY } from "../uapi/openvswitch.ts";
import type { FlowSink } from "./flow-sink.ts";
import { RecentNames } from "./recent-names.ts";
import type { LoadTarget } from "./send/connection.ts";
import type { SenderCount } from "./send/sender-trial.ts";

/** Additional threads: one parses, a second one sends. `auto`: each if it pays. */
export type WorkerCount = "auto" | 0 | 1 | 2;

/** How many sockets should send. */
export function sendersOf(workers: WorkerCount): SenderCount {
  if (workers === "auto") return workers;
  return workers === 2 ? 2 : 1;
}

/** Below this, starting a thread costs more than it saves. */
const BYTES_MIN = 4 << 20;

/** The destination of a file's flows, and how its lines are read. */
export type FileFeedOptions = {
  readonly line: Omit<OpenOptions, "ports">;
  /** Reads the ports that flows may name; called again during a long stream. */
  readonly readPorts: () => readonly NumberedPort[];
  readonly workers: WorkerCount;
  /** `auto` detects it from the first bytes. */
  readonly format?: FlowFormat | "auto";
};

/** Opens flows from any source, in any format. Nothing is read yet. */
function sourceFeed(source: ByteSource, options: FileFeedOptions): FlowFeed {
  const { format = "auto", line, readPorts } = options;
  if (source.rewind !== undefined) {
    return openFeed({ source, format }, { ...line, ports: portNamesOf(readPorts()) });
  }
  const ports = new RecentNames(readPorts);
  return openFeed({ source: watched(source, () => ports.age()), format }, { ...line, ports });
}

// Calls `onPiece` for each piece that is read.
function watched(source: ByteSource, onPiece: () => void): ByteSource {
  const came = (count: number): number => {
    onPiece();
    return count;
  };
  return {
    ...source,
    read: (buffer, offset) => {
      const count = source.read(buffer, offset);
      return typeof count === "number" ? came(count) : count.then(came);
    },
  };
}

/**
 * Opens flows. The text of a file is parsed in a separate thread if there is a second CPU and
 * enough to do.
 * @param source owned by the feed; closed if this throws
 * @param target undefined in a dry run, which parses in the calling thread
 * @throws UnreadableInputError
 */
export async function fileFeed(
  source: ByteSource,
  sink: FlowSink,
  target: LoadTarget | undefined,
  options: FileFeedOptions,
): Promise<FlowFeed> {
  const { size, path } = source;
  // Another order is found, and kept, by one thread.
  if (options.line.order === "fast") return sourceFeed(source, options);
  if (target === undefined || path === undefined || !wanted(options.workers, size ?? 0)) {
    return sourceFeed(source, options);
  }
  if (!isTextFile(source, options.format)) return sourceFeed(source, options);
  source.close();
  const order = {
    path,
    line: options.line,
    ports: options.readPorts(),
    family: target.datapath.channel.family(OVS_FLOW_FAMILY).id,
    datapath: target.datapath.index,
  };
  // Loaded on demand: most files are too small for it.
  const { WorkerFeed } = await import("./thread/worker-feed.ts");
  const { capacity, memory } = sink.requests.batch;
  return new WorkerFeed(
    order,
    size,
    { messages: capacity, bytes: memory.size },
    { openHere: () => sourceFeed(fileSource(path), { ...options, format: "text" }) },
  );
}

function isTextFile(source: ByteSource, format: FlowFormat | "auto" = "auto"): boolean {
  if (format !== "auto" && format !== "text") return false;
  try {
    return isPlainText(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

function wanted(workers: WorkerCount, bytes: number): boolean {
  if (workers !== "auto") return workers > 0;
  return navigator.hardwareConcurrency > 1 && bytes >= BYTES_MIN;
}
