import { beginningOf } from "./columns.ts";
import { writeError } from "./output.ts";
import { canDraw } from "./terminal.ts";

/** Where nothing can be written over, what is waited for is said so seldom. */
const REPEAT_MS = 5000;

const CLEAR_LINE = "\r\u001b[K";

/**
 * Says on standard error what goes on: lines that stay, and one below them that the next one takes the place of. Where
 * no terminal is behind it, that one is a line of its own every few seconds, if it is still true then.
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

  /** Says a line that stays. */
  readonly say = (line: string): void => {
    this.clear();
    writeError(`${this.#prefix}${line}\n`);
  };

  /** Says what is waited for. */
  readonly wait = (line: string): void => {
    this.#waiting = `${this.#prefix}${line}`;
    if (this.#draws) {
      writeError(`${CLEAR_LINE}${beginningOf(this.#waiting, process.stderr.columns - 1)}`);
      return;
    }
    this.#timer ??= setInterval(() => writeError(`${this.#waiting}\n`), this.#repeatMs);
  };

  /** Nothing is waited for any more. */
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
