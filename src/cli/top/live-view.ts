import { writeOut } from "../output.ts";
import { pressKey, type TopChoice } from "./keys.ts";
import type { FlowSampler, TopSample } from "./sampler.ts";
import { HEADER_ROWS, SCREEN, screenText } from "./screen.ts";

/**
 * The terminal during `top`: raw keys, and the alternate screen. A key is answered at once from the
 * last sample; a new filter's flows appear as soon as they are known.
 */
export class LiveView implements Disposable {
  readonly #choice: TopChoice;
  readonly #sampler: FlowSampler;
  readonly #rows: number | undefined;
  readonly #quit = new AbortController();
  #sample: TopSample | undefined;

  /** Aborted by the key that quits, or with `signal`. */
  readonly ends: AbortSignal;

  /** @param rows flows to show; by default as many as fit */
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

  /** Shows the sampler's current state. */
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
    // A function key's sequence arrives at once; typed or pasted text is handled by character.
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
    // The next interval must not wait for this.
    this.#sampler.judge(this.ends).then(
      () => this.ends.aborted || this.show(),
      // The next sample fails in the same way, and reports it.
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
