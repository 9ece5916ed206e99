import type { LoadProgress } from "../load/load.ts";
import type { OnRead } from "../state/read-table.ts";
import { count, counted } from "./output.ts";
import { StatusLine } from "./status-line.ts";
import { canDraw } from "./terminal.ts";

/** What takes less time than this is not worth a line. */
const QUIET_MS = 500;

/** The time between two lines: a terminal is slow. */
const EVERY_MS = 100;

/**
 * A line on the terminal that says what a command waits for, and how far that is. There is none if
 * standard error is not a terminal, or if the work is done within a moment.
 */
export class Waiting implements Disposable {
  readonly #line = canDraw(2) ? new StatusLine("") : undefined;
  #since = performance.now();
  #toldAt = 0;

  /** For reading a file. */
  readonly onFile =
    (name: string) =>
    ({ bytesRead, bytesTotal, flows }: LoadProgress): void => {
      const known = bytesTotal === undefined || bytesTotal === 0 ? 0 : bytesTotal;
      const part = known === 0 ? "" : `${Math.floor((bytesRead * 100) / known)}%, `;
      this.#tell(() => `reading ${name}: ${part}${counted(flows, "flow")}`);
    };

  /** For reading a datapath. */
  readonly onRead =
    (name: string): OnRead =>
    (flows, all) =>
      this.#tell(() => `reading ${name}: ${count(flows)} of ${counted(all, "flow")}`);

  /** For sending flows to a datapath. */
  readonly onSent =
    (name: string) =>
    (settled: number, all: number): void =>
      this.#tell(() => `changing ${name}: ${count(settled)} of ${counted(all, "flow")}`);

  /** Removes the line, before something else is printed. What follows is waited for anew. */
  clear(): void {
    this.#line?.clear();
    this.#since = performance.now();
  }

  [Symbol.dispose](): void {
    this.#line?.[Symbol.dispose]();
  }

  #tell(text: () => string): void {
    if (this.#line === undefined) return;
    const now = performance.now();
    if (now - this.#since < QUIET_MS || now - this.#toldAt < EVERY_MS) return;
    this.#toldAt = now;
    this.#line.wait(text());
  }
}
