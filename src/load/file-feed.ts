import type { FlowLineOptions } from "../flow/line.ts";
import { type NumberedPort, portNamesOf } from "../flow/ports.ts";
import { type FlowFormat, isPlainText } from "../format/detect.ts";
import type { FlowFeed } from "../format/feed.ts";
import { openFeed } from "../format/open-feed.ts";
import { type ByteSource, fileSource } from "../format/source.ts";
import { OVS_FLOW_FAMILY } from "../uapi/openvswitch.ts";
import type { FlowSink } from "./flow-sink.ts";
import { RecentNames } from "./recent-names.ts";
import type { LoadTarget } from "./send/connection.ts";
import type { SenderCount } from "./send/sender-trial.ts";

/** Threads beside the first one: one parses, a second one sends, too. `auto`: each where it pays. */
export type WorkerCount = "auto" | 0 | 1 | 2;

/** How many sockets are to send. */
export function sendersOf(workers: WorkerCount): SenderCount {
  if (workers === "auto") return workers;
  return workers === 2 ? 2 : 1;
}

/** Below this, starting a thread costs more than it saves. */
const BYTES_MIN = 4 << 20;

/** Where the flows of a file go, and how its lines are read. */
export type FileFeedOptions = {
  readonly line: Omit<FlowLineOptions, "ports">;
  /** Reads the ports that flows may name; for a stream again as it goes on. */
  readonly readPorts: () => readonly NumberedPort[];
  readonly workers: WorkerCount;
  /** `auto`: as its first bytes tell. */
  readonly format?: FlowFormat | "auto";
};

/** Opens flows that come from somewhere, in whatever format. Nothing is read yet. */
function sourceFeed(source: ByteSource, options: FileFeedOptions): FlowFeed {
  const { format = "auto", line, readPorts } = options;
  if (source.rewind !== undefined) {
    return openFeed({ source, format }, { ...line, ports: portNamesOf(readPorts()) });
  }
  const ports = new RecentNames(readPorts);
  return openFeed({ source: watched(source, () => ports.age()), format }, { ...line, ports });
}

// Tells of each piece that comes.
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
 * Opens flows: the text of a file is parsed in a thread of its own where there is a second CPU and enough to do.
 * @param source which is the feed's from now on; it is closed where this throws
 * @param target undefined in a dry run, which parses where it is
 * @throws UnreadableInputError
 */
export async function fileFeed(
  source: ByteSource,
  sink: FlowSink,
  target: LoadTarget | undefined,
  options: FileFeedOptions,
): Promise<FlowFeed> {
  const { size, path } = source;
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
  // Loaded where it is wanted: most files are too small for it.
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
