import { beginningOf } from "./columns.ts";
import { writeError } from "./output.ts";
import { canDraw } from "./terminal.ts";

/** How often the waiting line is repeated if it cannot be overwritten. */
const REPEAT_MS = 5000;

const CLEAR_LINE = "\r\u001b[K";

/**
 * Reports progress on standard error: permanent lines, and below them a temporary line that the
 * next one overwrites. Without a terminal, the temporary line is printed every few seconds, if it
 * still applies.
 */
export class StatusLine implements Disposable {
  readonly #prefix: string;
  readonly #draws = canDraw(2);
  #timer: ReturnType<typeof setInterval> | undefined;
  #waiting = "";

  readonly #repeatMs: number;

  constructor(prefix: string, repeatMs: number = REPEAT_MS) {
    this.#prefix = prefix;
    this.#repeatMs = repeatMs;
  }

  /** Prints a permanent line. */
  readonly say = (line: string): void => {
    this.clear();
    writeError(`${this.#prefix}${line}\n`);
  };

  /** Shows a temporary line about what is being waited for. */
  readonly wait = (line: string): void => {
    this.#waiting = `${this.#prefix}${line}`;
    if (this.#draws) {
      writeError(`${CLEAR_LINE}${beginningOf(this.#waiting, process.stderr.columns - 1)}`);
      return;
    }
    this.#timer ??= setInterval(() => writeError(`${this.#waiting}\n`), this.#repeatMs);
  };

  /** Removes the temporary line. */
  readonly clear = (): void => {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#draws && this.#waiting !== "") writeError(CLEAR_LINE);
    this.#waiting = "";
  };

  [Symbol.dispose](): void {
    this.clear();
  }
}
