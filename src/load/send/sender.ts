import { createHistogram } from "node:perf_hooks";
import type { Batch } from "../../netlink/batch.ts";
import type { Transactor, TransactorCounters } from "../../netlink/transactor.ts";
import { FlowRequests } from "../../ovs/flow-requests.ts";
import { EEXIST, ENOENT } from "../../sys/errno.ts";
import { MillraceError } from "../../sys/errors.ts";
import type { CallEnd } from "../../sys/hand-over.ts";
import type { CallMaker } from "../../sys/send-thread.ts";
import type { Account } from "../account.ts";
import type { FlowSink } from "../flow-sink.ts";
import type { Histogram } from "../report.ts";
import type { LoadJournal } from "../load-journal.ts";
import { type LoadTarget, SendConnection } from "./connection.ts";
import { SecondSender } from "./second-sender.ts";
import { DEFAULT_BATCHING, type Batching } from "./batching.ts";
import { onlyCreates } from "../settle/segments.ts";
import { type SenderCount, SenderTrial } from "./sender-trial.ts";
import type { Settler } from "../settle/settler.ts";

/** Options of a sender. */
export type SenderOptions = {
  /** {@link DEFAULT_BATCHING} by default. */
  readonly batching?: Batching;
  /** Errnos that count as applied; see `SettleOptions`. */
  readonly tolerate?: ReadonlySet<number>;
  /** Whether flows are found only by the identity in their requests, as `ovs-dpctl` finds them. */
  readonly exactIdentity?: boolean;
  /** See `ExecuteOptions`. */
  readonly knownUfids?: boolean;
  /**
   * How many sockets send; `auto` by default. Only sendmmsg allows 2. With other transports, or if
   * the load keeps a rate, `auto` means 1.
   */
  readonly senders?: SenderCount;
  /** Starts the thread of the second socket; a test's version may fail. */
  readonly startThread?: () => CallMaker;
  readonly journal?: LoadJournal;
};

/** Why a load ends, by how the last call of its sending thread ended. */
const FAILURES: Readonly<Record<CallEnd, string>> = {
  made: "",
  failed: "the thread that sends half of each batch failed: what it was to send was read back",
  late: "the thread that sends half of each batch does not answer: what it was to send is unknown",
};

/** Nanoseconds, from a microsecond to a day: a histogram of all that a number holds takes twice the memory. */
const LATENCIES = { lowest: 1000, highest: 86_400e9, figures: 3 };

/** What a repeated request may find, if the first one was carried out. */
const REPEATED: ReadonlySet<number> = new Set([EEXIST, ENOENT]);

/** Sends flows to the kernel by a connection that it borrows, keeps time, and settles every flow. */
export class Sender implements FlowSink {
  readonly account: Account;
  readonly requests: FlowRequests;
  firstSendAt = 0;
  lastReplyAt = 0;
  batches = 0;
  fatalErrno = 0;
  failure = "";
  withoutThread = "";
  resumed = 0;

  readonly #latency = createHistogram(LATENCIES);
  readonly #connection: SendConnection;
  readonly #transactor: Transactor;
  /** The counters at the beginning, since other loads may have used the connection. */
  readonly #before: TransactorCounters;
  readonly #readCallsBefore: number;
  /** Made when a flow first fails. */
  #settler: Settler | undefined;
  /** Flows read by settlers before this one. */
  #readsBefore = 0;
  readonly #journal: LoadJournal | undefined;
  /** Whether an earlier run may have sent the batch. */
  #isRepeated = false;
  readonly #target: LoadTarget;
  readonly #tolerate: ReadonlySet<number>;
  readonly #exactIdentity: boolean;
  readonly #knownUfids: boolean;
  readonly #startThread: (() => CallMaker) | undefined;
  /** When the settler began a batch that was not sent before; 0 if it did not. */
  #begunAt = 0;
  readonly #trial: SenderTrial;
  /** Made when the trial first needs it. */
  #second: SecondSender | undefined;

