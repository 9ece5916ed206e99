/** The signals by which people and supervisors end a program. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/**
 * The same signal again within this time counts as one: coreutils' timeout sends it to the program
 * and then to the whole group.
 */
const ECHO_MS = 1000;

/** A signal that asks a program to end. */
type EndingSignal = (typeof ENDING)[number];

/**
 * Turns SIGINT, SIGTERM and SIGHUP into an abort while it lives; disposing restores the default
 * action. The reason of the abort is the signal's name. A second signal ends the process at once;
 * the same signal counts again only after a second.
 *
 * Handlers run only when JavaScript yields to its event loop, so synchronous work must yield.
 */
export class EndingSignals implements Disposable {
  readonly #controller = new AbortController();
  #firstAt = 0;
  readonly #onSignal = (name: EndingSignal): void => {
    const { signal } = this.#controller;
    if (!signal.aborted) {
      this.#firstAt = performance.now();
      this.#controller.abort(name);
      return;
    }
    const isEcho = name === signal.reason && performance.now() - this.#firstAt < ECHO_MS;
    if (!isEcho) process.exit(128 + NUMBERS[name]);
  };

  constructor() {
    for (const name of ENDING) process.on(name, this.#onSignal);
  }

  /** Aborted by the first signal. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  [Symbol.dispose](): void {
    for (const name of ENDING) process.off(name, this.#onSignal);
  }
}
