import { Command, Option } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { ANY, numberIn, numberUpTo } from "../option-value.ts";
import { printJsonLine, writeOut } from "../output.ts";
import type { TopChoice } from "../top/keys.ts";
import { LiveView } from "../top/live-view.ts";
import { FlowSampler, type TopSort } from "../top/sampler.ts";
import { WHERE_HELP, WHERE_OPTION } from "../where-option.ts";
import { canDraw } from "../terminal.ts";
import { sampleLines } from "../top/screen.ts";

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

/** Flows shown without a terminal. */
const ROWS_DEFAULT = 20;

const HELP_AFTER = `
Rates are those of the last interval. Keys: p sort by packets, b by bytes, f type a filter, q quit.
Without a terminal, the intervals are printed one after another.
${WHERE_HELP}`;

/** `millrace top`. */
export function topCommand(): Command {
  const command = withNamespace(
    new Command("top")
      .description("Show the busiest flows of a datapath, live.")
      .requiredOption("--dp <NAME>", "the datapath")
      .addOption(
        new Option("--sort <WHAT>", "by packets or by bytes per second")
          .choices(["packets", "bytes"])
          .default("packets"),
      )
      .option("--filter <TEXT>", "only flows whose text contains this", "")
      .option(...WHERE_OPTION)
      .option(
        "--interval <SECONDS>",
        "time between two updates, 0.1 or more",
        numberIn("--interval", {
          min: 0.1,
          max: 3600,
          form: ANY,
          expected: "seconds from 0.1 to 3600",
        }),
        1,
      )
      .option(
        "--rows <N>",
        "how many flows to show (default: as many as fit)",
        numberUpTo("--rows", 10_000),
      )
      .option("--once", "print one interval, and end")
      .option("--json", "one JSON document per interval, each on one line")
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
  const { sort, filter } = options;
  const choice: TopChoice = { sort, filter, typed: undefined, quit: false };
  const live = canDraw(1) && !options.json && !options.once;
  using view = live ? new LiveView(choice, sampler, signals.signal, options.rows) : undefined;
  const signal = view?.ends ?? signals.signal;
  // The first sample has no rates.
  await sampler.look(signal);
  let due = performance.now() + options.interval * 1000;
  for (;;) {
    await waitUntil(due, signal);
    if (signal.aborted) return;
    await sampler.look(signal);
    await sampler.judge(signal);
    if (signal.aborted) return;
    if (view === undefined) print(sampler, options);
    else view.show();
    if (options.once) return;
    // If a sample took longer than the interval, the next one follows at once.
    due = Math.max(due + options.interval * 1000, performance.now());
  }
}

/** Prints one interval after another, without a terminal. */
function print(sampler: FlowSampler, { sort, filter, rows = ROWS_DEFAULT, json }: Options): void {
  const sample = sampler.sample(sort, rows);
  if (json) return printJsonLine(sample);
  const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
  const state = { sort, filter, typed: undefined, isJudging: false, width, rows };
  // The line about keys is left out.
  writeOut(`${sampleLines(sample, state).toSpliced(1, 1).join("\n")}\n`);
}

async function waitUntil(due: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.max(0, due - performance.now()));
  const end = (): void => resolve();
  signal.addEventListener("abort", end, { once: true });
  if (!signal.aborted) await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}
