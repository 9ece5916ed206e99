import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { Account } from "./account.ts";
import type { Histogram } from "./report.ts";

/** Where flow requests go: the kernel, or nowhere in a dry run. */
export type FlowSink = Disposable & {
  readonly account: Account;
  /** Requests for a feed to fill, in a batch of the size that suits the sink. */
  readonly requests: FlowRequests;
  /**
   * Sends requests, settles every flow of them, and clears their batch. Settling what failed may take asking
   * the kernel again, flow by flow: after `due` that is put off.
   * @param requests the sink's own, or others that were framed for it
   * @param due milliseconds as performance.now() counts them
   * @returns false where flows are still to be settled: send the same again, and put nothing into the batch
   */
  send(requests: FlowRequests, due: number): boolean;
  /** Said before the first batch where the load rests to keep a rate: the time between batches means nothing. */
  paced(): void;
  /** The kernel is asked no more about the flows that are still to be settled. */
  abandon(): void;
  /** Milliseconds as performance.now() counts them; 0 before the first batch. */
  readonly firstSendAt: number;
  readonly lastReplyAt: number;
  readonly batches: number;
  readonly systemCalls: number;
  /** Flows that were read from the kernel to know what became of others. */
  readonly reads: number;
  readonly bytes: number;
  /** Nanoseconds of each batch, first send to last reply. */
  readonly latency: Histogram;
  /** Sockets that sent at the end; 1 while it is found out whether two are faster. */
  readonly senders: 1 | 2;
  /** Why it sends without a thread that it was to have; empty where it was to have none, or has it. */
  readonly withoutThread: string;
  /** The errno after which no flow will be taken any more; 0 while there is none. */
  readonly fatalErrno: number;
  /** What of the sink's own broke, in words, after which it sends nothing; empty where nothing did. */
  readonly failure: string;
};
