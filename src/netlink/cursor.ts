/**
 * Gives values one by one, as a generator does, but allocates nothing if each value is the same
 * object, refilled. It works only when asked; leaving a loop early ends it.
 */
export class Cursor<T> implements IterableIterator<T, void> {
  readonly #take: () => T | undefined;
  readonly #close: () => void;
  #result: IteratorYieldResult<T> | undefined;
  #ended = false;

  /**
   * @param take returns the next value; undefined at the end
   * @param close is called once: at the end, after an error, or when a loop is left
   */
  constructor(take: () => T | undefined, close: () => void = () => {}) {
    this.#take = take;
    this.#close = close;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<T, void> {
    const value = this.take();
    if (value === undefined) return END;
    if (this.#result === undefined || this.#result.value !== value) {
      this.#result = { done: false, value };
    }
    return this.#result;
  }

  /** The next value; undefined at the end. */
  take(): T | undefined {
    if (this.#ended) return undefined;
    let value: T | undefined;
    try {
      value = this.#take();
    } finally {
      if (value === undefined) this.return();
    }
    return value;
  }

  return(): IteratorResult<T, void> {
    if (!this.#ended) {
      this.#ended = true;
      this.#close();
    }
    return END;
  }
}

const END: IteratorReturnResult<void> = { done: true, value: undefined };
