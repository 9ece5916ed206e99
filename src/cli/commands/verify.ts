import { Command } from "commander";
import { type PortNames, portNamesOf } from "../../flow/ports.ts";
import { OvsChannel } from "../../ovs/channel.ts";
import { openDatapath } from "../../ovs/datapath.ts";
import { listPorts } from "../../ovs/vport.ts";
import { openSet } from "../../state/open-set.ts";
import { type Deviation, type Verification, verifyFlows } from "../../state/verify.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { colours as pc } from "../colour.ts";
import { actionsOf } from "../diff-output.ts";
import { Exit } from "../exit.ts";
import { withExamples } from "../help.ts";
import { withNamespace } from "../namespace-option.ts";
import { count, printJson, printLines, writeOut } from "../output.ts";
import { agreementText } from "../sync-output.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { askWhereTyped, openFile, portsBeside, readSource } from "../set-argument.ts";
import { Waiting } from "../waiting.ts";

// `millrace verify`: tells whether a datapath holds the flows of a file.

type Options = { dp: string; owner?: string; exact?: true; json?: true };

const HELP_AFTER = `
The dump of the datapath must be complete: as many flows as the kernel counts, none of them twice.
If flows change meanwhile, it is repeated. Each flow of FILE must exist with its actions; with
--exact, the owner may have no other flows. The first ten flows that are missing, different or extra
are printed; with --json, a hundred.
Exit status: 0 the flows are as wanted, 1 they are not, 2 or more an error.`;

/** `millrace verify`. */
export function verifyCommand(): Command {
  const command = withNamespace(
    new Command("verify")
      .description("Check whether a datapath holds the flows of a file. Changes nothing.")
      .argument("<FILE>", "the wanted flows, in any format; - is standard input")
      .requiredOption("--dp <NAME>", "the datapath")
      .option(...OWNER_OPTION)
      .option("--exact", "allow no other flows of the owner")
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

/** How many flows that are not as wanted are named. */
const NAMED_MAX = 10;
const NAMED_MAX_JSON = 100;

async function run(file: string, { dp, owner = "", exact, json }: Options): Promise<void> {
  using signals = new EndingSignals();
  const { signal } = signals;
  using waiting = new Waiting();
  const opened = openFile(file);
  using channel = new OvsChannel();
  const datapath = openDatapath(channel, dp);
  askWhereTyped(file);
  const set = await openSet(opened, signal);
  const numbered = listPorts(datapath);
  const ports = portsBeside(numbered, set);
  const wanted = await readSource(set.source, { owner, ports, signal, waiting });
  const differences: Deviation[] = [];
  const found = verifyFlows(datapath, wanted, {
    owner,
    onRead: waiting.onRead(dp),
    onDeviations: (all) => {
      for (const one of all) {
        if (one.what === "extra" && exact === undefined) continue;
        if (differences.push(one) === (json ? NAMED_MAX_JSON : NAMED_MAX)) return;
      }
    },
  });
  waiting.clear();
  const wrong = found.missing + found.different + (exact === undefined ? 0 : found.extra);
  if (json) printJson({ ...found, isAsWanted: wrong === 0, differences });
  else {
    writeOut(`${inWords(found, file, dp)}\n`);
    printLines(differences.flatMap((one) => linesOf(one, ports, portNamesOf(numbered))));
    if (wrong > differences.length) {
      writeOut(`  … and ${count(wrong - differences.length)} more${hint(file, dp)}\n`);
    }
  }
  process.exitCode = wrong === 0 ? Exit.ok : Exit.someFailed;
}

function hint(file: string, dp: string): string {
  return file === "-" ? "" : `: 'millrace diff ${file} dp:${dp}' shows all`;
}

/** A flow that is not as wanted, in a line or two. */
function linesOf(deviation: Deviation, wanted: PortNames, held: PortNames): string[] {
  if (deviation.what === "extra") {
    return [`  ${pc.green("extra")}      ${deviation.held.toString({ ports: held })}`];
  }
  const text = deviation.wanted.toString({ ports: wanted });
  if (deviation.what === "missing") return [`  ${pc.red("missing")}    ${text}`];
  const actions = actionsOf(deviation.held.parts, held);
  return [`  ${pc.yellow("different")}  ${text}`, `    but has  actions:${actions}`];
}

function inWords(found: Verification, file: string, dp: string): string {
  const parts = [
    agreementText(found),
    ...(found.extra > 0 ? [`${count(found.extra)} more of the owner's`] : []),
    ...(found.foreign > 0 ? [`${count(found.foreign)} of others`] : []),
  ];
  return `${file} in ${dp}: ${parts.join(", ")}`;
}
