import type { FlowRefusal } from "../format/feed.ts";
import type { Lacking } from "../flow/rules/lacking.ts";
import type { Refusal } from "../flow/rules/refusal.ts";
import type { FlowVerb } from "../ovs/flow-requests.ts";
import { EIO } from "../sys/errno.ts";
import { assert } from "../sys/errors.ts";

/**
 * How a flow ended. `refused`: never sent. `present` and `absent`: its reply was lost and it was read
 * back (reconciled). `unknown`: its reply was lost and reading it back failed too.
 */
export type OutcomeState = "applied" | "rejected" | "refused" | "present" | "absent" | "unknown";

/** The states as the bytes of an {@link OutcomeTable}: 0 is applied. */
export const OUTCOME_STATES: readonly OutcomeState[] = [
  "applied",
  "rejected",
  "refused",
  "present",
  "absent",
  "unknown",
];

/** How a flow ended, in two words. */
export type Outcome = { readonly state: OutcomeState; readonly errno: number };

/**
 * How a flow ended whose reply was lost, by what was found when it was read back: of a delete that it is
 * gone is as asked, of all else that it is there. EIO where it is not as asked, or nobody knows.
 */
export function outcomeOfLost(verb: FlowVerb, found: "present" | "absent" | "unknown"): Outcome {
  const wanted = verb === "delete" ? "absent" : "present";
  return { state: found, errno: found === wanted ? 0 : EIO };
}

/** Whether a flow did not end as was asked: the one place that says so for loads, commands and the library. */
export function hasFailed({ state, errno }: Outcome): boolean {
  if (state === "present" || state === "absent") return errno !== 0;
  return state !== "applied";
}

/** How many flows did not end as was asked. */
export function failedFlows(counts: OutcomeCounts): number {
  return counts.rejected + counts.refused + counts.unknown + counts.reconciled.contrary;
}

/** A flow that was not simply applied. */
export type FlowException = {
  /** 1-based line of the input, or the number of the flow where there are no lines. */
  readonly line: number;
  /** 1-based, in bytes; 1 as well where the flow as a whole is meant, or the input has no text. */
  readonly column: number;
  readonly state: Exclude<OutcomeState, "applied">;
  /** 0 where the kernel was not asked, or its reply was lost and all is as asked; EIO where it is not. */
  readonly errno: number;
  /**
   * The name of the errno, such as `EEXIST`; `NOT_SUPPORTED` where the kernel lacks what the flow asks for;
   * `LOST_REPLY`; `FLOW_SYNTAX` and the like where the kernel was not asked.
   */
  readonly code: string;
  /** In words. */
  readonly reason: string;
  /** The line as it stands in the input, or the part of it around the column; else the flow. */
  readonly text: string;
  /** Which character of the text the reason speaks of; absent where none is known. */
  readonly caret?: number;
  /** What this kernel lacks, and the first Linux with it; only with `NOT_SUPPORTED`. */
  readonly lacking?: Lacking;
};

/** A line of the input, and where in it a rule is broken. */
export type QuotedLine = Pick<FlowException, "column" | "text" | "caret">;

/** Why a flow was not simply applied, and the rule that it breaks where it is one. */
type Described = Pick<FlowException, "code" | "reason" | "text" | "caret" | "lacking"> & {
  readonly broken?: Refusal;
};

/** What became of all flows, counted. */
export type OutcomeCounts = {
  /** In a dry run: encoded and found valid, not sent. */
  encoded: number;
  applied: number;
  rejected: number;
  refused: number;
  /** Replies that were lost, by what was found; `contrary` of them are not what was asked for. */
  reconciled: { present: number; absent: number; contrary: number };
  unknown: number;
};

/** Flows of a chunk of a table, and how far to shift an index for its chunk. */
const CHUNK_BITS = 16;
const CHUNK = 1 << CHUNK_BITS;

/** Some flows of a table. */
type Chunk = {
  readonly firstLine: number;
  /** Missing while all of them are applied. */
  states: Uint8Array | undefined;
  /** Missing while none of them has one. */
  errnos: Int32Array | undefined;
  /** Missing while the lines follow one another. */
  lines: Float64Array | undefined;
};