  /** @throws MillraceError `USAGE` if two sockets are requested but cannot send */
  constructor(target: LoadTarget, account: Account, options: SenderOptions = {}) {
    const { batching = DEFAULT_BATCHING, tolerate = new Set() } = options;
    const { datapath } = target;
    const { channel } = datapath;
    this.account = account;
    this.#target = target;
    this.#tolerate = tolerate;
    this.#exactIdentity = options.exactIdentity === true;
    this.#knownUfids = options.knownUfids === true;
    this.#startThread = options.startThread;
    this.#journal = options.journal;
    // A thread can only call the machine's kernel.
    const isAlone = channel.kernel !== undefined && options.startThread === undefined;
    this.#trial = new SenderTrial(isAlone ? 1 : sendersFor(options));
    this.#connection =
      target.connections?.take(channel, batching) ?? new SendConnection(channel, batching);
    this.#transactor = this.#connection.transactor;
    this.#before = { ...this.#transactor.counters };
    this.#readCallsBefore = this.#connection.readCalls;
    this.requests = FlowRequests.to(datapath, this.#connection.batch);
  }

  get latency(): Histogram {
    return this.#latency;
  }

  get systemCalls(): number {
    const { systemCalls } = this.#transactor.counters;
    const others =
      (this.#second?.systemCalls ?? 0) + this.#connection.readCalls - this.#readCallsBefore;
    return systemCalls - this.#before.systemCalls + others;
  }

  get reads(): number {
    return this.#readsBefore + (this.#settler?.reads ?? 0);
  }

  get senders(): 1 | 2 {
    return this.#trial.senders;
  }

  get bytes(): number {
    const { bytes } = this.#transactor.counters;
    return bytes - this.#before.bytes + (this.#second?.bytes ?? 0);
  }

  send({ batch }: FlowRequests, due: number): boolean {
    const isNew = this.#settler?.busy !== true;
    if (isNew && (this.#isResumed(batch) || this.#sendWhole(batch))) {
      this.account.applied(batch.count);
    } else {
      const settled = this.#settler?.settle(due) ?? true;
      this.lastReplyAt = performance.now();
      if (!settled) return false;
      this.#countBegun();
      this.fatalErrno = this.#settler?.fatalErrno ?? 0;
      this.failure = FAILURES[this.#second?.lastCall ?? "made"];
    }
    batch.clear();
    return true;
  }

  paced(): void {
    this.#trial.giveUp();
  }

  abandon(): void {
    this.#settler?.abandon();
  }

  // Whether an earlier run did all of a batch, so that nothing is sent.
  #isResumed(batch: Batch): boolean {
    if (this.#journal === undefined) return false;
    const before = this.#journal.begin(batch);
    if (before === "applied") {
      this.resumed += batch.count;
      this.lastReplyAt = performance.now();
      return true;
    }
    const isRepeated = before === "perhaps";
    if (isRepeated !== this.#isRepeated) {
      // Other flows are tolerated from here on.
      this.#readsBefore = this.reads;
      this.#settler = undefined;
      this.#isRepeated = isRepeated;
    }
    return false;
  }

  // Sends a batch that needs no look at the kernel first. Returns whether it is finished: no
  // message failed.
  #sendWhole(batch: Batch): boolean {
    if (this.#settler?.looksFirst === true || !onlyCreates(batch)) {
      const now = performance.now();
      if (this.batches === 0) this.firstSendAt = now;
      this.#begunAt = now;
      this.#settlerOf().begin(batch, false);
      return false;
    }
    this.#send(batch);
    if (batch.failures === 0) return true;
    this.#settlerOf().begin(batch, true);
    return false;
  }

  // Counts a batch sent by the settler when it is done: reads and requests are one piece of work.
  #countBegun(): void {
    if (this.#begunAt === 0) return;
    const nanoseconds = (this.lastReplyAt - this.#begunAt) * 1e6;
    this.#latency.record(Math.max(1, Math.round(nanoseconds)));
    this.batches++;
    this.#begunAt = 0;
  }

  #settlerOf(): Settler {
    return (this.#settler ??= newSettler(this.#target, this.#connection, this.account, {
      tolerate: this.#isRepeated ? REPEATED : this.#tolerate,
      exactIdentity: this.#exactIdentity,
      knownUfids: this.#knownUfids,
    }));
  }

  #send(batch: Batch): void {
    const before = performance.now();
    if (this.batches === 0) this.firstSendAt = before;
    const by = this.#execute(batch);
    const after = performance.now();
    this.#trial.sent(by);
    if (this.batches > 0) this.#trial.record(by, ((after - this.lastReplyAt) * 1e3) / batch.count);
    this.lastReplyAt = after;
    this.#latency.record(Math.max(1, Math.round((this.lastReplyAt - before) * 1e6)));
    this.batches++;
  }

  // Returns how many sockets sent it.
  #execute(batch: Batch): 1 | 2 {
    const second = this.#trial.next === 2 ? this.#secondSender() : undefined;
    if (second !== undefined) {
      if (second.execute(batch, this.#transactor)) {
        // Requests that the thread may still be sending cannot be read back.
        if (second.lastCall === "late") this.#settlerOf().abandon();
        return 2;
      }
      if (second.startFailure !== undefined)
        this.#sendAlone("the thread that sends did not start", second.startFailure);
    }
    this.#transactor.execute(batch);
    return 1;
  }

  // Opened when it is first needed. A load does not end for want of it.
  #secondSender(): SecondSender | undefined {
    if (this.#second !== undefined || this.withoutThread !== "") return this.#second;
    try {
      return (this.#second = new SecondSender(
        this.#target.datapath.channel,
        this.#transactor.packing,
        this.requests.batch.capacity,
        this.#startThread?.(),
      ));
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#sendAlone("the second socket was not opened", error.message);
      return undefined;
    }
  }

  #sendAlone(what: string, why: string): void {
    if (this.withoutThread !== "") return;
    this.#trial.giveUp();
    this.withoutThread = `${what}, one socket sent all: ${why}`;
  }

  [Symbol.dispose](): void {
    this.#second?.[Symbol.dispose]();
    // If the kernel took no more flows, replies may still arrive.
    const { connections } = this.#target;
    if (connections !== undefined && this.fatalErrno === 0 && this.failure === "")
      connections.give(this.#connection);
    else this.#connection.close();
  }
}

// Most loads have nothing to settle, and reasons and rules are a fifth of all modules: they are
// loaded, synchronously, when a flow fails.
function newSettler(...args: ConstructorParameters<typeof Settler>): Settler {
  const { Settler }: typeof import("../settle/settler.ts") = require("../settle/settler.ts");
  return new Settler(...args);
}

// The thread of the second socket only has sendmmsg.
function sendersFor({ batching = DEFAULT_BATCHING, senders = "auto" }: SenderOptions): SenderCount {
  if (batching.transport !== "sendmmsg") {
    if (senders !== 2) return 1;
    throw new MillraceError(
      "USAGE",
      `two sockets cannot send by ${batching.transport}: only by sendmmsg`,
    );
  }
  return senders === "auto" && navigator.hardwareConcurrency < 2 ? 1 : senders;
}
