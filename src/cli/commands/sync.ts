import { Command, Option } from "commander";
import type { ByteSource } from "../../format/source.ts";
import type { LoadTarget } from "../../load/send/connection.ts";
import type { DatapathHandle } from "../../ovs/datapath.ts";
import { portNames } from "../../ovs/vport.ts";
import type { FlowTable } from "../../state/flow-table.ts";
import type { Plan } from "../../state/plan.ts";
import { synchronize, type SyncResult } from "../../state/synchronize.ts";
import { MillraceError } from "../../sys/errors.ts";
import { EndingSignals } from "../../sys/signals.ts";
import { printPlan } from "../diff-output.ts";
import { Exit, exitStatusOf, UsageError } from "../exit.ts";
import { withExamples } from "../help.ts";
import { checkOwner, openTarget } from "../load-target.ts";
import { withNamespace } from "../namespace-option.ts";
import { complain, counted, writeError, writeOut } from "../output.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { askWhereTyped, openFile, readSource } from "../set-argument.ts";
import { printSync, statusOfSync } from "../sync-output.ts";
import type { SyncCause, SyncWatch } from "../sync-watch.ts";

// `millrace sync`: brings a datapath to the flows of a file.

type Options = {
  dp: string;
  owner?: string;
  all?: true;
  previous?: string;
  allowGap?: true;
  allowEmpty?: true;
  maxChange: number;
  dryRun?: true;
  verify?: true;
  onError: "stop" | "rollback";
  watch?: true;
  verifyEvery: number;
  force?: true;
  json?: true;
};

const HELP_AFTER = `
Only the difference is sent: flows that are as wanted are not touched, and a flow of both sets is
never absent. Flows are compared by what they match. Only flows of the owner are deleted or changed,
those whose UFID millrace made for that name; --all takes all of the datapath for the owner's, and
--previous those that FILE had before.

The kernel takes no flow that a wider one covers which is there. Where such a wide flow is wanted,
too, nothing is sent, and the pairs are named; --allow-gap takes it out and puts it back. Which of
two overlapping flows a packet meets is not set by the order of FILE: the kernel has no priorities.
Exit status 1: nothing was sent, or some flows are not as wanted.`;

/** `millrace sync`. */
export function syncCommand(): Command {
  const command = withNamespace(
    new Command("sync")
      .description("Bring a datapath to the flows of a file, by sending the difference alone.")
      .argument("<FILE>", "the wanted flows, in any format; - is standard input")
      .requiredOption("--dp <NAME>", "the datapath")
      .option(...OWNER_OPTION)
      .option("--all", "delete and change flows of everybody")
      .option("--previous <FILE>", "also those of this set, which FILE had before")
      .option("--allow-gap", "take out a wide flow for a moment that is in the way of a narrow one")
      .option("--allow-empty", "FILE may have no flow: all of the owner's are deleted")
      .option(
        "--max-change <PERCENT>",
        "stop where more of the owner's flows would be deleted or changed",
        percent,
        50,
      )
      .option("--dry-run", "print what would be sent, as a diff, and send nothing")
      .addOption(
        new Option(
          "--on-error <WHAT>",
          "stop deletes nothing more; rollback takes back what was done",
        )
          .choices(["stop", "rollback"])
          .default("stop"),
      )
      .option("--verify", "read the datapath again at the end, and compare")
      .option("--watch", "go on: sync again where FILE changes, or the kernel's flows do")
      .option(
        "--verify-every <SECONDS>",
        "with --watch: look, though nothing was heard",
        seconds,
        60,
      )
      .option("--force", "sync also where ovs-vswitchd runs the datapath")
      .option("--json", "one JSON document")
      .addHelpText("after", HELP_AFTER)
      .action(run),
  );
  return withExamples(
    command,
    "millrace sync flows.txt --dp lab0 --dry-run",
    "millrace sync flows.txt --dp lab0 --owner router --verify",
    "millrace sync new.txt --dp lab0 --previous old.txt",
  );
}

