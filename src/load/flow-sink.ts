import type { RecordableHistogram } from "node:perf_hooks";
import type { Batch } from "../netlink/batch.ts";
import type { FlowVerb } from "../ovs/flow-requests.ts";
import type { Account } from "./outcome.ts";

/**
 * Where encoded flows go: the kernel, or nowhere in a dry run. A load begins a message, lets an
 * encoder append to the batch's writer, commits it, and flushes when the batch is full.
 */
export type Outlet = Disposable & {
  readonly account: Account;
  /** What is sent next: the outlet's own, or one that was filled elsewhere. */
  batch: Batch;
  /** The most messages and arena bytes of a batch that suits it. */
  readonly batchShape: { readonly messages: number; readonly bytes: number };
  /** Begins a flow's message in the batch, which must not be full. */
  begin(): void;
  /** Ends it. @returns false where it did not fit the arena: nothing is kept, flush first. */
  commit(verb: FlowVerb, line: number): boolean;
  /** Keeps messages that were put ready-made behind those of the batch; see `FlowMessages.commitReady`. */
  commitReady(bytes: number, verb: FlowVerb, line: number): void;
  /**
   * Sends the batch, settles every flow in it, and empties it. Settling what failed may take asking
   * the kernel again, flow by flow: after `due` that is put off.
   * @param due milliseconds as performance.now() counts them
   * @returns false where flows are still to be settled: flush again, and put nothing into the batch
   */
  flush(due: number): boolean;
  /** Said before the first flush where the load rests to keep a rate: the time from batch to batch means nothing. */
  paced(): void;
  /** The kernel is asked no more about the flows that are still to be settled. */
  abandon(): void;
  /** Milliseconds as performance.now() counts them; 0 before the first flush. */
  readonly firstSendAt: number;
  readonly lastReplyAt: number;
  readonly batches: number;
  readonly systemCalls: number;
  /** Flows that were read from the kernel to know what became of others. */
  readonly reads: number;
  readonly bytes: number;
  /** Nanoseconds of each batch, first send to last reply. */
  readonly latency: RecordableHistogram;
  /** Sockets that sent at the end; 1 while it is found out whether two are faster. */
  readonly senders: 1 | 2;
  /** The errno after which no flow will be taken any more; 0 while there is none. */
  readonly fatalErrno: number;
  /** What of the outlet's own broke, in words, after which it sends nothing; empty where nothing did. */
  readonly failure: string;
};
