import type { LineVerb } from "../flow/line.ts";
import { ANY_PORTS, type NumberedPort, type PortNames, portNamesOf } from "../flow/ports.ts";
import type { TemplateFill } from "../flow/template.ts";
import type { FlowItem } from "../format/flows-feed.ts";
import type { FlowFeed } from "../format/feed.ts";
import { type FlowInput, type FeedOrder, openFeed } from "../format/open-feed.ts";
import { type ErrnoCode, errnoNumber } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import type { CallMaker } from "../sys/send-thread.ts";
import { Account } from "./account.ts";
import { fileFeed, type FileFeedOptions, sendersOf, type WorkerCount } from "./file-feed.ts";
import type { OnFlow } from "./dry-run.ts";
import type { FlowSink } from "./flow-sink.ts";
import { load, type LoadOptions, loadSync } from "./load.ts";
import type { LoadJournal } from "./load-journal.ts";
import type { FlowException } from "./outcome.ts";
import type { OutcomeTable } from "./outcome-table.ts";
import { RecentNames } from "./recent-names.ts";
import type { LoadReport } from "./report.ts";
import { type Batching, batchingForRate, completeBatching } from "./send/batching.ts";
import type { LoadTarget } from "./send/connection.ts";
import type { SenderCount } from "./send/sender-trial.ts";

/** The input of a load: bytes in a format, items of a script, or a template and its rows. */
export type LoadInput =
  FlowInput | { readonly items: Iterable<FlowItem> | AsyncIterable<FlowItem> } | TemplateFill;

/** All options of a load, for the library, `load`, `dpctl` and the demo. */
export type StartOptions = LoadOptions & {
  /** The verb for a flow whose line has none; `put` by default. */
  readonly mode?: LineVerb;
  /** Whether flows get a UFID, the hash of their key and mask; true by default. */
  readonly ufid?: boolean;
  /** The flows' owner, who is part of their UFIDs. By default the owner of the target, if any. */
  readonly owner?: string;
  /**
   * Whether {@link Flow}s of a script keep their identities; see `writeFlow`. For changes and
   * deletes.
   */
  readonly keepNames?: boolean;
  /** How requests are packed; by default as measured best. */
  readonly batching?: Partial<Batching>;
  /**
   * The order in which flows of a file of lines are sent: `file` by default; `fast` reads the file
   * twice, and sends those of the masks that most flows share first. Flows that overlap keep their
   * order.
   */
  readonly order?: FeedOrder;
  /** Additional threads; `auto` by default. A synchronous load parses in the calling thread. */
  readonly workers?: WorkerCount;
  /** Sockets that send; by default according to `workers`. */
  readonly senders?: SenderCount;
  /** Errnos that count as applied: EEXIST if the very same flow exists, ENOENT of a delete. */
  readonly tolerate?: readonly (number | ErrnoCode)[];
  /** Whether flows are found only by the identity in their requests, as `ovs-dpctl` finds them. */
  readonly exactIdentity?: boolean;
  /** Whether modifies and deletes by UFID are of flows that were just read: they are not read again. */
  readonly knownUfids?: boolean;
  /** Records how far the load got, and knows what an earlier run did. */
  readonly journal?: LoadJournal;
  /** Called for every flow that was not simply applied. */
  readonly onException?: (exception: FlowException) => void;
  /** Receives the outcome of each flow. */
  readonly outcomes?: OutcomeTable;
  /** In a dry run: called for each valid flow. */
  readonly onFlow?: OnFlow;
  /** Reads the ports that flows may name; by default those of the datapath, none in a dry run. */
  readonly readPorts?: () => readonly NumberedPort[];
  /**
   * In a dry run: whether any name is accepted as a port's; `sets`: in flow sets, which keep names
   * until they are loaded.
   */
  readonly anyPort?: boolean | "sets";
  /** In a dry run: the names of ports, regardless of existing ports. */
  readonly ports?: PortNames;
  /** Starts the thread of a second socket; a test's version may fail. */
  readonly startThread?: () => CallMaker;
};

/**
 * Loads an input into a datapath, or in a dry run judges it and sends nothing. All loads start
 * here. Closes the input.
 * @throws UnreadableInputError if nothing of the input could be read
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

/** As {@link startLoad}, but without yielding; the input must be readable without waiting. */
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

/** Uses the same owner for flows made from the input and flows looked for in the datapath. */
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

// Modules for only one kind of load are loaded on demand, synchronously.
function openSink(target: LoadTarget | "dry", options: StartOptions): FlowSink {
  const account = new Account(options.onException, options.outcomes);
  if (target === "dry") {
    const { DryRun }: typeof import("./dry-run.ts") = require("./dry-run.ts");
    return new DryRun(account, options.onFlow, options.journal);
  }
  const { batching, workers = "auto", senders = sendersOf(workers), tolerate } = options;
  const { Sender }: typeof import("./send/sender.ts") = require("./send/sender.ts");
  return new Sender(target, account, {
    batching: batchingForRate(completeBatching(batching), options.maxRate),
    tolerate: new Set(tolerate?.map(errnoOf)),
    senders,
    exactIdentity: options.exactIdentity === true,
    knownUfids: options.knownUfids === true,
    ...(options.startThread === undefined ? {} : { startThread: options.startThread }),
    ...(options.journal === undefined ? {} : { journal: options.journal }),
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

/** The names of ports if there is no datapath. */
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

function lineOf(options: StartOptions): FileFeedOptions["line"] {
  const { ufid = true, mode = "put", owner = "", order = "file" } = options;
  return {
    ufid,
    mode,
    owner,
    order,
    ...(options.anyPort === "sets" ? { setPorts: ANY_PORTS } : {}),
  };
}
