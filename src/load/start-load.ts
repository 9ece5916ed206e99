import type { LineVerb } from "../flow/line.ts";
import { ANY_PORTS, type NumberedPort, type PortNames, portNamesOf } from "../flow/ports.ts";
import type { TemplateFill } from "../flow/template.ts";
import type { FlowItem } from "../format/flows-feed.ts";
import type { FlowFeed } from "../format/feed.ts";
import { type FlowInput, openFeed } from "../format/open-feed.ts";
import { type ErrnoCode, errnoNumber } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import type { CallMaker } from "../sys/send-thread.ts";
import { Account } from "./account.ts";
import { fileFeed, type FileFeedOptions, sendersOf, type WorkerCount } from "./file-feed.ts";
import type { OnFlow } from "./dry-run.ts";
import type { FlowSink } from "./flow-sink.ts";
import { load, type LoadOptions, loadSync } from "./load.ts";
import type { FlowException } from "./outcome.ts";
import type { OutcomeTable } from "./outcome-table.ts";
import { RecentNames } from "./recent-names.ts";
import type { LoadReport } from "./report.ts";
import { type Batching, batchingForRate, completeBatching } from "./send/batching.ts";
import type { LoadTarget } from "./send/connection.ts";
import type { SenderCount } from "./send/sender-trial.ts";

/** What is loaded: bytes in a format, what a script gives, or a template and its rows. */
export type LoadInput =
  FlowInput | { readonly items: Iterable<FlowItem> | AsyncIterable<FlowItem> } | TemplateFill;

/** Everything that a load can be told: by the library, by `load` and `dpctl`, by the demo. */
export type StartOptions = LoadOptions & {
  /** What is done with a flow whose line does not say; `put` by default. */
  readonly mode?: LineVerb;
  /** Flows get a UFID, the hash of their key and mask; true by default. */
  readonly ufid?: boolean;
  /** Whose flows they are: it goes into their UFIDs. The owner of the target by default, or nobody. */
  readonly owner?: string;
  /** Flows that were read, of a script, are named as they are; see `writeFlow`. For changes and deletes. */
  readonly keepNames?: boolean;
  /** How requests are packed; what measured best by default. */
  readonly batching?: Partial<Batching>;
  /** Threads beside the caller's; `auto` by default. A load without yielding parses where it is. */
  readonly workers?: WorkerCount;
  /** Sockets that send; what `workers` says by default. */
  readonly senders?: SenderCount;
  /** Errnos that count as applied: EEXIST where the very same flow is there, ENOENT of a delete. */
  readonly tolerate?: readonly (number | ErrnoCode)[];
  /** Flows are found by what their requests name them by alone, as `ovs-dpctl` finds them. */
  readonly exactIdentity?: boolean;
  /** Called for every flow that was not simply applied. */
  readonly onException?: (exception: FlowException) => void;
  /** Takes what became of each flow. */
  readonly outcomes?: OutcomeTable;
  /** In a dry run: is given each valid flow. */
  readonly onFlow?: OnFlow;
  /** Reads the ports that flows may name: those of the datapath by default, none in a dry run. */
  readonly readPorts?: () => readonly NumberedPort[];
  /** In a dry run: any name is one of a port. */
  readonly anyPort?: boolean;
  /** In a dry run: what names of ports mean, whatever ports there are. */
  readonly ports?: PortNames;
  /** Starts the thread of a second socket; a test's may fail. */
  readonly startThread?: () => CallMaker;
};

/**
 * Loads an input into a datapath, or in a dry run judges it and sends nothing. The one recipe of a load.
 * Closes the input.
 * @throws UnreadableInputError where nothing of the input could be read
 */
export async function startLoad(
  to: LoadTarget | "dry",
  input: LoadInput,
  told: StartOptions,
): Promise<LoadReport> {
  const [target, options] = withOwner(to, told);
  const sink = openSink(target, options);
  let feed: FlowFeed;
  try {
    feed = await openInput(target, input, sink, options);
  } catch (error) {
    sink[Symbol.dispose]();
    throw error;
  }
  return load(feed, sink, options);
}

