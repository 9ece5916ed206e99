import type { QuotedLine } from "../flow/rules/quote.ts";
import type { Refusal } from "../flow/rules/refusal.ts";
import { type FlowFeed, NO_NOTES } from "../format/feed.ts";
import { Refusals } from "../format/refusals.ts";
import { UnreadableInputError } from "../format/source.ts";
import type { FlowRequests } from "../ovs/flow-requests.ts";
import { ENODEV, EPERM, ESTALE, errnoText } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import type { Account } from "./account.ts";
import type { FlowSink } from "./flow-sink.ts";
import { batchLatency, type LoadReport, peakResidentBytes } from "./report.ts";

/** Longest time between two visits to the event loop: signals, aborts, progress. */
const SLICE_MS = 50;

/** How long an aborted load goes on settling sent flows: SIGINT must end it within a second. */
const ABORT_GRACE_MS = 400;

/** While a source has nothing to read, flows already read are sent after this time. */
const LINGER_MS = 20;

/**
 * The most refused lines that wait for the flows before them; then those flows are sent, which
 * bounds memory.
 */
const REFUSALS_MAX = 1024;

/** Options of a load. */
export type LoadOptions = {
  /** What to do after a failed flow: continue (the default), or stop once its batch is settled. */
  readonly onError?: "continue" | "stop";
  /** The most flows per second. */
  readonly maxRate?: number;
  /**
   * Ends the load within a second: nothing is thrown, and the report says `interrupted` and
   * accounts for all sent flows. If it is already aborted, nothing is sent.
   */
  readonly signal?: AbortSignal;
  /** Called at least every 50 ms while the load runs. */
  readonly onProgress?: (progress: LoadProgress) => void;
};

/** The progress of a load. */
export type LoadProgress = {
  readonly bytesRead: number;
  readonly bytesTotal: number | undefined;
  readonly flows: number;
  readonly failures: number;
};

/**
 * Loads the flows of a feed into a sink. Yields to the event loop at least every 50 ms, and while
 * waiting for the input. Closes both.
 * @returns the account of every flow
 * @throws UnreadableInputError if nothing of the input could be read
 */
export async function load(
  feed: FlowFeed,
  sink: FlowSink,
  options: LoadOptions = {},
): Promise<LoadReport> {
  using run = new LoadRun(feed, sink, options);
  let due = performance.now() + SLICE_MS;
  for (;;) {
    const state = run.step(due);
    if (state === "done") break;
    if (state === "starved" && !(await run.refill())) break;
    const now = performance.now();
    if (now < due && run.restMs(now) <= 0) continue;
    run.progress();
    await visitEventLoop(run.restMs(now));
    while (!run.aborted && run.restMs(performance.now()) > 0) {
      await visitEventLoop(run.restMs(performance.now()));
    }
    due = performance.now() + SLICE_MS;
  }
  while (!run.flush(performance.now() + SLICE_MS)) {
    run.progress();
    await visitEventLoop(0);
  }
  return run.finish();
}

/**
 * As {@link load}, but without yielding: no other code, signal handler or abort runs meanwhile. The
 * input must be readable without waiting: a file, bytes, or a synchronous iterable.
 */
export function loadSync(feed: FlowFeed, sink: FlowSink, options: LoadOptions = {}): LoadReport {
  using run = new LoadRun(feed, sink, options);
  for (;;) {
    const state = run.step(Number.POSITIVE_INFINITY);
    if (state === "done" || (state === "starved" && !run.refillSync())) break;
    // A load that keeps a rate rests between batches, which is not its end.
    for (;;) {
      const restMs = run.restMs(performance.now());
      if (restMs <= 0) break;
      Bun.sleepSync(restMs);
    }
  }
  while (!run.flush(Number.POSITIVE_INFINITY));
  return run.finish();
}

function visitEventLoop(restMs: number): Promise<void> {
  return new Promise((resolve) => {
    if (restMs >= 1) setTimeout(resolve, Math.min(restMs, SLICE_MS));
    else setImmediate(resolve);
  });
}

type StepState =
  /** Nothing of the input can be read without waiting. */
  | "starved"
  /** The time slice is used up, or the load must rest. */
  | "due"
  /** The load is finished. */
  | "done";

