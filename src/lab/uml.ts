import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { GuestChannels } from "./guest.ts";
import { VM_FD } from "./vm.ts";
import { wantsXstateShim, xstateShim } from "./xstate-shim.ts";

/** The serial lines of a User Mode Linux guest, by what they carry. */
export const UML_CHANNELS: GuestChannels = {
  terminal: "/dev/ttyS0",
  output: "/dev/ttyS1",
  error: "/dev/ttyS2",
  control: "/dev/ttyS3",
};

/**
 * Start-up work of the kernel that a lab never needs and that takes most of the boot: choosing
 * raid6's fastest code (0.85 s), its xor (0.05 s), the file systems that need them, and compressed
 * swap.
 */
const SKIPPED_INITCALLS = [
  "raid6_select_algo",
  "calibrate_xor_blocks",
  "init_btrfs_fs",
  "init_jfs_fs",
  "init_zswap",
  "zswap_init",
];

/** The parameters of a User Mode Linux. */
type UmlBoot = {
  readonly kernel: string;
  readonly mebibytes: number;
  /** The run's folder: it holds init, and the kernel's own files. */
  readonly folder: string;
  readonly init: string;
  readonly root: "ro" | "rw";
};

/** The kernel's command line. The guest's root is the host's tree. */
export function umlCommand(boot: UmlBoot): string[] {
  const { terminal, output, error, control } = VM_FD;
  return [
    boot.kernel,
    `mem=${boot.mebibytes}M`,
    "root=/dev/root",
    "rootfstype=hostfs",
    boot.root,
    `init=${boot.init}`,
    // Kernel messages go only to the log.
    "con=null",
    "con0=null,fd:2",
    `ssl0=fd:${terminal}`,
    `ssl1=null,fd:${output}`,
    `ssl2=null,fd:${error}`,
    `ssl3=fd:${control}`,
    // Without these two the kernel writes below ~/.uml.
    `uml_dir=${boot.folder}/`,
    "umid=uml",
    "quiet",
    "panic=-1",
    "selinux=0",
    "apparmor=0",
    "audit=0",
    // 256 old-style terminals cost 0.7 s.
    "pty.legacy_count=0",
    `initcall_blacklist=${SKIPPED_INITCALLS.join(",")}`,
  ];
}

const SHIM = "xstate.so";

/**
 * The environment of the kernel's process. Only TMPDIR tells it the folder for the guest's memory.
 * None of it reaches the guest.
 * @param folder the run's folder: {@link xstateShim} is written there if the processor needs it
 */
export function umlEnvironment(memoryFolder: string, folder: string): Record<string, string> {
  const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", TMPDIR: memoryFolder };
  if (!wantsXstateShim(readFileSync("/proc/cpuinfo", "utf8"))) return env;
  writeFileSync(join(folder, SHIM), xstateShim());
  // Relative to the folder in which the kernel is started: a blank or a colon in an absolute path
  // would end the name.
  return { ...env, LD_PRELOAD: `./${SHIM}` };
}