/** As {@link startLoad}, without yielding: nothing of the input may have to be waited for. */
export function startLoadSync(
  to: LoadTarget | "dry",
  input: LoadInput,
  told: StartOptions,
): LoadReport {
  const [target, options] = withOwner(to, told);
  const feed =
    "source" in input
      ? openFeed(input, { ...lineOf(options), ports: portNamesOf(portReader(target, options)()) })
      : scriptFeed(target, input, options);
  return loadSync(feed, openSink(target, options), options);
}

/** One owner for what is made of the input and for what is looked for in the datapath. */
function withOwner(
  target: LoadTarget | "dry",
  options: StartOptions,
): [target: LoadTarget | "dry", options: StartOptions] {
  if (target === "dry") return [target, options];
  const { owner = target.owner ?? "" } = options;
  return [
    { ...target, owner },
    { ...options, owner },
  ];
}

// What only one kind of load wants is loaded for that, without waiting.
function openSink(target: LoadTarget | "dry", options: StartOptions): FlowSink {
  const account = new Account(options.onException, options.outcomes);
  if (target === "dry") {
    const { DryRun }: typeof import("./dry-run.ts") = require("./dry-run.ts");
    return new DryRun(account, options.onFlow);
  }
  const { batching, workers = "auto", senders = sendersOf(workers), tolerate } = options;
  const { Sender }: typeof import("./send/sender.ts") = require("./send/sender.ts");
  return new Sender(target, account, {
    batching: batchingForRate(completeBatching(batching), options.maxRate),
    tolerate: new Set(tolerate?.map(errnoOf)),
    senders,
    exactIdentity: options.exactIdentity === true,
    ...(options.startThread === undefined ? {} : { startThread: options.startThread }),
  });
}

/** @throws MillraceError `USAGE` */
function errnoOf(tolerated: number | ErrnoCode): number {
  const errno = typeof tolerated === "number" ? tolerated : errnoNumber(tolerated);
  if (errno !== undefined) return errno;
  throw new MillraceError("USAGE", `tolerate: found "${tolerated}", expected the name of an errno`);
}

function openInput(
  target: LoadTarget | "dry",
  input: LoadInput,
  sink: FlowSink,
  options: StartOptions,
): FlowFeed | Promise<FlowFeed> {
  if (!("source" in input)) return scriptFeed(target, input, options);
  const ports = namesIn(options);
  if (ports !== undefined) return openFeed(input, { ...lineOf(options), ports });
  const readPorts = portReader(target, options);
  return fileFeed(input.source, sink, target === "dry" ? undefined : target, {
    line: lineOf(options),
    readPorts,
    workers: options.workers ?? "auto",
    format: input.format,
  });
}

function scriptFeed(
  target: LoadTarget | "dry",
  input: Exclude<LoadInput, FlowInput>,
  options: StartOptions,
): FlowFeed {
  if ("items" in input) {
    const {
      FlowsFeed,
    }: typeof import("../format/flows-feed.ts") = require("../format/flows-feed.ts");
    const line = { ...lineOf(options), keepNames: options.keepNames === true };
    const ports = namesIn(options);
    if (ports !== undefined) return new FlowsFeed("flows", input.items, { ...line, ports });
    const recent = new RecentNames(portReader(target, options));
    return new FlowsFeed("flows", input.items, { ...line, ports: recent }, () => recent.age());
  }
  const {
    TemplateFeed,
  }: typeof import("../format/template-feed.ts") = require("../format/template-feed.ts");
  return new TemplateFeed(input.reader(options));
}

/** What names of ports mean where no datapath says so. */
function namesIn({ anyPort, ports }: StartOptions): PortNames | undefined {
  return anyPort === true ? ANY_PORTS : ports;
}

function portReader(
  target: LoadTarget | "dry",
  { readPorts }: StartOptions,
): () => readonly NumberedPort[] {
  if (readPorts !== undefined) return readPorts;
  if (target === "dry") return () => [];
  const { listPorts }: typeof import("../ovs/vport.ts") = require("../ovs/vport.ts");
  return () => listPorts(target.datapath);
}

function lineOf({ ufid = true, mode = "put", owner = "" }: StartOptions): FileFeedOptions["line"] {
  return { ufid, mode, owner };
}
