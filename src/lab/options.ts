import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Progress } from "./apt.ts";
import { LabError } from "./error.ts";
import type { InputSource } from "./input.ts";
import type { OutputTarget } from "./streams.ts";

/** The kernel to run in: `auto` is the host's if it has the datapath, otherwise User Mode Linux. */
export type LabKernel = "auto" | "host" | "uml" | "qemu";

/** The values of the option `--kernel`. */
export const LAB_KERNELS: readonly LabKernel[] = ["auto", "host", "uml", "qemu"];

/** What runs in a lab, and how. Only the command is required. */
export type LabOptions = {
  /** Default: `auto`. */
  readonly kernel?: LabKernel | undefined;
  /** The program and its arguments, without a shell. */
  readonly command: readonly string[];
  /** Default: this process's. PATH and TMPDIR are always the lab's. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Default: this process's. */
  readonly cwd?: string | undefined;
  /** Default: `ignore`. */
  readonly stdin?: InputSource | undefined;
  /** Default: `inherit`. With `pipe` the result holds the output. */
  readonly stdout?: OutputTarget | undefined;
  readonly stderr?: OutputTarget | undefined;
  /** Lends this process's terminal to the command; then the three streams are unused. */
  readonly terminal?: boolean | undefined;
  /**
   * Keeps the command's writes to the host's disk in the guest's memory, where they are lost at its
   * end. Default: false. Not possible on the host's kernel.
   */
  readonly readOnly?: boolean | undefined;
  /** The guest's memory. Default: about 4 GiB, or less if the machine has less free. */
  readonly memoryMiB?: number | undefined;
  /** Milliseconds for the command, not counting the boot. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with what is being fetched. */
  readonly onProgress?: Progress | undefined;
  /**
   * Called repeatedly with what is being waited for, and its progress; each line replaces the
   * previous one.
   */
  readonly onWaiting?: Progress | undefined;
  /** Called when the command starts, with the kernel's release. */
  readonly onStart?: ((release: string) => void) | undefined;
};

/** What has no default. */
type Optional = "memoryMiB" | "timeoutMs" | "signal" | "onProgress" | "onWaiting" | "onStart";

/** {@link LabOptions} with all defaults. */
export type ResolvedOptions = Pick<LabOptions, Optional> & {
  readonly [Name in Exclude<keyof LabOptions, Optional>]-?: Exclude<LabOptions[Name], undefined>;
};

/** Fills in the defaults. Throws {@link LabError} (USAGE) for options that can never work. */
export function resolveOptions(options: LabOptions): ResolvedOptions {
  const cwd = options.cwd === undefined ? currentFolder() : resolve(options.cwd);
  if (options.command.length === 0) throw new LabError("USAGE", "no command to run in the lab");
  if (!existsSync(cwd) || !statSync(cwd).isDirectory()) {
    throw new LabError("USAGE", `no folder ${cwd} to run in`);
  }
  if ([...options.command, cwd].some((word) => word.includes("\0"))) {
    throw new LabError("USAGE", "a command's words cannot hold a zero byte");
  }
  return {
    ...options,
    kernel: options.kernel ?? "auto",
    env: options.env ?? process.env,
    cwd,
    stdin: options.stdin ?? "ignore",
    stdout: options.stdout ?? "inherit",
    stderr: options.stderr ?? "inherit",
    terminal: options.terminal ?? false,
    readOnly: options.readOnly ?? false,
  };
}

function currentFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new LabError(
      "USAGE",
      "the folder that this was started in is gone",
      "cd to another one",
      {
        cause,
      },
    );
  }
}
