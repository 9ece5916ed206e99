/** The longest time between two visits to the event loop, in which keys and signals are handled. */
const SLICE_MS = 50;

/** Cuts a long computation into slices, between which the event loop runs. */
export class Slices {
  #due = performance.now() + SLICE_MS;

  /** Whether a slice is over. It reads a clock. */
  get isOver(): boolean {
    return performance.now() >= this.#due;
  }

  /** Lets the event loop run once; then the next slice begins. */
  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#due = performance.now() + SLICE_MS;
  }
}
