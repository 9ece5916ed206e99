import { Command } from "commander";
import { OvsChannel } from "../../ovs/channel.ts";
import { openDatapath } from "../../ovs/datapath.ts";
import { portNames } from "../../ovs/vport.ts";
import { type Verification, verifyFlows } from "../../state/verify.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { Exit } from "../exit.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { count, printJson, writeOut } from "../output.ts";
import { agreementText } from "../sync-output.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { askWhereTyped, openFile, readSource } from "../set-argument.ts";

// `millrace verify`: tells whether a datapath holds the flows of a file.

type Options = { dp: string; owner?: string; exact?: true; json?: true };

const HELP_AFTER = `
The datapath is dumped, and the dump is sound: it has as many flows as the kernel counts, none of
them twice; one during which flows came or went is taken again. Each flow of FILE has to be there,
with its actions; --exact: and no other flow of the owner.
Exit status: 0 it is so, 1 it is not, 2 and more trouble.`;

/** `millrace verify`. */
export function verifyCommand(): Command {
  const command = withNamespace(
    new Command("verify")
      .description("Tell whether a datapath holds the flows of a file. Nothing is changed.")
      .argument("<FILE>", "the wanted flows, in any format; - is standard input")
      .requiredOption("--dp <NAME>", "the datapath")
      .option(...OWNER_OPTION)
      .option("--exact", "no other flow of the owner may be there")
      .option("--json", "one JSON document")
      .addHelpText("after", HELP_AFTER)
      .action(run),
  );
  return withExamples(
    command,
    "millrace verify flows.txt --dp lab0",
    "millrace verify flows.set --dp lab0 --owner router --exact --json",
  );
}

async function run(file: string, { dp, owner = "", exact, json }: Options): Promise<void> {
  using signals = new EndingSignals();
  const source = openFile(file);
  using channel = new OvsChannel();
  const datapath = openDatapath(channel, dp);
  const ports = portNames(datapath);
  askWhereTyped(file);
  const wanted = await readSource(source, { owner, ports, signal: signals.signal });
  const found = verifyFlows(datapath, wanted, { owner });
  const isAsWanted =
    found.missing + found.different === 0 && (exact === undefined || found.extra === 0);
  if (json) printJson({ ...found, isAsWanted });
  else {
    writeOut(`${inWords(found, file, dp)}\n`);
    if (!isAsWanted && file !== "-") writeOut(`'millrace diff ${file} dp:${dp}' shows which\n`);
  }
  process.exitCode = isAsWanted ? Exit.ok : Exit.someFailed;
}

function inWords(found: Verification, file: string, dp: string): string {
  const parts = [
    agreementText(found),
    ...(found.extra > 0 ? [`${count(found.extra)} more of the owner's`] : []),
    ...(found.foreign > 0 ? [`${count(found.foreign)} of others`] : []),
  ];
  return `${file} in ${dp}: ${parts.join(", ")}`;
}
