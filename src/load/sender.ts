import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import type { Batch } from "../netlink/batch.ts";
import type { Transactor, TransactorCounters } from "../netlink/transactor.ts";
import type { OvsChannel } from "../ovs/channel.ts";
import type { DatapathInfo } from "../ovs/datapath.ts";
import { FlowMessages, type FlowVerb } from "../ovs/flow-message.ts";
import { MillraceError } from "../sys/errors.ts";
import type { CallEnd } from "../sys/hand-over.ts";
import type { SendThread } from "../sys/send-thread.ts";
import { OVS_FLOW_FAMILY } from "../uapi/openvswitch.ts";
import type { Account } from "./outcome.ts";
import type { Outlet } from "./outlet.ts";
import { Rig, type RigShelf } from "./rig.ts";
import { SecondSender } from "./second-sender.ts";
import { DEFAULT_SHAPE, type SenderShape } from "./sender-shape.ts";
import { onlyCreates } from "./segment.ts";
import { type SenderCount, SenderTrial } from "./sender-trial.ts";
import type { Settler } from "./settle.ts";
import { type Cut, type TunedCut, Tuner } from "./tuner.ts";

/** Where a load goes. */
export type LoadTarget = {
  readonly channel: OvsChannel;
  readonly datapath: DatapathInfo;
  /** Of whoever loads into it more than once. */
  readonly rigs?: RigShelf;
};

/** How a load is sent. */
export type SenderOptions = {
  /** {@link DEFAULT_SHAPE} by default. */
  readonly shape?: SenderShape;
  /** Errnos that count as applied; see `SettleOptions`. */
  readonly tolerate?: ReadonlySet<number>;
  /** Flows are found by what their requests name them by alone, as `ovs-dpctl` finds them. */
  readonly exactIdentity?: boolean;
  /** Find the best cut into datagrams while the load runs, instead of the shape's: its batches are the longest. */
  readonly tune?: boolean;
  /**
   * How many sockets send. `auto` by default, which is 1 with `tune`, by other transports than sendmmsg,
   * and where the load keeps to a rate; 2 is an error with the first two.
   */
  readonly senders?: SenderCount;
  /** Starts the thread of the second socket; a test's may fail. */
  readonly startThread?: () => SendThread;
};

/** Why a load ends, by how the last call of its sending thread did. */
const FAILURES: Readonly<Record<CallEnd, string>> = {
  made: "",
  failed: "the thread that sends half of each batch failed: what it was to send was read back",
  late: "the thread that sends half of each batch does not answer: what it was to send is unknown",
};

/** The outlet to the kernel: owns the arena and the socket, keeps time, settles every flow. */
export class Sender implements Outlet {
  readonly account: Account;
  readonly batchShape: { readonly messages: number; readonly bytes: number };
  batch: Batch;
  readonly latency: RecordableHistogram = createHistogram();
  firstSendAt = 0;
  lastReplyAt = 0;
  batches = 0;
  fatalErrno = 0;
  failure = "";

  readonly #rig: Rig;
  readonly #transactor: Transactor;
  /** What it had done before: other loads may have used it. */
  readonly #before: TransactorCounters;
  readonly #readCallsBefore: number;
  readonly #messages: FlowMessages;
  /** Made when a flow first fails. */
  #settler: Settler | undefined;
  /** Finds the best cut while the load runs; undefined where the shape is given. */
  readonly #tuner: Tuner | undefined;

  readonly #target: LoadTarget;
  readonly #tolerate: ReadonlySet<number>;
  readonly #exactIdentity: boolean;
  readonly #startThread: (() => SendThread) | undefined;
  /** When the settler began with a batch that was not sent before; 0 where it did not. */
  #begunAt = 0;
  readonly #trial: SenderTrial;
  /** Made when the trial first wants it. */
  #second: SecondSender | undefined;

  /** @throws MillraceError `USAGE` where two sockets are asked for and cannot send */
  constructor(target: LoadTarget, account: Account, options: SenderOptions = {}) {
    const { shape = DEFAULT_SHAPE, tolerate = new Set(), tune = false } = options;
    const { channel, datapath } = target;
    this.account = account;
    this.#target = target;
    this.#tolerate = tolerate;
    this.#exactIdentity = options.exactIdentity === true;
    this.#startThread = options.startThread;
    this.#trial = new SenderTrial(sendersFor(options));
    this.#messages = new FlowMessages(channel.family(OVS_FLOW_FAMILY).id, datapath.index);
    this.#rig = target.rigs?.take(channel, shape) ?? new Rig(channel, shape);
    this.#transactor = this.#rig.transactor;
    this.#before = { ...this.#transactor.counters };
    this.#readCallsBefore = this.#rig.readCalls;
    this.batch = this.#rig.batch;
    const messages = this.batch.capacity;
    this.batchShape = { messages, bytes: this.batch.memory.size };
    const { messagesPerDatagramMax: messagesPerDatagram, datagramsPerCallMax: datagramsPerCall } =
      this.#transactor;
    this.#tuner = tune ? new Tuner({ messages, messagesPerDatagram, datagramsPerCall }) : undefined;
    this.#cut();
  }

