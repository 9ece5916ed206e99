import { Command, Option } from "commander";
import type { ByteSource } from "../../format/source.ts";
import type { LoadTarget } from "../../load/send/connection.ts";
import type { DatapathHandle } from "../../ovs/datapath.ts";
import { listPorts, portNames } from "../../ovs/vport.ts";
import type { FlowTable } from "../../state/flow-table.ts";
import { openSet } from "../../state/open-set.ts";
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
import { FRACTION, numberIn } from "../option-value.ts";
import { OWNER_OPTION } from "../owner-option.ts";
import { askWhereTyped, openFile, portsBeside, readSource } from "../set-argument.ts";
import { printSync, statusOfSync } from "../sync-output.ts";
import type { SyncCause, SyncWatch } from "../sync-watch.ts";
import { Waiting } from "../waiting.ts";

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
Flows that are as wanted are not touched, and a flow of both sets is never absent. Two flows are the
same if they match the same packets. Only the owner's flows are deleted or changed: those whose UFID
millrace made for that name. --all treats all flows as the owner's, --previous those of that file.

The kernel refuses a flow that an existing wider flow covers. If the wider flow is wanted as well,
nothing is sent, and the pairs are named; --allow-gap removes the wider flow and puts it back. The
order of FILE does not decide which of two overlapping flows a packet meets: the kernel has no
priorities.

--watch ends when the datapath is deleted, with exit status 3.
Exit status 1: nothing was sent, or some flows are not as wanted.`;

/** `millrace sync`. */
export function syncCommand(): Command {
  const command = withNamespace(
    new Command("sync")
      .description("Make a datapath hold the flows of a file, by sending only the difference.")
      .argument("<FILE>", "the wanted flows, in any format; - is standard input")
      .requiredOption("--dp <NAME>", "the datapath")
      .option(...OWNER_OPTION)
      .option("--all", "delete and change flows of every owner")
      .option(
        "--previous <FILE>",
        "also delete and change flows of this set, which FILE had before",
      )
      .option("--allow-gap", "briefly remove a wide flow that blocks a narrow one")
      .option("--allow-empty", "allow a FILE without flows, which deletes all of the owner's")
      .option(
        "--max-change <PERCENT>",
        "send nothing if more of the owner's flows would be deleted or changed",
        numberIn("--max-change", {
          min: 0,
          max: 100,
          form: FRACTION,
          expected: "a number from 0 to 100",
        }),
        50,
      )
      .option("--dry-run", "print the changes as a diff, and send nothing")
      .addOption(
        new Option(
          "--on-error <WHAT>",
          "after a flow fails: delete nothing more (stop), or undo what was done (rollback)",
        )
          .choices(["stop", "rollback"])
          .default("stop"),
      )
      .option("--resume", "continue a sync that was cut short; every sync does")
      .option("--verify", "at the end, read the datapath again and compare")
      .option("--watch", "keep running: sync again when FILE or the kernel's flows change")
      .option(
        "--verify-every <SECONDS>",
        "with --watch: also sync after so long without a change",
        numberIn("--verify-every", { min: 1, form: FRACTION, expected: "seconds, 1 at least" }),
        60,
      )
      .option("--force", "sync even if ovs-vswitchd runs the datapath")
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
    throw new UsageError(
      "--watch needs a file that can change, and cannot be combined with --dry-run",
    );
  }
  using signals = new EndingSignals();
  const source = openFile(file);
  const before = options.previous === undefined ? undefined : openFile(options.previous);
  using place = openTarget(options.dp);
  if (options.dryRun === undefined) checkOwner(place.target, options.force === true);
  const { owner = "" } = options;
  const { signal } = signals;
  using waiting = new Waiting();
  const { datapath } = place.target;
  const previous =
    before === undefined
      ? undefined
      : await readPrevious(before, datapath, { owner, signal, waiting });
  askWhereTyped(file);
  const once = (from: ByteSource, cause?: SyncCause): Promise<SyncResult> =>
    syncOnce(place.target, from, { options, previous, signal, waiting, cause });
  using watching = options.watch ? await startWatch(datapath, file, options, signal) : undefined;
  const result = await once(source);
  process.exitCode = statusOfSync(result);
  if (watching === undefined) return;
  watching.hasFailed = isFailure(result);
  await goOn(watching, (cause) => once(openFile(file), cause));
}

// Flows of ports that are gone since have their numbers.
async function readPrevious(
  source: ByteSource,
  datapath: DatapathHandle,
  told: { owner: string; signal: AbortSignal; waiting: Waiting },
): Promise<FlowTable> {
  const set = await openSet(source, told.signal);
  return readSource(set.source, { ...told, ports: portsBeside(listPorts(datapath), set) });
}

/** The arguments of a sync besides its file. */
type Told = {
  readonly options: Options;
  readonly previous: FlowTable | undefined;
  readonly signal: AbortSignal;
  readonly waiting: Waiting;
  /** Why it syncs again; undefined the first time. */
  readonly cause: SyncCause | undefined;
};

async function syncOnce(
  target: LoadTarget,
  source: ByteSource,
  { options, previous, signal, waiting, cause }: Told,
): Promise<SyncResult> {
  // A watch may have waited long before this.
  waiting.clear();
  const ports = portNames(target.datapath);
  const { owner = "", dryRun, json } = options;
  const wanted = await readSource(source, { owner, ports, signal, waiting });
  const onPlan = (plan: Plan, held: FlowTable): void => {
    waiting.clear();
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
    onRead: waiting.onRead(options.dp),
    onProgress: waiting.onSent(options.dp),
    ...(previous === undefined ? {} : { previous }),
  });
  waiting.clear();
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
      // The signal came while the file was read: nothing is half done.
      if (error instanceof MillraceError && error.code === "INTERRUPTED") break;
      // A file that is incomplete or wrong will change again.
      if (!(error instanceof MillraceError)) throw error;
      watching.checkDatapath();
      if (exitStatusOf(error) > Exit.usage) throw error;
      complain(error.message);
    }
  }
  process.exitCode = Exit.ok;
}
