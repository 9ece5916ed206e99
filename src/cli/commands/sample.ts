import { Command } from "commander";
import { SAMPLE_FLOWS_MAX, sampleText } from "../../format/sample.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { Exit, UsageError } from "../exit.ts";
import { withExamples } from "../help.ts";
import { outputEnded } from "../output.ts";
import { openOutputFile } from "../output-file.ts";
import { Slices } from "../slices.ts";

// `millrace sample`: writes sample flows.

type Options = { output: string };

const HELP_AFTER = `
Each flow matches one UDP connection over IPv4 from port 1 exactly, and sends it out of port 2. The
same N always gives the same flows.`;

/** `millrace sample`. */
export function sampleCommand(): Command {
  const command = new Command("sample")
    .description("Write a file of N different flows for experiments.")
    .argument("<N>", `how many flows, at most ${SAMPLE_FLOWS_MAX}`, flowCount)
    .option("-o, --output <FILE>", "the file; - is standard output", "-")
    .addHelpText("after", HELP_AFTER)
    .action(run);
  return withExamples(
    command,
    "millrace sample 100000 -o flows.txt",
    "millrace sample 5",
    "millrace sample 1000000 | millrace load --dp lab0",
  );
}

async function run(flows: number, options: Options): Promise<void> {
  using signals = new EndingSignals();
  const slices = new Slices();
  const path = options.output === "-" ? "/dev/stdout" : options.output;
  using file = openOutputFile(path, "--output", "whole");
  for (const text of sampleText(flows)) {
    file.write(Buffer.from(text));
    if (slices.isOver) await slices.rest();
    if (signals.signal.aborted) {
      process.exitCode = Exit.interrupted;
      return;
    }
    if (outputEnded()) return;
  }
  file.keep();
}

function flowCount(text: string): number {
  const flows = Number(text);
  if (/^[1-9]\d*$/.test(text) && flows <= SAMPLE_FLOWS_MAX) return flows;
  throw new UsageError(`found "${text}", expected a number of flows from 1 to ${SAMPLE_FLOWS_MAX}`);
}
