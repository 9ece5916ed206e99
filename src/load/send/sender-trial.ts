/** How many sockets send; `auto`: two if that measures faster. */
export type SenderCount = "auto" | 1 | 2;

/** Batches before the trial: many loads end before it would pay, and memory is warm afterwards. */
const BEFORE = 3;
/**
 * Batches of a run. The first does not count, since work from the previous run may still be under
 * way.
 */
const RUN = 4;
/** Runs, alternately with one socket and with two. */
const RUNS = 6;
/** Two sockets must be this much faster, since they take a CPU from other programs. */
const GAIN = 0.95;

/**
 * Finds out with the load's own flows whether a second socket makes it faster, by sending batches
 * alternately over one and two. It measures the time from batch to batch, including everything else
 * the load does.
 */
export class SenderTrial {
  readonly #times = { one: new Array<number>(), two: new Array<number>() };
  #batch = 0;
  #chosen: 1 | 2 | undefined;
  /** Batches sent by two sockets since two were chosen. */
  #byTwo = 0;

  /** @param count `auto`, or the number to use without a trial */
  constructor(count: SenderCount) {
    this.#chosen = count === "auto" ? undefined : count;
  }

  /** The chosen number; undefined during the trial. */
  get chosen(): 1 | 2 | undefined {
    return this.#chosen;
  }

  /** How many sockets send: two only if they were chosen and actually sent. */
  get senders(): 1 | 2 {
    return this.#byTwo > 0 ? 2 : 1;
  }

  /** Ends a running trial with one socket, because its measurements mean nothing. */
  giveUp(): void {
    this.#chosen ??= 1;
  }

  /** How many sockets should send the next batch. */
  get next(): 1 | 2 {
    if (this.#chosen !== undefined) return this.#chosen;
    return this.#batch >= BEFORE && this.#run % 2 === 1 ? 2 : 1;
  }

  /** Counts a batch sent by this many sockets. */
  sent(by: 1 | 2): void {
    if (by === 2 && this.#chosen === 2) this.#byTwo++;
  }

  /**
   * Records how long a batch took.
   * @param by how many sockets sent it; 1 if two should have but could not
   * @param microseconds per flow, from the end of the previous batch to its own end
   */
  record(by: 1 | 2, microseconds: number): void {
    if (this.#chosen !== undefined) return;
    const counts = this.#batch >= BEFORE && (this.#batch - BEFORE) % RUN > 0 && by === this.next;
    if (counts) (by === 1 ? this.#times.one : this.#times.two).push(microseconds);
    this.#batch++;
    if (this.#run === RUNS) this.#choose();
  }

  get #run(): number {
    return Math.floor((this.#batch - BEFORE) / RUN);
  }

  #choose(): void {
    const middle = (times: readonly number[]): number =>
      times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.POSITIVE_INFINITY;
    this.#chosen = middle(this.#times.two) < middle(this.#times.one) * GAIN ? 2 : 1;
  }
}
