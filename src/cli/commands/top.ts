import { Command, Option } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { UsageError } from "../exit.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { printJsonLine, writeOut } from "../output.ts";
import { pressKey, type TopChoice } from "../top/keys.ts";
import { FlowSampler, type TopSort } from "../top/sampler.ts";
import { WHERE_HELP, WHERE_OPTION } from "../where-option.ts";
import { canDraw } from "../terminal.ts";
import { HEADER_ROWS, sampleLines, SCREEN, screenText } from "../top/screen.ts";

// `millrace top`: samples a datapath and draws its busiest flows.

type Options = {
  dp: string;
  sort: TopSort;
  filter: string;
  where?: string;
  interval: number;
  rows?: number;
  once?: true;
  json?: true;
};

/** The shortest time from which rates are told after a key. */
const RATE_MS_MIN = 500;

/** Flows shown where there is no terminal. */
const ROWS_DEFAULT = 20;

const HELP_AFTER = `
Rates are of the last interval. Keys: p sort by packets, b by bytes, f type a filter, q quit.
Without a terminal each interval is printed after the other. --json prints a document a line.
${WHERE_HELP}`;

/** `millrace top`. */
export function topCommand(): Command {
  const command = withNamespace(
    new Command("top")
      .description("Show the busiest flows of a datapath, live.")
      .requiredOption("--dp <NAME>", "the datapath")
      .addOption(
        new Option("--sort <WHAT>", "by packets or by bytes a second")
          .choices(["packets", "bytes"])
          .default("packets"),
      )
      .option("--filter <TEXT>", "only flows whose text holds this", "")
      .option(...WHERE_OPTION)
      .option("--interval <SECONDS>", "time between two looks, from 0.1", interval, 1)
      .option("--rows <N>", "flows shown; as many as fit otherwise", rowCount)
      .option("--once", "one interval, then end")
      .option("--json", "one JSON document an interval, a line each")
      .addHelpText("after", HELP_AFTER)
      .action(run),
  );
  return withExamples(
    command,
    "millrace top --dp lab0",
    "millrace top --dp lab0 --sort bytes --where 'tcp.dst = 443'",
    "millrace top --dp lab0 --once --json",
  );
}

async function run(options: Options): Promise<void> {
  using channel = new OvsChannel();
  using signals = new EndingSignals();
  const sampler = new FlowSampler(channel, options.dp, options.where);
  sampler.filter = options.filter;
  const choice: TopChoice = {
    sort: options.sort,
    filter: options.filter,
    typed: undefined,
    quit: false,
  };
  const live = canDraw(1) && !options.json && !options.once;
  using view = live ? new LiveView(choice) : undefined;
  // The first look gives no rates.
  sampler.sample(choice.sort, 0);
  let lookedAt = performance.now();
  let due = lookedAt + options.interval * 1000;
  while (!choice.quit && !signals.signal.aborted) {
    await waitUntil(due, signals.signal, view);
    if (choice.quit || signals.signal.aborted) break;
    // A key asks for a new look at once; rates of less than this would be noise.
    const left = Math.min(due, lookedAt + RATE_MS_MIN) - performance.now();
    if (left > 0) await Bun.sleep(left);
    lookedAt = performance.now();
    if (sampler.filter !== choice.filter) sampler.filter = choice.filter;
    const rows = options.rows ?? view?.rows ?? ROWS_DEFAULT;
    const sample = sampler.sample(choice.sort, rows);
    if (options.json) printJsonLine(sample);
    else if (view === undefined) {
      const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
      const lines = sampleLines(sample, { ...choice, width, rows });
      // The keys do nothing here.
      writeOut(`${lines.toSpliced(1, 1).join("\n")}\n`);
    } else view.show((width) => screenText(sample, { ...choice, width, rows }));
    if (options.once) return;
    // A look that took longer than the interval is followed by the next one at once; a key comes early.
    const now = performance.now();
    due = now < due ? now + options.interval * 1000 : Math.max(due + options.interval * 1000, now);
  }
}

/** The terminal while `top` has it: raw keys, and the other screen. */
class LiveView implements Disposable {
  readonly #choice: TopChoice;
  #draw: ((width: number) => string) | undefined;
  #wake: () => void = () => undefined;

  constructor(choice: TopChoice) {
    this.#choice = choice;
    writeOut(SCREEN.enter);
    if (process.stdin.isTTY) process.stdin.setRawMode(true);
    process.stdin.on("data", this.#onKeys).resume();
    process.stdout.on("resize", this.#redraw);
  }

  get rows(): number {
    return Math.max(1, process.stdout.rows - HEADER_ROWS);
  }

  show(draw: (width: number) => string): void {
    this.#draw = draw;
    this.#redraw();
  }

  /** Settles at the next key that ends something: quit, or another order. */
  keyPressed(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  [Symbol.dispose](): void {
    process.stdin.off("data", this.#onKeys).pause();
    process.stdout.off("resize", this.#redraw);
    if (process.stdin.isTTY) process.stdin.setRawMode(false);
    writeOut(SCREEN.leave);
  }

  readonly #onKeys = (data: Buffer): void => {
    const text = data.toString();
    // A sequence of a function key comes whole; what is typed or pasted comes in characters.
    const keys = text.startsWith("\u001b") ? [text] : text;
    for (const key of keys) pressKey(this.#choice, key);
    this.#redraw();
    if (this.#choice.typed === undefined) this.#wake();
  };

  readonly #redraw = (): void => {
    if (this.#draw !== undefined) writeOut(this.#draw(process.stdout.columns));
  };
}

async function waitUntil(
  due: number,
  signal: AbortSignal,
  view: LiveView | undefined,
): Promise<void> {
  const done = Promise.withResolvers<void>();
  const end = (): void => done.resolve();
  const timer = setTimeout(end, Math.max(0, due - performance.now()));
  signal.addEventListener("abort", end, { once: true });
  try {
    await Promise.race(view === undefined ? [done.promise] : [done.promise, view.keyPressed()]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

function interval(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 3600)) {
    throw new UsageError(`--interval: found "${text}", expected seconds from 0.1 to 3600`);
  }
  return seconds;
}

function rowCount(text: string): number {
  const rows = Number(text);
  if (!/^\d+$/.test(text) || rows < 1 || rows > 10_000) {
    throw new UsageError(`--rows: found "${text}", expected a number from 1 to 10000`);
  }
  return rows;
}
