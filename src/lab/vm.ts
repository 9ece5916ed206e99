import { spawn, type ChildProcess } from "node:child_process";
import { Duplex, type Readable } from "node:stream";
import { LabError } from "./error.ts";
import { shellQuote } from "./tool.ts";

/** The open descriptors of a kernel's process, besides its log on 1 and 2. */
export const VM_FD = { control: 3, terminal: 5, output: 6, error: 7 } as const;

/** The supervisor's descriptor: it ends when this process closes the other side. */
const LIFELINE = 4;

/** A running kernel, with the channels to its guest. */
export type Vm = {
  readonly process: ChildProcess;
  readonly output: Readable;
  readonly error: Readable;
  readonly control: Duplex;
  readonly terminal: Duplex;
  /**
   * Ends the kernel and all of its processes, and removes its folder; resolves when that is done.
   */
  readonly stop: () => Promise<void>;
};

/**
 * The supervisor: starts the kernel in its own process group, and ends the whole group when this
 * process says so or dies, in any way. A group is needed because helper processes that outlive the
 * kernel would run the guest's code on the host.
 */
function supervisorScript(folder: string): string {
  return `setsid "$@" 6>&1 7>&2 </dev/null >>${shellQuote(`${folder}/log`)} 2>&1 4<&- &
kernel=$!
echo $kernel >${shellQuote(`${folder}/kernel.pid`)}
exec </dev/null >/dev/null 2>&1 3<&- 5<&-
read -r _ <&4
# There is no group before setsid has made it.
kill -KILL -$kernel || kill -KILL $kernel
wait $kernel
rm -rf ${shellQuote(folder)}
`;
}

/** Starts a kernel with its files in `folder`, which is removed when the kernel has stopped. */
export function startVm(
  command: readonly string[],
  folder: string,
  env: Record<string, string | undefined>,
): Vm {
  const child = spawn("/bin/sh", ["-c", supervisorScript(folder), "millrace-lab", ...command], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
    // A terminal's signals go to this process, which then stops the kernel properly.
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const control = duplex(child, VM_FD.control);
  if (child.stdout === null || child.stderr === null) {
    throw new LabError("BOOT", "no channel to the kernel's process");
  }
  const terminal = duplex(child, VM_FD.terminal);
  const lifeline = duplex(child, LIFELINE);
  for (const stream of [terminal, control, lifeline]) {
    // The kernel may end first; its end is detected on the streams, not by a failed write.
    stream.on("error", () => undefined);
  }
  return {
    process: child,
    output: child.stdout,
    error: child.stderr,
    control,
    terminal,
    stop: async () => {
      lifeline.destroy();
      await ended;
    },
  };
}

function duplex(child: ChildProcess, fd: number): Duplex {
  const stream = child.stdio[fd];
  if (!(stream instanceof Duplex)) throw new LabError("BOOT", "no channel to the kernel's process");
  return stream;
}
