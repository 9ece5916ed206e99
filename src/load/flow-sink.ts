import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { Account } from "./account.ts";
import type { Histogram } from "./report.ts";

/** The destination of flow requests: the kernel, or none in a dry run. */
export type FlowSink = Disposable & {
  readonly account: Account;
  /** Requests for a feed to fill, in a batch whose size suits the sink. */
  readonly requests: FlowRequests;
  /**
   * Sends requests, settles every flow of them, and clears their batch. Settling failed flows may
   * require further requests, one per flow; after `due`, that is postponed.
   * @param requests the sink's, or others framed for it
   * @param due a time of performance.now()
   * @returns false if flows remain to be settled: call again with the same requests, and put
   * nothing into the batch
   */
  send(requests: FlowRequests, due: number): boolean;
  /**
   * Called before the first batch if the load rests to keep a rate, so that the time between
   * batches means nothing.
   */
  paced(): void;
  /** Stops asking the kernel about flows that remain to be settled. */
  abandon(): void;
  /** A time of performance.now(); 0 before the first batch. */
  readonly firstSendAt: number;
  readonly lastReplyAt: number;
  readonly batches: number;
  readonly systemCalls: number;
  /** Flows that were not sent, because an earlier run applied them; see `LoadJournal`. */
  readonly resumed: number;
  /** Flows read from the kernel to settle others. */
  readonly reads: number;
  readonly bytes: number;
  /** Nanoseconds of each batch, from first send to last reply. */
  readonly latency: Histogram;
  /** Sockets that sent at the end; 1 while a trial finds out whether two are faster. */
  readonly senders: 1 | 2;
  /** Why it sends without an intended thread; empty if none was intended, or if it has it. */
  readonly withoutThread: string;
  /** The errno after which the kernel takes no more flows; 0 while there is none. */
  readonly fatalErrno: number;
  /**
   * A failure of the sink itself, in words, after which it sends nothing; empty if there is none.
   */
  readonly failure: string;
};
