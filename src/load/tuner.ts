/** A way to cut flows into datagrams and system calls. */
type Cut = { readonly messagesPerDatagram: number; readonly datagramsPerCall: number };

/** What a load found best while it ran. */
export type TunedCut = Cut & {
  /** Microseconds a flow, first send to last reply: the median of its trials. */
  readonly microsecondsPerFlow: number;
};

const CANDIDATES: readonly Cut[] = [
  { messagesPerDatagram: 16, datagramsPerCall: 256 },
  { messagesPerDatagram: 128, datagramsPerCall: 8 },
  { messagesPerDatagram: 256, datagramsPerCall: 4 },
  { messagesPerDatagram: 512, datagramsPerCall: 2 },
  { messagesPerDatagram: 512, datagramsPerCall: 8 },
  { messagesPerDatagram: 1024, datagramsPerCall: 1 },
  { messagesPerDatagram: 1024, datagramsPerCall: 4 },
  { messagesPerDatagram: 2048, datagramsPerCall: 2 },
];

/** Trials of each cut; the first one, which warms the kernel up, does not count. */
const TRIALS = 5;

/**
 * Finds the best cut on the spot, with the load's own flows: tries the candidates in turn, round after
 * round, then stays with the one whose median batch took the least time a flow. Nothing is sent that
 * would not have been sent anyway.
 */
export class Tuner {
  readonly #candidates: readonly Cut[];
  readonly #trials: number[][];
  #batch = 0;
  #chosen: TunedCut | undefined;

  /** @param messagesMax the most messages of a batch: candidates beyond it are left out */
  constructor(messagesMax: number) {
    const fits = ({ messagesPerDatagram, datagramsPerCall }: Cut): boolean =>
      messagesPerDatagram * datagramsPerCall <= messagesMax;
    const fitting = CANDIDATES.filter(fits);
    const smallest = { messagesPerDatagram: Math.min(128, messagesMax), datagramsPerCall: 1 };
    this.#candidates = fitting.length > 0 ? fitting : [smallest];
    this.#trials = this.#candidates.map(() => []);
  }

  /** The most messages that a batch needs room for, whatever is chosen. */
  static readonly messagesMax: number = Math.max(
    ...CANDIDATES.map((cut) => cut.messagesPerDatagram * cut.datagramsPerCall),
  );

  /** What was found best; undefined while trials go on. */
  get chosen(): TunedCut | undefined {
    return this.#chosen;
  }

  /** The cut of the next batch. */
  get next(): Cut {
    return this.#chosen ?? this.#candidates[this.#batch % this.#candidates.length] ?? DEFAULT_CUT;
  }

  /** A batch of {@link next} has taken so long. */
  record(messages: number, microseconds: number): void {
    if (this.#chosen !== undefined) return;
    const candidate = this.#batch++ % this.#candidates.length;
    if (this.#batch > this.#candidates.length) {
      this.#trials[candidate]?.push(microseconds / messages);
    }
    if (this.#batch === this.#candidates.length * TRIALS) this.#choose();
  }

  #choose(): void {
    const medians = this.#trials.map((trial) => trial.toSorted((a, b) => a - b)[trial.length >> 1]);
    let best = 0;
    medians.forEach((value, i) => {
      if ((value ?? Infinity) < (medians[best] ?? Infinity)) best = i;
    });
    const cut = this.#candidates[best] ?? DEFAULT_CUT;
    this.#chosen = { ...cut, microsecondsPerFlow: medians[best] ?? 0 };
  }
}

const DEFAULT_CUT: Cut = { messagesPerDatagram: 1024, datagramsPerCall: 1 };