class LoadRun implements Disposable {
  readonly #feed: FlowFeed;
  readonly #sink: FlowSink;
  readonly #account: Account;
  readonly #options: LoadOptions;
  readonly #startedAt = performance.now();
  #ended: LoadReport["ended"] = "complete";
  #endReason = "";
  #endCause: unknown;
  readonly #refusals: Refusals;
  /** The requests that the feed returned for sending; undefined while it fills the sink's. */
  #ready: FlowRequests | undefined;
  /** Whether the account has taken the batch, but some of its flows are not settled. */
  #unsettled = false;
  #graceEnd: number | undefined;

  constructor(feed: FlowFeed, sink: FlowSink, options: LoadOptions) {
    this.#feed = feed;
    this.#sink = sink;
    this.#account = sink.account;
    this.#options = options;
    // A load that stops at a failure reads nothing after it.
    this.#refusals = new Refusals(options.onError === "stop" ? 1 : REFUSALS_MAX);
    this.#account.quote = (line, broken) => quoteLine(feed, line, broken);
    if (options.maxRate !== undefined) sink.paced();
  }

  /** Works until the input must be waited for, or a batch ended after `due`. */
  step(due: number): StepState {
    // It may have broken or been aborted before it began or while it waited: take no more of the
    // input.
    if (this.#isBroken || this.aborted) return "done";
    while (this.#unsettled || this.#pump()) {
      if (!this.flush(due)) return this.aborted ? "done" : "due";
      if (this.#over()) return "done";
      const now = this.#sink.lastReplyAt;
      if (now >= due || this.restMs(now) > 0) return "due";
    }
    return this.#over() ? "done" : "starved";
  }

  /** Gets more of the input, waiting if necessary. @returns false if the load ends here */
  async refill(): Promise<boolean> {
    try {
      const more = this.#feed.fill();
      return typeof more === "boolean" ? more : await this.#wait(more);
    } catch (error) {
      this.#unreadable(error);
      return false;
    }
  }

  /** As {@link refill}, for input that never waits. */
  refillSync(): boolean {
    try {
      const more = this.#feed.fill();
      if (typeof more === "boolean") return more;
    } catch (error) {
      this.#unreadable(error);
      return false;
    }
    throw new MillraceError("NOT_SYNCHRONOUS", `${this.#feed.name} must be waited for`);
  }

  progress(): void {
    const { failures, settled } = this.#account;
    this.#options.onProgress?.({
      bytesRead: this.#feed.bytesRead,
      bytesTotal: this.#feed.bytesTotal,
      flows: settled,
      failures,
    });
  }

  /** Whether the load was aborted, so that it must not rest. */
  get aborted(): boolean {
    return this.#options.signal?.aborted === true;
  }

