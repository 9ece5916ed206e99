import { Command } from "commander";
import { colours as pc } from "../colour.ts";
import { checkAll } from "../doctor-checks.ts";
import { padRight } from "../columns.ts";
import { Exit } from "../exit.ts";
import { withExamples } from "../help.ts";
import { printJson, writeOut } from "../output.ts";

// `millrace doctor`: prints what the checks find.

const SIGNS = { ok: pc.green("ok     "), note: pc.yellow("note   "), lacking: pc.red("lacking") };

/** `millrace doctor`. */
export function doctorCommand(): Command {
  const command = new Command("doctor")
    .description(
      "Check what this machine has and lacks for loads and for the lab, and how to fix it.",
    )
    .option(
      "--dp <NAME>",
      "print the masks of this datapath instead, and how they slow down installs",
    )
    .option("--json", "one JSON document")
    .addHelpText("after", "\nExit status: 0 nothing is missing; 3 something is missing.")
    .action(async (options: { dp?: string; json?: true }) => {
      if (options.dp !== undefined) return showMasks(options.dp, options.json === true);
      const checks = checkAll();
      if (options.json) printJson(checks);
      else {
        const width = Math.max(...checks.map(({ what }) => Bun.stringWidth(what)));
        for (const { what, verdict, found, remedy } of checks) {
          writeOut(`${SIGNS[verdict]}  ${padRight(what, width)}  ${found}\n`);
          if (remedy !== undefined) writeOut(`${" ".repeat(width + 11)}→ ${remedy}\n`);
        }
      }
      if (checks.some(({ verdict }) => verdict === "lacking")) process.exitCode = Exit.unavailable;
    });
  return withExamples(
    command,
    "millrace doctor",
    "millrace doctor --dp lab0",
    "millrace doctor --json | jq -r '.[].what'",
  );
}

async function showMasks(name: string, json: boolean): Promise<void> {
  const { OvsChannel } = await import("../../ovs/channel.ts");
  const { openDatapath } = await import("../../ovs/datapath.ts");
  const { printMasks, summarizeMasks } = await import("../mask-summary.ts");
  using channel = new OvsChannel();
  printMasks(name, summarizeMasks(openDatapath(channel, name)), json);
}
