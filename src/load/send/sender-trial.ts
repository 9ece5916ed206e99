/** How many sockets send; `auto`: two where that measures faster. */
export type SenderCount = "auto" | 1 | 2;

/** Batches before the trial: many loads end before it would pay, and memory is warm then. */
const BEFORE = 3;
/** Batches of a run, of which the first one does not count: what was under way still is. */
const RUN = 4;
/** Runs, by turns with one socket and with two. */
const RUNS = 6;
/** Two have to be this much faster: they take a CPU that others may want. */
const GAIN = 0.95;

/**
 * Finds out with the load's own flows whether a second socket makes it faster: some batches by one, some
 * by two, by turns. What counts is the time from batch to batch, with whatever else the load does.
 */
export class SenderTrial {
  readonly #times = { one: new Array<number>(), two: new Array<number>() };
  #batch = 0;
  #chosen: 1 | 2 | undefined;
  /** Batches that two have sent since they were chosen. */
  #byTwo = 0;

  /** @param count `auto`, or what is chosen without a trial */
  constructor(count: SenderCount) {
    this.#chosen = count === "auto" ? undefined : count;
  }

  /** What is chosen; undefined while the trial goes on. */
  get chosen(): 1 | 2 | undefined {
    return this.#chosen;
  }

  /** How many send: two only where they are chosen and really did. */
  get senders(): 1 | 2 {
    return this.#byTwo > 0 ? 2 : 1;
  }

  /** Ends a trial that goes on with one: what it measures means nothing. */
  giveUp(): void {
    this.#chosen ??= 1;
  }

  /** How many sockets are to send the next batch. */
  get next(): 1 | 2 {
    if (this.#chosen !== undefined) return this.#chosen;
    return this.#batch >= BEFORE && this.#run % 2 === 1 ? 2 : 1;
  }

  /** A batch was sent by so many, to be counted. */
  sent(by: 1 | 2): void {
    if (by === 2 && this.#chosen === 2) this.#byTwo++;
  }

  /**
   * How long a batch took.
   * @param by how many sockets; 1 where two were to and could not
   * @param microseconds from the end of the batch before to its own, for each flow
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