/**
 * What became of each flow: its state, its errno and its line, where a chunk of flows has any that is
 * not what one would think. Grows with the input, by chunks: fresh memory is dear, in some kernels dearer
 * than the flow. The library keeps one.
 */
export class OutcomeTable {
  /** Flows so far. */
  count = 0;
  readonly #chunks: Chunk[] = [];

  /** Adds the flow of `line`, the lines going up. */
  add(line: number, state: OutcomeState, errno: number): void {
    const at = this.count & (CHUNK - 1);
    const chunk = this.#chunkOf(this.count, line);
    setLine(chunk, at, line);
    setState(chunk, at, state, errno);
    this.count++;
  }

  /** Adds `count` flows that are applied, of `line` and the lines behind it. */
  addApplied(line: number, count: number): void {
    for (let added = 0; added < count;) {
      const at = this.count & (CHUNK - 1);
      const chunk = this.#chunkOf(this.count, line + added);
      const some = Math.min(count - added, CHUNK - at);
      // A chunk whose lines follow one another has said all of these with the first.
      setLine(chunk, at, line + added);
      for (let i = 1; i < some && chunk.lines !== undefined; i++) {
        setLine(chunk, at + i, line + added + i);
      }
      this.count += some;
      added += some;
    }
  }

  /** Changes what became of the flow of `line`. */
  set(line: number, state: OutcomeState, errno: number): void {
    const index = this.indexOfLine(line);
    assert(index >= 0, `no flow of line ${line}`);
    const chunk = this.#chunks[index >> CHUNK_BITS];
    if (chunk !== undefined) setState(chunk, index & (CHUNK - 1), state, errno);
  }

  /** State of flow `index`, counted from 0 in the order of the input. */
  stateOf(index: number): OutcomeState {
    assert(index >= 0 && index < this.count, `no flow ${index}`);
    const states = this.#chunks[index >> CHUNK_BITS]?.states;
    return OUTCOME_STATES[states?.[index & (CHUNK - 1)] ?? 0] ?? "applied";
  }

  /** Errno of flow `index`; 0 where there was none. */
  errnoOf(index: number): number {
    return this.#chunks[index >> CHUNK_BITS]?.errnos?.[index & (CHUNK - 1)] ?? 0;
  }

  /** Line of flow `index`; 0 where there is no such flow. */
  lineOf(index: number): number {
    if (index < 0 || index >= this.count) return 0;
    const chunk = this.#chunks[index >> CHUNK_BITS];
    const at = index & (CHUNK - 1);
    return chunk?.lines?.[at] ?? (chunk?.firstLine ?? 0) + at;
  }

  /** The flow of `line`, or -1. */
  indexOfLine(line: number): number {
    let low = 0;
    let high = this.count - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const at = this.lineOf(middle);
      if (at === line) return middle;
      if (at < line) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  /** The chunk of flow `index`, whose line is `line` where it is the first of one. */
  #chunkOf(index: number, line: number): Chunk {
    const empty = { states: undefined, errnos: undefined, lines: undefined };
    return (this.#chunks[index >> CHUNK_BITS] ??= { firstLine: line, ...empty });
  }
}

function setState(chunk: Chunk, at: number, state: OutcomeState, errno: number): void {
  if (state !== "applied" || chunk.states !== undefined) {
    chunk.states ??= new Uint8Array(CHUNK);
    chunk.states[at] = OUTCOME_STATES.indexOf(state);
  }
  if (errno === 0 && chunk.errnos === undefined) return;
  chunk.errnos ??= new Int32Array(CHUNK);
  chunk.errnos[at] = errno;
}

function setLine(chunk: Chunk, at: number, line: number): void {
  if (chunk.lines === undefined) {
    if (line === chunk.firstLine + at) return;
    chunk.lines = new Float64Array(CHUNK);
    for (let i = 0; i < at; i++) chunk.lines[i] = chunk.firstLine + i;
  }
  chunk.lines[at] = line;
}

/** How many exceptions an account keeps; whoever wants all of them listens. */
const EXCEPTIONS_KEPT = 100;

/** Keeps the account of a load: counts always, each exception to whoever wants it, a table if asked. */
export class Account {
  readonly firstExceptions: FlowException[] = [];
  readonly counts: OutcomeCounts = {
    encoded: 0,
    applied: 0,
    rejected: 0,
    refused: 0,
    reconciled: { present: 0, absent: 0, contrary: 0 },
    unknown: 0,
  };
  readonly table: OutcomeTable | undefined;
  /** Flows that did not end as was asked. */
  failures = 0;
  /** Quotes the line that a flow came from; set by the load that reads the lines. */
  quote: ((line: number, broken: Refusal | undefined) => QuotedLine | undefined) | undefined;
  /** Refusals whose turn comes when flows of lines before them are settled. */
  readonly #waiting: FlowRefusal[] = [];
  readonly #onException: ((exception: FlowException) => void) | undefined;

