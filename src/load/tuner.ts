import { DEFAULT_SHAPE } from "./sender-shape.ts";

/** A way to cut flows into datagrams and system calls. */
export type Cut = { readonly messagesPerDatagram: number; readonly datagramsPerCall: number };

/** What a load found best while it ran: how its batches were really cut. */
export type TunedCut = Cut & {
  /** Microseconds a flow, first send to last reply: the median of its trials. */
  readonly microsecondsPerFlow: number;
};

/** What a cut has to keep to. */
export type CutLimits = Cut & {
  /** The most messages of a batch. */
  readonly messages: number;
};

const DEFAULT_CUT: Cut = {
  messagesPerDatagram: DEFAULT_SHAPE.messagesPerDatagram,
  datagramsPerCall: DEFAULT_SHAPE.datagramsPerCall,
};

const CANDIDATES: readonly Cut[] = [
  DEFAULT_CUT,
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
  readonly #trials: Trials[];
  #batch = 0;
  #best: Cut | undefined;
  #chosen: TunedCut | undefined;

  /** @param limits that candidates are cut down to */
  constructor(limits: CutLimits) {
    this.#candidates = within(limits);
    this.#trials = this.#candidates.map(() => new Trials());
  }

  /** What was found best; undefined while trials go on. */
  get chosen(): TunedCut | undefined {
    return this.#chosen;
  }

  /** The cut of the next batch. */
  get next(): Cut {
    return this.#best ?? this.#candidates[this.#batch % this.#candidates.length] ?? DEFAULT_CUT;
  }

  /**
   * A batch of {@link next} was sent.
   * @param cut as it really was: a limit of bytes makes datagrams shorter, and the input may make batches so
   */
  record(messages: number, cut: Cut, microseconds: number): void {
    if (this.#chosen !== undefined) return;
    const candidate = this.#batch++ % this.#candidates.length;
    if (this.#batch > this.#candidates.length) {
      this.#trials[candidate]?.add(messages, cut, microseconds / messages);
    }
    if (this.#batch === this.#candidates.length * TRIALS) this.#choose();
  }

  #choose(): void {
    let best = Number.POSITIVE_INFINITY;
    for (const [i, trials] of this.#trials.entries()) {
      const { median } = trials;
      if (median >= best) continue;
      best = median;
      this.#best = this.#candidates[i];
      this.#chosen = { ...trials.cut, microsecondsPerFlow: median };
    }
  }
}

/** The trials of one candidate. */
class Trials {
  /** How the fullest of its batches was cut. */
  cut: Cut = DEFAULT_CUT;
  readonly #microseconds: number[] = [];
  #messages = 0;

  get median(): number {
    const sorted = this.#microseconds.toSorted((a, b) => a - b);
    return sorted[sorted.length >> 1] ?? Number.POSITIVE_INFINITY;
  }

  add(messages: number, cut: Cut, microseconds: number): void {
    this.#microseconds.push(microseconds);
    if (messages <= this.#messages) return;
    this.#messages = messages;
    this.cut = cut;
  }
}

/** The candidates as the limits leave them, each once. */
function within(limits: CutLimits): Cut[] {
  const cuts = new Map<string, Cut>();
  for (const cut of CANDIDATES) {
    const messagesPerDatagram = Math.min(
      cut.messagesPerDatagram,
      limits.messagesPerDatagram,
      limits.messages,
    );
    const datagrams = Math.max(1, Math.floor(limits.messages / messagesPerDatagram));
    const datagramsPerCall = Math.min(cut.datagramsPerCall, limits.datagramsPerCall, datagrams);
    cuts.set(`${messagesPerDatagram} ${datagramsPerCall}`, {
      messagesPerDatagram,
      datagramsPerCall,
    });
  }
  return [...cuts.values()];
}