async function run(file: string, options: Options): Promise<void> {
  if (options.watch && (file === "-" || options.dryRun)) {
    throw new UsageError("--watch wants a file that can change, and a sync that sends");
  }
  using signals = new EndingSignals();
  const source = openFile(file);
  const before = options.previous === undefined ? undefined : openFile(options.previous);
  using place = openTarget(options.dp);
  if (options.dryRun === undefined) checkOwner(place.target, options.force === true);
  const { owner = "" } = options;
  const { signal } = signals;
  const ports = portNames(place.target.datapath);
  askWhereTyped(file);
  const previous =
    before === undefined ? undefined : await readSource(before, { owner, ports, signal });
  const once = (from: ByteSource, cause?: SyncCause): Promise<SyncResult> =>
    syncOnce(place.target, from, { options, previous, signal, cause });
  using watching = options.watch
    ? await startWatch(place.target.datapath, file, options, signal)
    : undefined;
  const result = await once(source);
  process.exitCode = statusOfSync(result);
  if (watching === undefined) return;
  watching.hasFailed = isFailure(result);
  await goOn(watching, (cause) => once(openFile(file), cause));
}

/** The arguments of a sync besides its file. */
type Told = {
  readonly options: Options;
  readonly previous: FlowTable | undefined;
  readonly signal: AbortSignal;
  /** Why it syncs again; undefined the first time. */
  readonly cause: SyncCause | undefined;
};

async function syncOnce(
  target: LoadTarget,
  source: ByteSource,
  { options, previous, signal, cause }: Told,
): Promise<SyncResult> {
  const ports = portNames(target.datapath);
  const { owner = "", dryRun, json } = options;
  const wanted = await readSource(source, { owner, ports, signal });
  const onPlan = (plan: Plan, held: FlowTable): void => {
    if (dryRun && !json) printPlan(plan, wanted, held, ports);
  };
  const result = await synchronize(target, wanted, {
    owner,
    all: options.all === true,
    allowGap: options.allowGap === true,
    allowEmpty: options.allowEmpty === true,
    maxChange: options.maxChange,
    dryRun: dryRun === true,
    verify: options.verify === true,
    rollback: options.onError === "rollback",
    signal,
    onPlan,
    ...(previous === undefined ? {} : { previous }),
  });
  // A watch reads the datapath after its own changes, too: only its file deserves a word each time.
  const isNews = result.sent > 0 || result.conflicts.length > 0 || result.ended !== "complete";
  if (cause !== undefined) {
    if (!isNews && cause !== "the file changed") return result;
    writeError(`${new Date().toISOString()} ${cause}\n`);
  }
  if (dryRun && !json && result.conflicts.length === 0) {
    writeOut(`${counted(result.planned, "request")} planned, nothing sent\n`);
  } else printSync(result, { from: source.name, to: options.dp, json: json === true });
  return result;
}

/** Whether a sync sent something, but the datapath is not as wanted. */
function isFailure(result: SyncResult): boolean {
  return result.sent > 0 && statusOfSync(result) !== Exit.ok;
}

async function startWatch(
  datapath: DatapathHandle,
  file: string,
  { verifyEvery }: Options,
  signal: AbortSignal,
): Promise<SyncWatch> {
  const { SyncWatch } = await import("../sync-watch.ts");
  return new SyncWatch({ datapath, file, verifyEvery, signal });
}

/** Syncs repeatedly until a signal comes, which is the normal end. */
async function goOn(
  watching: SyncWatch,
  sync: (cause: SyncCause) => Promise<SyncResult>,
): Promise<void> {
  writeError("watching\n");
  for await (const cause of watching.causes()) {
    try {
      watching.hasFailed = isFailure(await sync(cause));
    } catch (error) {
      // A file that is incomplete or wrong will change again.
      if (!(error instanceof MillraceError) || exitStatusOf(error) > Exit.usage) throw error;
      complain(error.message);
    }
  }
  process.exitCode = Exit.ok;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < 1) {
    throw new UsageError(`--verify-every: found "${text}", expected seconds, 1 at least`);
  }
  return value;
}

function percent(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value > 100) {
    throw new UsageError(`--max-change: found "${text}", expected a number from 0 to 100`);
  }
  return value;
}
