import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { guestEnvironment } from "./environment.ts";
import { LabError } from "./error.ts";
import {
  jobScript,
  mountScript,
  networkScript,
  overlayScript,
  relayScript,
  type GuestChannels,
  type GuestJob,
  type GuestTree,
} from "./guest.ts";
import { inputFile, spoolSender } from "./input.ts";
import { projectPrograms } from "./own-programs.ts";
import { modprobeScript } from "./modprobe.ts";
import { EAGER_MODULES, loadOrder, OVERLAY_MODULE, readModuleIndex } from "./modules.ts";
import type { ResolvedOptions } from "./options.ts";
import { cachedPeers } from "./peers.ts";
import { makeRunFolder } from "./runs.ts";
import { converse, type SessionResult } from "./session.ts";
import { terminalSize } from "./terminal.ts";
import { startVm } from "./vm.ts";

/** A kernel that can be booted, whose guest sees the host's files. */
type GuestKernel = {
  readonly kind: "uml" | "qemu";
  /** The kernel's name, for messages. */
  readonly title: string;
  /** A possible remedy for a kernel that does not boot. */
  readonly remedy: string;
  readonly tree: GuestTree;
  readonly channels: GuestChannels;
  readonly bootTimeoutMs: number;
  /**
   * The command that starts the kernel, for a run with its files in `folder`, `init` as its init,
   * and its root mounted according to `root`.
   */
  readonly command: (folder: string, init: string, root: "ro" | "rw") => string[];
  /** The environment of the kernel's process, for a run with its files in `folder`. */
  readonly env: (folder: string) => Readonly<Record<string, string>>;
};

/** Boots a kernel, runs a command in its guest, and stops the guest. */
export async function runInGuest(
  kernel: GuestKernel,
  options: ResolvedOptions,
): Promise<SessionResult> {
  const { tree } = kernel;
  const folder = makeRunFolder(kernel.kind, options.command);
  try {
    const spool = join(folder, "in");
    const source = options.terminal ? "ignore" : options.stdin;
    const file = source === "inherit" ? inputFile() : undefined;
    const programs = join(folder, "bin");
    const first = [programs, ...cachedPeers(), projectPrograms(join(folder, "own"))];
    const init = writeScripts(folder, kernel, {
      command: options.command,
      cwd: options.cwd,
      env: guestEnvironment(options.env, first, [tree.applets]),
      stdin: source === "ignore" ? source : file === undefined ? { spool } : { file },
      terminal: options.terminal ? terminalSize() : undefined,
      readOnly: options.readOnly,
    });
    const root = options.readOnly ? "ro" : "rw";
    options.onWaiting?.(`booting ${kernel.title}, ${tree.release}`);
    const vm = startVm(kernel.command(folder, init, root), folder, kernel.env(folder));
    return await converse(vm, {
      ...options,
      folder,
      kernel: kernel.title,
      remedy: kernel.remedy,
      input:
        source === "ignore" || file !== undefined
          ? undefined
          : { source, sender: spoolSender(spool, vm.control) },
      bootTimeoutMs: kernel.bootTimeoutMs,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the guest's scripts into the run's folder. Returns the path of init. */
function writeScripts(
  folder: string,
  kernel: GuestKernel,
  job: GuestJob & { readonly readOnly: boolean },
): string {
  const { tree, channels } = kernel;
  const modprobe = join(folder, "bin", "modprobe");
  const jobPath = join(folder, "job");
  const init = join(folder, "init");
  const index = readModuleIndex(tree.modules);
  const filesOf = (names: readonly string[]): string[] =>
    loadOrder(index, names).map((file) => join(tree.modules, file));
  if (job.readOnly && !index.has(OVERLAY_MODULE)) {
    throw new LabError(
      "UNAVAILABLE",
      `the kernel ${tree.release} comes without ${OVERLAY_MODULE}`,
      `remove ${tree.folder}: it is fetched again`,
    );
  }
  const executable = { mode: 0o755 };
  mkdirSync(join(folder, "bin"));
  writeFileSync(modprobe, modprobeScript(tree.busybox, tree.index, tree.modules), executable);
  writeFileSync(jobPath, jobScript(job));
  const parts = [
    `#!${tree.busybox} sh\nPATH=${tree.applets}\n`,
    job.readOnly ? overlayScript(tree.busybox, filesOf([OVERLAY_MODULE])) : "",
    mountScript(tree.busybox),
    networkScript(filesOf(EAGER_MODULES), modprobe),
    relayScript(job, channels, jobPath),
  ];
  writeFileSync(init, parts.join(""), executable);
  return init;
}