  get systemCalls(): number {
    const { systemCalls } = this.#transactor.counters;
    const others = (this.#second?.systemCalls ?? 0) + this.#rig.readCalls - this.#readCallsBefore;
    return systemCalls - this.#before.systemCalls + others;
  }

  get reads(): number {
    return this.#settler?.reads ?? 0;
  }

  get senders(): 1 | 2 {
    return this.#trial.senders;
  }

  get tuned(): TunedCut | undefined {
    return this.#tuner?.chosen;
  }

  get bytes(): number {
    const { bytes } = this.#transactor.counters;
    return bytes - this.#before.bytes + (this.#second?.bytes ?? 0);
  }

  begin(): void {
    this.#messages.begin(this.batch);
  }

  commit(verb: FlowVerb, line: number): boolean {
    return this.#messages.commit(this.batch, verb, line);
  }

  commitReady(bytes: number, verb: FlowVerb, line: number): void {
    this.#messages.commitReady(this.batch, bytes, verb, line);
  }

  flush(due: number): boolean {
    const { batch } = this;
    if (batch.count === 0) return true;
    if (this.#settler?.busy !== true && this.#sendWhole(batch)) {
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
    this.#cut();
    return true;
  }

  paced(): void {
    this.#trial.giveUp();
  }

  abandon(): void {
    this.#settler?.abandon();
  }

  // Sends a batch that may be sent as it is. Returns whether that is all: no message failed.
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

  // A batch that the settler sent counts when it is done: reads and requests are one piece of work.
  #countBegun(): void {
    if (this.#begunAt === 0) return;
    const nanoseconds = (this.lastReplyAt - this.#begunAt) * 1e6;
    this.latency.record(Math.max(1, Math.round(nanoseconds)));
    this.batches++;
    this.#begunAt = 0;
  }

  #settlerOf(): Settler {
    return (this.#settler ??= newSettler(this.#target, this.#rig, this.account, {
      tolerate: this.#tolerate,
      exactIdentity: this.#exactIdentity,
    }));
  }

  #send(batch: Batch): void {
    const { counters } = this.#transactor;
    const datagramsBefore = counters.datagrams;
    const before = performance.now();
    if (this.batches === 0) this.firstSendAt = before;
    const by = this.#execute(batch);
    const after = performance.now();
    this.#trial.sent(by);
    if (this.batches > 0) this.#trial.record(by, ((after - this.lastReplyAt) * 1e3) / batch.count);
    this.lastReplyAt = after;
    this.latency.record(Math.max(1, Math.round((this.lastReplyAt - before) * 1e6)));
    this.batches++;
    const microseconds = (after - before) * 1e3;
    this.#tuner?.record(
      batch.count,
      this.#cutOf(batch.count, counters.datagrams - datagramsBefore),
      microseconds,
    );
  }

  // Returns how many sockets sent it.
  #execute(batch: Batch): 1 | 2 {
    if (this.#trial.next === 2) {
      this.#second ??= new SecondSender(
        this.#target.channel,
        this.#transactor.shape,
        this.batchShape.messages,
        this.#startThread?.(),
      );
      if (this.#second.execute(batch, this.#transactor)) {
        // What it may still be doing cannot be read back.
        if (this.#second.lastCall === "late") this.#settlerOf().abandon();
        return 2;
      }
    }
    this.#transactor.execute(batch);
    return 1;
  }

  // How a batch was cut that left as so many datagrams; none did where the kernel took none.
  #cutOf(messages: number, datagrams: number): Cut {
    return {
      messagesPerDatagram: Math.ceil(messages / Math.max(1, datagrams)),
      datagramsPerCall: Math.min(Math.max(1, datagrams), this.#transactor.datagramsPerCallMax),
    };
  }

  #cut(): void {
    if (this.#tuner === undefined) return;
    const { messagesPerDatagram, datagramsPerCall } = this.#tuner.next;
    this.#transactor.cut(messagesPerDatagram);
    this.batch.limit = Math.min(this.batch.capacity, messagesPerDatagram * datagramsPerCall);
  }

  [Symbol.dispose](): void {
    this.#second?.[Symbol.dispose]();
    // Where the kernel took no more, replies may still be on their way.
    const { rigs } = this.#target;
    if (rigs !== undefined && this.fatalErrno === 0 && this.failure === "") rigs.give(this.#rig);
    else this.#rig.close();
  }
}

// Most loads have nothing to settle, and reasons and rules are a fifth of all modules: they are loaded when a
// flow fails, without waiting.
function newSettler(...args: ConstructorParameters<typeof Settler>): Settler {
  const { Settler }: typeof import("./settle.ts") = require("./settle.ts");
  return new Settler(...args);
}

// The tuner changes the cut from batch to batch, and a thread knows sendmmsg alone.
function sendersFor({
  shape = DEFAULT_SHAPE,
  tune = false,
  senders = "auto",
}: SenderOptions): SenderCount {
  if (tune || shape.transport !== "sendmmsg") {
    if (senders !== 2) return 1;
    const what = tune ? "while the cut is tuned" : `by ${shape.transport}`;
    throw new MillraceError("USAGE", `two sockets cannot send ${what}: by sendmmsg alone`);
  }
  return senders === "auto" && navigator.hardwareConcurrency < 2 ? 1 : senders;
}
