import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { Refusals } from "./refusals.ts";

/** What lines of pasted dumps had that flows have not, or had not that a kernel wants. */
export type LineNotes = {
  /** Lines of dumps to which was added, wildcarded, what the dump left out and a kernel wants. */
  readonly completed: number;
  /** What was passed over. */
  readonly passedOver: {
    /** Lines `flow-dump from pmd on cpu core: 3` and the like. */
    readonly headers: number;
    /** Names of members that no kernel's dump has: `dpe_packets`. The first 16. */
    readonly members: readonly string[];
  };
};

export const NO_NOTES: LineNotes = { completed: 0, passedOver: { headers: 0, members: [] } };

/**
 * Flows from an input in one of the formats. A load calls {@link pump} until nothing is at hand, sends
 * the requests that it gets, and calls {@link fill}.
 */
export type FlowFeed = {
  /** What the input is called in messages. */
  readonly name: string;
  /** Bytes in all, where that is known beforehand. */
  readonly bytesTotal: number | undefined;
  /** Bytes taken so far. */
  readonly bytesRead: number;
  /** Number of the last line, or flow, that was taken. */
  readonly line: number;
  /** Of the lines that were taken; absent where there are none, or where they are no text. */
  readonly notes?: LineNotes | undefined;
  /** Why it has no thread of its own, where it was to have one that did not start. */
  readonly withoutThread?: string | undefined;
  /**
   * Puts flows into `requests` until their batch is full or has no room, or nothing is at hand; those that
   * cannot be sent into `refusals`.
   * @returns what is to be sent, and its batch cleared, before more is pumped: `requests`, or others that
   *   were filled elsewhere; undefined where nothing is at hand, and `requests` hold what was before
   */
  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined;
  /**
   * Gets more of the input.
   * @returns false at its end, a promise where it has to be waited for
   * @throws UnreadableInputError
   */
  fill(): boolean | Promise<boolean>;
  /**
   * The bytes of a line whose flow is on its way, as it stands in the input, asked for in the order of the lines;
   * valid until {@link pump}.
   * @returns undefined where they are gone; absent where flows have no lines
   */
  lineText?(line: number): Uint8Array | undefined;
  close(): void;
};