  /** How long the load must rest to keep its rate. */
  restMs(now: number): number {
    const { maxRate } = this.#options;
    const { firstSendAt, resumed } = this.#sink;
    if (maxRate === undefined || firstSendAt === 0) return 0;
    return ((this.#account.settled - resumed) / maxRate) * 1000 - (now - firstSendAt);
  }

  /**
   * Sends and settles the flows taken, so that all are accounted for.
   * @returns false if that is not done by `due`: do not pump before it is
   */
  flush(due: number): boolean {
    const sink = this.#sink;
    if (this.#isBroken) return true;
    const requests = this.#ready ?? sink.requests;
    if (!this.#unsettled) {
      this.#account.take(requests.batch, this.#refusals.list);
      this.#refusals.clear();
    } else if (this.aborted) {
      this.#graceEnd ??= performance.now() + ABORT_GRACE_MS;
      if (performance.now() >= this.#graceEnd) sink.abandon();
    }
    this.#unsettled = requests.batch.count > 0 && !sink.send(requests, due);
    if (this.#unsettled) return false;
    this.#ready = undefined;
    this.#account.tellRefusals();
    return true;
  }

  /** Makes the report of everything flushed. */
  finish(): LoadReport {
    this.#over();
    this.#account.tellRefusals();
    this.progress();
    const sink = this.#sink;
    const { counts } = this.#account;
    const seconds = sink.batches > 0 ? (sink.lastReplyAt - sink.firstSendAt) / 1000 : 0;
    const { resumed } = sink;
    return {
      ...counts,
      lines: this.#feed.line,
      ...(this.#feed.notes ?? NO_NOTES),
      ...(this.#feed.order === undefined ? {} : { order: this.#feed.order }),
      flowsPerSecond: seconds > 0 ? Math.round((counts.applied - resumed) / seconds) : 0,
      seconds,
      wholeSeconds: (performance.now() - this.#startedAt) / 1000,
      batches: sink.batches,
      systemCalls: sink.systemCalls,
      reads: sink.reads,
      resumed,
      bytes: sink.bytes,
      batchLatencyMicroseconds: batchLatency(sink.latency),
      peakResidentBytes: peakResidentBytes(),
      senders: sink.senders,
      withoutThreads: [this.#feed.withoutThread ?? "", sink.withoutThread].filter(
        (why) => why !== "",
      ),
      ended: this.#ended,
      endReason: this.#endReason,
      ...(sink.fatalErrno === 0 ? {} : { endErrno: sink.fatalErrno }),
      ...(this.#endCause === undefined ? {} : { endCause: this.#endCause }),
      errors: this.#account.firstExceptions,
    };
  }

  [Symbol.dispose](): void {
    this.#account.quote = undefined;
    this.#sink[Symbol.dispose]();
    this.#feed.close();
  }

  // Whether to stop: a flow failed, and the options say so.
  get #stops(): boolean {
    return this.#options.onError === "stop" && this.#account.failures > 0;
  }

  // Returns whether there is something to send.
  #pump(): boolean {
    this.#ready = this.#feed.pump(this.#sink.requests, this.#refusals);
    return this.#ready !== undefined;
  }

  // Waits for a source, and sends the flows already read meanwhile. An abort ends the wait.
  async #wait(more: Promise<boolean>): Promise<boolean> {
    const { signal } = this.#options;
    const aborted = Promise.withResolvers<boolean>();
    const onAbort = (): void => aborted.resolve(false);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted === true) onAbort();
    const send = (): void => {
      if (!this.flush(performance.now() + SLICE_MS)) linger = setTimeout(send, 0);
    };
    let linger = setTimeout(send, LINGER_MS);
    try {
      return await Promise.race([more, aborted.promise]);
    } finally {
      clearTimeout(linger);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  // Handles a read error: flows read before are loaded, and the report says so. If nothing was
  // read, there is no report and the error is thrown. A thread that failed always has a report: it
  // may have read more than was sent.
  #unreadable(error: unknown): void {
    if (error instanceof MillraceError && error.code === "WORKER") {
      this.#ended = "failed";
      this.#endReason = error.message;
      return;
    }
    if (!(error instanceof UnreadableInputError) || this.#feed.line === 0) throw error;
    this.#ended = "unreadable";
    this.#endReason = error.message;
    this.#endCause = error.cause;
  }

  // Whether the sink takes no more flows.
  get #isBroken(): boolean {
    return this.#sink.fatalErrno !== 0 || this.#sink.failure !== "";
  }

  // Whether the load ends here, and why.
  #over(): boolean {
    if (this.#ended !== "complete") return true;
    const { fatalErrno, failure } = this.#sink;
    if (failure !== "") {
      this.#ended = "failed";
      this.#endReason = failure;
    } else if (fatalErrno !== 0) {
      this.#ended = "fatal";
      this.#endReason = explainEnd(fatalErrno);
    } else if (this.#stops) this.#ended = "stopped";
    else if (this.aborted) this.#ended = "interrupted";
    return this.#ended !== "complete";
  }
}

// Loaded when a flow fails: most loads quote nothing.
function quoteLine(
  feed: FlowFeed,
  line: number,
  broken: Refusal | undefined,
): QuotedLine | undefined {
  const bytes = feed.lineText?.(line);
  if (bytes === undefined) return undefined;
  const { quote }: typeof import("../flow/rules/quote.ts") = require("../flow/rules/quote.ts");
  return quote(bytes, broken);
}

// Why a load ends at an errno after which the kernel takes no more flows.
function explainEnd(errno: number): string {
  if (errno === ENODEV) return "the datapath was deleted while flows were loaded";
  if (errno === ESTALE)
    return "the kernel's module openvswitch was loaded anew while the datapath was open";
  if (errno === EPERM)
    return "the kernel requires CAP_NET_ADMIN: run it with sudo, or in 'unshare -rn'";
  return `the kernel takes no more flows: ${errnoText(errno)}`;
}
