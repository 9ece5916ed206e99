import { assert } from "../sys/errors.ts";
import { OUTCOME_STATES, type OutcomeState } from "./outcome.ts";

/** The bits of a flow's index within its chunk. */
const CHUNK_BITS = 12;
const CHUNK = 1 << CHUNK_BITS;

/** A chunk of flows. */
type Chunk = {
  readonly firstLine: number;
  /** Undefined while all flows are applied. */
  states: Uint8Array | undefined;
  /** Undefined while no flow has an errno. */
  errnos: Int32Array | undefined;
  /** Undefined while the lines are consecutive. */
  lines: Float64Array | undefined;
};

/**
 * The outcome of each flow: its state, errno and line. Per chunk of 4,096 flows, each array is
 * allocated only once a flow in it fails or breaks line order: fresh memory costs more than the
 * flow in some kernels. The library fills one.
 */
export class OutcomeTable {
  /** The number of flows so far. */
  count = 0;
  /** The lines whose flows were there before; only if a caller asks for them. */
  readonly found: Set<number> | undefined;
  readonly #chunks: Chunk[] = [];
  #lastLine = 0;
  #goingUp = true;
  /** If the lines do not ascend: the index of each of the first {@link #indexed} flows, by line. */
  #byLine: Map<number, number> | undefined;
  #indexed = 0;

  /** @param found where to note the lines whose flows were there before */
  constructor(found?: Set<number>) {
    this.found = found;
  }

  /** Adds the flow of `line`. */
  add(line: number, state: OutcomeState): void {
    if (line <= this.#lastLine) this.#goingUp = false;
    this.#lastLine = line;
    const at = this.count & (CHUNK - 1);
    const chunk = this.#chunkOf(this.count, line);
    setLine(chunk, at, line);
    setState(chunk, at, state, 0);
    this.count++;
  }

  /** Adds `count` applied flows, of `line` and the lines after it. */
  addApplied(line: number, count: number): void {
    if (line <= this.#lastLine) this.#goingUp = false;
    this.#lastLine = line + count - 1;
    for (let added = 0; added < count;) {
      const at = this.count & (CHUNK - 1);
      const chunk = this.#chunkOf(this.count, line + added);
      const some = Math.min(count - added, CHUNK - at);
      // If the chunk's lines are consecutive, its first line implies these.
      setLine(chunk, at, line + added);
      for (let i = 1; i < some && chunk.lines !== undefined; i++) {
        setLine(chunk, at + i, line + added + i);
      }
      this.count += some;
      added += some;
    }
  }

  /** Changes the outcome of the flow of `line`. */
  set(line: number, state: OutcomeState, errno: number): void {
    const index = this.indexOfLine(line);
    assert(index >= 0, `no flow of line ${line}`);
    const chunk = this.#chunks[index >> CHUNK_BITS];
    if (chunk !== undefined) setState(chunk, index & (CHUNK - 1), state, errno);
  }

  /** State of flow `index`, from 0 in input order. */
  stateOf(index: number): OutcomeState {
    assert(index >= 0 && index < this.count, `no flow ${index}`);
    const states = this.#chunks[index >> CHUNK_BITS]?.states;
    return OUTCOME_STATES[states?.[index & (CHUNK - 1)] ?? 0] ?? "applied";
  }

  /** Errno of flow `index`; 0 if there was none. */
  errnoOf(index: number): number {
    return this.#chunks[index >> CHUNK_BITS]?.errnos?.[index & (CHUNK - 1)] ?? 0;
  }

  /** Line of flow `index`; 0 if there is no such flow. */
  lineOf(index: number): number {
    if (index < 0 || index >= this.count) return 0;
    const chunk = this.#chunks[index >> CHUNK_BITS];
    const at = index & (CHUNK - 1);
    return chunk?.lines?.[at] ?? (chunk?.firstLine ?? 0) + at;
  }

  /** The index of the flow of `line`, or -1. */
  indexOfLine(line: number): number {
    if (!this.#goingUp) return this.#indexByLine(line);
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

  // As {@link indexOfLine}, for a flow set that is not ordered by line; needed only if a flow
  // failed.
  #indexByLine(line: number): number {
    const byLine = (this.#byLine ??= new Map());
    for (; this.#indexed < this.count; this.#indexed++)
      byLine.set(this.lineOf(this.#indexed), this.#indexed);
    return byLine.get(line) ?? -1;
  }

  /** The chunk of flow `index`; `line` is its line, in case it begins a chunk. */
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
