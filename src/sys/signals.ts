/** The signals by which people and supervisors end a program. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

/** A signal that asks a program to end. */
type EndingSignal = (typeof ENDING)[number];

/**
 * Turns SIGINT, SIGTERM and SIGHUP into an abort while it lives; the default action is back after
 * `using` ends. The reason of the abort is the signal's name. A second signal ends the process at once.
 *
 * Handlers run only when JavaScript yields to its event loop, so synchronous work must do so.
 */
export class EndingSignals implements Disposable {
  readonly #controller = new AbortController();
  readonly #onSignal = (name: EndingSignal): void => {
    if (this.#controller.signal.aborted) process.exit(128 + NUMBERS[name]);
    this.#controller.abort(name);
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
