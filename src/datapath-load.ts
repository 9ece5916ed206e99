import type { Flow } from "./flow/flow.ts";
import { TemplateFill } from "./flow/template.ts";
import type { FlowFeed } from "./format/feed.ts";
import { type FlowInput, openFeed } from "./format/open-feed.ts";
import { TemplateFeed } from "./format/template-feed.ts";
import { type FlowSource, inputOf, synchronousInput } from "./flow-source.ts";
import { fileFeed, type FileFeedOptions, sendersOf, type WorkerCount } from "./load/file-feed.ts";
import { load, type LoadOptions, loadSync } from "./load/load.ts";
import { Account, type FlowException, OutcomeTable } from "./load/outcome.ts";
import { LoadResult } from "./load/result.ts";
import { type LoadTarget, Sender } from "./load/send/sender.ts";
import { completeShape, type SenderShape, shapeForRate } from "./load/send/batching.ts";
import type { SenderCount } from "./load/send/sender-trial.ts";
import type { FlowVerb } from "./ovs/flow-requests.ts";
import { listPorts, type PortInfo, portNames } from "./ovs/vport.ts";

/** How the library loads. */
export type DatapathLoadOptions = LoadOptions & {
  /** What is done with a flow whose line does not say; `put` by default. */
  readonly mode?: FlowVerb;
  /** Flows get a UFID, the hash of their key and mask; true by default. */
  readonly ufid?: boolean;
  readonly shape?: Partial<SenderShape>;
  /**
   * Threads beside the caller's: 0, none; 1 parses the text of a file (a `Bun.file`, a URL); 2, another one
   * sends half of each batch, too; `auto`, the default: each where it pays. A load without yielding parses
   * where it is.
   */
  readonly workers?: WorkerCount;
  /** Sockets that send: 1, 2, or `auto`, what measures faster; what `workers` says by default. */
  readonly senders?: SenderCount;
  /** Errnos that count as applied: EEXIST where the very same flow is there, ENOENT of a delete. */
  readonly tolerate?: readonly number[];
  /** Called for every flow that was not simply applied. */
  readonly onException?: (exception: FlowException) => void;
  /** Load also where ovs-vswitchd runs the datapath, and deletes what it did not make within seconds. */
  readonly force?: boolean;
};

/** What a load without yielding takes: nothing of it has to be waited for. */
export type SyncFlowSource = Uint8Array | TemplateFill | Iterable<string | Flow>;

/** @throws UnreadableInputError; MillraceError `NO_PERMISSION` */
export async function loadInto(
  target: LoadTarget,
  source: FlowSource,
  options: DatapathLoadOptions,
): Promise<LoadResult> {
  const table = new OutcomeTable();
  const sender = senderOf(target, table, options);
  const feed = await openFor(sender, () =>
    source instanceof TemplateFill
      ? new TemplateFeed(source.reader(options))
      : feedOf(target, inputOf(source), sender, options),
  );
  return new LoadResult(await load(feed, sender, options), table, sender.account);
}

/** As {@link loadInto}, without yielding. */
export function loadIntoSync(
  target: LoadTarget,
  source: SyncFlowSource,
  options: DatapathLoadOptions,
): LoadResult {
  const table = new OutcomeTable();
  const feed =
    source instanceof TemplateFill
      ? new TemplateFeed(source.reader(options))
      : openFeed(synchronousInput(source), {
          ...lineOptions(options),
          ports: portNames(target.channel, target.datapath),
        });
  const sender = senderOf(target, table, options);
  return new LoadResult(loadSync(feed, sender, options), table, sender.account);
}

function senderOf(target: LoadTarget, table: OutcomeTable, options: DatapathLoadOptions): Sender {
  const account = new Account(options.onException, table);
  const shape = shapeForRate(completeShape(options.shape), options.maxRate);
  const tolerate = new Set(options.tolerate);
  const senders = options.senders ?? sendersOf(options.workers ?? "auto");
  return new Sender(target, account, { shape, tolerate, senders });
}

/** Opens what is to be loaded; the sender is closed where that fails. */
async function openFor(
  sender: Sender,
  open: () => FlowFeed | Promise<FlowFeed>,
): Promise<FlowFeed> {
  try {
    return await open();
  } catch (error) {
    sender[Symbol.dispose]();
    throw error;
  }
}

function feedOf(
  target: LoadTarget,
  { source, format }: FlowInput,
  sender: Sender,
  options: DatapathLoadOptions,
): Promise<FlowFeed> {
  const readPorts = (): readonly PortInfo[] => listPorts(target.channel, target.datapath);
  const { workers = "auto" } = options;
  const line = lineOptions(options);
  return fileFeed(source, sender, target, {
    line,
    ports: readPorts(),
    readPorts,
    workers,
    format,
  });
}

function lineOptions({ ufid = true, mode = "put" }: DatapathLoadOptions): FileFeedOptions["line"] {
  return { ufid, mode };
}
