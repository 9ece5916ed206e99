import { writeOut } from "../output.ts";
import { pressKey, type TopChoice } from "./keys.ts";
import type { FlowSampler, TopSample } from "./sampler.ts";
import { HEADER_ROWS, SCREEN, screenText } from "./screen.ts";

/**
 * The terminal while `top` has it: raw keys, and the other screen. A key is answered at once, from what the last look
 * has found; a filter's flows come as soon as it is known which they are.
 */
export class LiveView implements Disposable {
  readonly #choice: TopChoice;
  readonly #sampler: FlowSampler;
  readonly #rows: number | undefined;
  readonly #quit = new AbortController();
  #sample: TopSample | undefined;

  /** Aborted by the key that quits, or as `signal` is. */
  readonly ends: AbortSignal;

  /** @param rows flows to show; as many as fit where it is not given */
  constructor(
    choice: TopChoice,
    sampler: FlowSampler,
    signal: AbortSignal,
    rows: number | undefined,
  ) {
    this.ends = AbortSignal.any([signal, this.#quit.signal]);
    this.#choice = choice;
    this.#sampler = sampler;
    this.#rows = rows;
    writeOut(`${SCREEN.enter}reading the flows …`);
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    process.stdin.on("data", this.#onKeys).resume();
    process.stdout.on("resize", this.#onResize);
  }

  /** Shows what the sampler knows now. */
  show(): void {
    this.#sample = this.#sampler.sample(this.#choice.sort, this.#rowCount);
    this.#draw();
  }

  [Symbol.dispose](): void {
    process.stdin.off("data", this.#onKeys).pause();
    process.stdout.off("resize", this.#onResize);
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    writeOut(SCREEN.leave);
  }

  get #rowCount(): number {
    return this.#rows ?? Math.max(1, process.stdout.rows - HEADER_ROWS);
  }

  readonly #onKeys = (data: Buffer): void => {
    const text = data.toString();
    // A sequence of a function key comes whole; what is typed or pasted comes in characters.
    const keys = text.startsWith("\u001b") ? [text] : text;
    const { sort } = this.#choice;
    for (const key of keys) pressKey(this.#choice, key);
    const { filter, quit } = this.#choice;
    if (quit) return this.#quit.abort();
    if (filter !== this.#sampler.filter) this.#startFilter(filter);
    else if (sort === this.#choice.sort) this.#draw();
    else if (this.#sample !== undefined) this.show();
  };

  #startFilter(filter: string): void {
    this.#sampler.filter = filter;
    if (this.#sample === undefined) return;
    this.show();
    // Who waits for the next interval is not to wait for this as well.
    this.#sampler.judge(this.ends).then(
      () => this.ends.aborted || this.show(),
      // The next look fails in the same way, and says it.
      () => undefined,
    );
  }

  readonly #onResize = (): void => {
    if (this.#sample !== undefined) this.show();
  };

  readonly #draw = (): void => {
    if (this.#sample === undefined) return;
    const { sort, filter, typed } = this.#choice;
    const state = { sort, filter, typed, isJudging: this.#sampler.isJudging };
    const size = { width: process.stdout.columns, rows: this.#rowCount };
    writeOut(screenText(this.#sample, { ...state, ...size }));
  };
}
