import type { LineVerb } from "../flow/line.ts";
import type { FlowSyntaxError } from "../flow/text/syntax-error.ts";
import type { Batch } from "../netlink/batch.ts";

/** Why a flow cannot be sent. */
export type FlowRefusal = {
  /** 1-based line of the input, or number of the flow where there are no lines. */
  readonly line: number;
  /** 1-based, in bytes. */
  readonly column: number;
  /** Which rule: `FLOW_SYNTAX`. */
  readonly code: string;
  readonly reason: string;
  /** The text around the column. */
  readonly text: string;
  /** Which character of the text is the one at the column; absent where none is. */
  readonly caret?: number;
};

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

/** The refusal of a line that is not in the language. */
export function refusalOfSyntax(line: number, error: FlowSyntaxError): FlowRefusal {
  const { column, code, reason, text, caretAt: caret } = error;
  return { line, column, code, reason, text, caret };
}

/** Takes flows one by one; a load offers one to its feed. */
export type FlowSink = {
  /** Where the attributes of the flow that was begun are appended. */
  readonly batch: Batch;
  /** The load ends here, or refusals wait to be told: the batch is to be sent before more is pumped. */
  readonly ended: boolean;
  /** Begins a flow's request; the batch is not full. */
  begin(): void;
  /**
   * Ends it.
   * @param line 1-based line of the input, or number of the flow where there are no lines
   * @returns false where the arena has no room: nothing is kept, and the flow is to be encoded again
   *   after the batch has been sent
   */
  commit(verb: LineVerb, line: number): boolean;
  /**
   * Keeps messages that were put ready-made behind those of the batch; see `FlowMessages.commitReady`.
   * @param bytes of all of them; the batch has room for as many
   * @param verb of those that put
   * @param line from which their sequence numbers count their lines
   */
  commitReady(bytes: number, verb: LineVerb, line: number): void;
  /**
   * Keeps copies of a message that was committed here, laid behind those of the batch and changed; see
   * `Batch.commitCopies`.
   * @param bytes of each
   * @param line of the first one; the others' follow
   */
  commitCopies(count: number, bytes: number, line: number): void;
  /**
   * Takes a batch that was filled elsewhere instead of its own; {@link FlowFeed.pump} returns true
   * then, and may use the batch again when it is called the next time.
   * @param refusals of the same part of the input, by line
   */
  adopt(batch: Batch, refusals: readonly FlowRefusal[]): void;
  /** A flow that cannot be sent. */
  refuse(refusal: FlowRefusal): void;
};

/**
 * Flows from an input in one of the formats. A load calls {@link pump} until nothing is at hand, sends
 * the batch whenever it is full, and calls {@link fill}.
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
  /**
   * Puts flows into the sink until its batch is full or has no room, or nothing is at hand.
   * @returns true where the batch is to be sent before more is pumped
   */
  pump(sink: FlowSink): boolean;
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
