import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Duplex, Readable, Writable } from "node:stream";
import { guestEnvironment } from "./environment.ts";
import { LabError } from "./error.ts";
import type { HostRoute } from "./host.ts";
import { inputChunks } from "./input.ts";
import { projectPrograms } from "./own-programs.ts";
import type { ResolvedOptions } from "./options.ts";
import { TIMEOUT_STATUS, type SessionResult } from "./session.ts";
import { carryOutput } from "./streams.ts";
import { shellQuote } from "./tool.ts";
import { temporaryFolder } from "./trust.ts";

/** The first script in the namespace. `mounts`: whether it mounts its own file systems. */
function prepareScript(mounts: boolean): string {
  // /sys shows the network that was current when it was mounted.
  const mount = `mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR" 2>/dev/null
mount -t sysfs sysfs /sys 2>/dev/null
`;
  return `ip link set lo up 2>/dev/null
${mounts ? mount : ""}exec "$@"`;
}

/** Ends the namespace when this process says so or dies, and removes the folder. */
function supervisorScript(folder: string): string {
  // A shell gives background commands /dev/null as input, before their redirections.
  return `exec 4<&0
"$@" <&4 3<&- 4<&- &
command=$!
exec </dev/null >/dev/null 2>&1 4<&-
{ read -r _ <&3; kill -KILL -$command || kill -KILL $command; } &
watch=$!
exec 3<&-
wait $command
status=$?
kill -KILL $watch
rm -rf ${shellQuote(folder)}
exit $status
`;
}

/** Runs a command on the host's kernel, in a new network namespace. */
export async function runOnHost(
  route: HostRoute,
  options: ResolvedOptions,
  peers: readonly string[],
): Promise<SessionResult> {
  const began = performance.now();
  const folder = temporaryFolder("millrace-lab-");
  try {
    const env = guestEnvironment(options.env, [...peers, projectPrograms(join(folder, "own"))], []);
    const shared = options.stdin === "inherit" || options.terminal;
    const stdio: StdioOptions = [
      shared ? "inherit" : options.stdin === "ignore" ? "ignore" : "pipe",
      options.stdout === "inherit" || options.terminal ? "inherit" : "pipe",
      options.stderr === "inherit" || options.terminal ? "inherit" : "pipe",
      "pipe",
    ];
    // A command that shares the terminal must stay in its foreground.
    const own = !(shared && process.stdin.isTTY);
    const words = [
      ...(own ? ["setsid"] : []),
      ...route.enter,
      "sh",
      "-c",
      prepareScript(route.enter.includes("--mount")),
      "sh",
      ...options.command,
    ];
    const child = spawn("/bin/sh", ["-c", supervisorScript(folder), "millrace-lab", ...words], {
      cwd: options.cwd,
      env: { ...env, TMPDIR: folder },
      stdio,
      detached: own,
    });
    const bootMs = performance.now() - began;
    options.onStart?.(route.release);
    const end = await follow(child, options);
    return { ...end, release: route.release, bootMs };
  } finally {
    removeFolder(folder, options);
  }
}

// A folder that cannot be removed does not change the command's status.
function removeFolder(folder: string, options: ResolvedOptions): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    options.onProgress?.(`${folder} is left: ${String(error)}`);
  }
}

type Followed = Omit<SessionResult, "release" | "bootMs">;

/** Carries the streams until the command has ended, or was ended. */
async function follow(child: ChildProcess, options: ResolvedOptions): Promise<Followed> {
  const ended = Promise.withResolvers<number>();
  child.once("exit", (code, signal) => ended.resolve(code ?? (signal === null ? 128 : 137)));
  child.once("error", (cause) => {
    ended.reject(new LabError("BOOT", `cannot start the lab: ${cause.message}`, "", { cause }));
  });
  const lifeline = child.stdio[3];
  const stop = (): void => {
    if (lifeline instanceof Duplex) lifeline.destroy();
  };
  let timedOut = false;
  const limit =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          stop();
        }, options.timeoutMs);
  options.signal?.addEventListener("abort", stop, { once: true });
  if (options.signal?.aborted === true) stop();
  const { stdin } = options;
  if (child.stdin instanceof Writable && stdin !== "ignore") {
    // A command that does not read its input has not failed.
    child.stdin.on("error", () => undefined);
    Readable.from(inputChunks(stdin)).pipe(child.stdin);
  }
  try {
    const outputs = Promise.all([
      child.stdout === null ? new Uint8Array() : carryOutput(child.stdout, options.stdout, 1),
      child.stderr === null ? new Uint8Array() : carryOutput(child.stderr, options.stderr, 2),
    ]);
    outputs.catch(stop);
    const exitCode = await ended.promise;
    if (options.signal?.aborted === true) {
      throw new LabError("ABORTED", "the lab was stopped", "", { cause: options.signal.reason });
    }
    const [stdout, stderr] = await outputs;
    return { exitCode: timedOut ? TIMEOUT_STATUS : exitCode, timedOut, stdout, stderr };
  } finally {
    clearTimeout(limit);
    options.signal?.removeEventListener("abort", stop);
    stop();
  }
}
