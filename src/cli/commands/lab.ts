import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { megabytes } from "../../lab/arriving.ts";
import {
  type Cached,
  cleanLabs,
  LAB_KERNELS,
  LAB_PEERS,
  LabError,
  listLabs,
  peerPath,
  runInLab,
  type LabKernel,
} from "../../lab/index.ts";
import { Exit } from "../exit.ts";
import { padLeft, padRight } from "../columns.ts";
import { withExamples } from "../help.ts";
import { complain, printJson, writeOut } from "../output.ts";
import { StatusLine } from "../status-line.ts";
import { systemErrorText } from "../system-error.ts";
import { hasTerminal } from "../../lab/terminal.ts";

/** The signals that end a lab, with their numbers: the exit status is 128 plus the number. */
const SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;

type RunOptions = {
  kernel: LabKernel;
  memory?: number;
  timeout?: number;
  quiet?: boolean;
  peers?: boolean;
  readOnly?: boolean;
};

/** A positive number from the command line. */
function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new InvalidArgumentError("not a positive number");
  return value;
}

const DISK = `
A command in a lab sees the host's disk with the caller's rights, and what it writes there stays.
With --read-only, its writes stay in the guest's memory and are gone with the guest. This protects
against accidents only: the command is root in its guest, and can mount the disk again.
/run, /dev/shm and TMPDIR always belong to the guest.`;

const RUN = "millrace lab run --read-only -- sh setup.sh";
const SHELL = "millrace lab shell --read-only";

/** `millrace lab`: run a command, or a shell, on a kernel that has the datapath. */
export function labCommand(): Command {
  const lab = new Command("lab").description(
    "Run commands on a throw-away kernel that has the datapath.",
  );
  withExamples(lab.addHelpText("after", DISK), RUN, SHELL, "millrace lab list");
  lab.enablePositionalOptions();
  const run = withKernel(lab.command("run")).addHelpText("after", DISK);
  withExamples(run, RUN, "millrace lab run --peers -- sh -c 'millrace dp add x && ovs-dpctl show'")
    .description("run a command in a lab; its exit status is returned")
    .argument("<COMMAND...>", "the command and its arguments, after --")
    .option("--timeout <SECONDS>", "end the command after this time (exit status 124)", positive)
    .passThroughOptions()
    .action((command: string[], options: RunOptions) => inLab(command, options, false));
  withExamples(withKernel(lab.command("shell")).addHelpText("after", DISK), SHELL)
    .description("open a shell in a lab, on this terminal")
    .action((options: RunOptions) => inLab([process.env["SHELL"] ?? "/bin/sh"], options, true));
  withExamples(lab.command("list"), "millrace lab list", "millrace lab list --json")
    .description("list kernels that are available here, running labs, and what is kept on disk")
    .option("--json", "one JSON document")
    .action(list);
  withExamples(lab.command("clean"), "millrace lab clean")
    .description("remove the kernels and programs kept on disk; they are fetched again when needed")
    .option("--json", "one JSON document")
    .action(clean);
  return lab;
}

async function list(options: { json?: boolean }): Promise<void> {
  const found = await listLabs();
  if (options.json === true) return printJson(found);
  for (const { kernel, available, note } of found.kernels) {
    writeOut(`${padRight(kernel, 5)} ${available ? "yes" : "no "}  ${note}\n`);
  }
  for (const lab of found.running) {
    writeOut(`runs  ${lab.kernel}, started by process ${lab.owner}: ${lab.command}\n`);
  }
  for (const each of found.cached) writeOut(`kept  ${cachedText(found.cache, each)}\n`);
  if (found.cache === null) writeOut("kept  nothing: no folder for it can be written\n");
}

async function clean(options: { json?: boolean }): Promise<void> {
  using status = new StatusLine("lab: ");
  const { cache, removed } = await cleanLabs(status.wait);
  status.clear();
  if (options.json === true) return printJson({ cache, removed });
  for (const each of removed) writeOut(`removed  ${cachedText(cache, each)}\n`);
  const bytes = removed.reduce((sum, each) => sum + each.bytes, 0);
  const where = cache === null ? "no folder for it can be written" : cache;
  writeOut(removed.length === 0 ? `nothing is kept: ${where}\n` : `${megabytes(bytes)} in all\n`);
}

function cachedText(cache: string | null, { name, bytes }: Cached): string {
  return `${padLeft(megabytes(bytes), 9)}  ${join(cache ?? "", name)}`;
}

function withKernel(command: Command): Command {
  const kernel = new Option("--kernel <KERNEL>", "the kernel to run").choices(LAB_KERNELS);
  return command
    .addOption(kernel.default("auto"))
    .option("--memory <MIB>", "the guest's memory in MiB (default: 4096, or what fits)", positive)
    .option(
      "--read-only",
      "keep writes to the disk in the guest's memory; not with the host's own kernel",
    )
    .option("--peers", "fetch ovs-dpctl, ip and other tools, and use them before the machine's own")
    .option("--quiet", "print only the command's output");
}

/** Runs a command in a lab and ends this process with its exit status. */
async function inLab(command: string[], options: RunOptions, shell: boolean): Promise<void> {
  const stop = new AbortController();
  let received: keyof typeof SIGNALS | undefined;
  for (const signal of ["SIGHUP", "SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      received = signal;
      stop.abort(signal);
    });
  }
  const status = new StatusLine("lab: ");
  const [say, wait] = options.quiet ? [undefined, undefined] : [status.say, status.wait];
  const telling = { onProgress: say, onWaiting: wait, signal: stop.signal };
  try {
    for (const peer of options.peers === true ? LAB_PEERS : []) {
      await peerPath([peer], telling);
    }
    const result = await runInLab({
      kernel: options.kernel,
      command,
      stdin: "inherit",
      terminal: shell && hasTerminal(),
      readOnly: options.readOnly,
      memoryMiB: options.memory,
      timeoutMs: options.timeout === undefined ? undefined : options.timeout * 1000,
      onStart: status.clear,
      ...telling,
    });
    if (result.timedOut) say?.(`the time limit of ${options.timeout} s is over`);
    process.exit(result.exitCode);
  } catch (error) {
    status.clear();
    if (received !== undefined) process.exit(128 + SIGNALS[received]);
    const message = error instanceof LabError ? error.message : systemErrorText(error);
    complain(message ?? String(error));
    // Exit at once: an unread input would keep the process alive.
    process.exit(Exit.lab);
  }
}