  constructor(onException?: (exception: FlowException) => void, table?: OutcomeTable) {
    this.#onException = onException;
    this.table = table;
  }

  /** Flows whose end is known. */
  get settled(): number {
    const { applied, encoded, rejected, refused, unknown, reconciled } = this.counts;
    const { present, absent } = reconciled;
    return applied + encoded + rejected + refused + unknown + present + absent;
  }

  /** Refusals that wait to be told. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** A flow is on its way to the kernel; it counts when its batch is settled. */
  sent(line: number): void {
    this.table?.add(line, "applied", 0);
  }

  /** As {@link sent}, for `count` flows of `line` and the lines behind it. */
  sentCopies(line: number, count: number): void {
    this.table?.addApplied(line, count);
  }

  applied(count: number): void {
    this.counts.applied += count;
  }

  /**
   * A flow that was sent did not simply apply.
   * @param describe called only where somebody wants to know more: words cost more than the flow
   */
  exception(
    line: number,
    state: FlowException["state"],
    errno: number,
    describe: () => Described,
  ): void {
    this.tellRefusals(line);
    this.#count({ state, errno });
    this.table?.set(line, state, errno);
    this.#tell(() => {
      const { broken, text, caret, ...why } = describe();
      const shown = caret === undefined ? { text } : { text, caret };
      const quoted = this.quote?.(line, broken) ?? { column: 1, ...shown };
      return { line, state, errno, ...why, ...quoted };
    });
  }

  /**
   * A flow is not sent.
   * @param waits flows of lines before it are on their way: it is told in its turn
   */
  refused(refusal: FlowRefusal, waits = false): void {
    this.#count({ state: "refused", errno: 0 });
    this.table?.add(refusal.line, "refused", 0);
    if (waits) this.#waiting.push(refusal);
    else this.#tell(() => ({ ...refusal, state: "refused", errno: 0 }));
  }

  /** Tells the refusals that wait, of lines before `line`; all of them where the flows so far are settled. */
  tellRefusals(line: number = Number.POSITIVE_INFINITY): void {
    if (this.#waiting.length === 0) return;
    const later = this.#waiting.findIndex((one) => one.line >= line);
    const due = this.#waiting.splice(0, later < 0 ? this.#waiting.length : later);
    for (const refusal of due) this.#tell(() => ({ ...refusal, state: "refused", errno: 0 }));
  }

  #tell(describe: () => FlowException): void {
    const kept = this.firstExceptions.length < EXCEPTIONS_KEPT;
    if (!kept && this.#onException === undefined) return;
    const exception = describe();
    if (kept) this.firstExceptions.push(exception);
    this.#onException?.(exception);
  }

  #count(outcome: Outcome): void {
    const { state } = outcome;
    if (hasFailed(outcome)) this.failures++;
    if (state !== "present" && state !== "absent") {
      this.counts[state]++;
      return;
    }
    this.counts.reconciled[state]++;
    if (hasFailed(outcome)) this.counts.reconciled.contrary++;
  }
}
