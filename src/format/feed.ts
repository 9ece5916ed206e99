import type { FlowOrder } from "../flow/mask-order.ts";
import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { Refusals } from "./refusals.ts";

/** What lines of pasted dumps had beyond a flow, and what they lacked that a kernel requires. */
export type LineNotes = {
  /** Lines of dumps that left out what a kernel requires; it was added, wildcarded. */
  readonly completed: number;
  /** What was skipped. */
  readonly passedOver: {
    /** Lines `flow-dump from pmd on cpu core: 3` and the like. */
    readonly headers: number;
    /** Names of members that no kernel's dump has, such as `dpe_packets`; the first 16. */
    readonly members: readonly string[];
  };
};

export const NO_NOTES: LineNotes = { completed: 0, passedOver: { headers: 0, members: [] } };

/**
 * Flows from an input in one of the formats. A load calls {@link pump} until nothing is left, sends
 * the requests that it returns, and then calls {@link fill}.
 */
export type FlowFeed = {
  /** The name of the input, for messages. */
  readonly name: string;
  /** The total number of bytes, if known beforehand. */
  readonly bytesTotal: number | undefined;
  /** Bytes taken so far. */
  readonly bytesRead: number;
  /** Number of the last line, or flow, taken. */
  readonly line: number;
  /** Notes on the lines taken; absent if there are none, or if the input is not text. */
  readonly notes?: LineNotes | undefined;
  /** The order of its flows, if another one than the input's was asked for; known when it gives flows. */
  readonly order?: FlowOrder | undefined;
  /** Why it has no thread, if one should have been started but failed. */
  readonly withoutThread?: string | undefined;
  /**
   * Puts flows into `requests` until their batch is full or nothing is left, and flows that cannot
   * be sent into `refusals`.
   * @returns the requests to send before pumping more, after which their batch is cleared:
   * `requests`, or others that were filled elsewhere; undefined if nothing is left: then `requests`
   * may hold flows for a later batch
   */
  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined;
  /**
   * Gets more of the input.
   * @returns false at its end, a promise if it is not there yet
   * @throws UnreadableInputError
   */
  fill(): boolean | Promise<boolean>;
  /**
   * The bytes in the input of a line whose flow is in flight; ask in the order of the lines. Valid
   * until {@link pump}.
   * @returns undefined if they are gone; the method is absent if flows have no lines
   */
  lineText?(line: number): Uint8Array | undefined;
  close(): void;
};
