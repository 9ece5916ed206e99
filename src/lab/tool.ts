import { spawn } from "node:child_process";
import { LabError } from "./error.ts";
import { timeLimit } from "./time-limit.ts";

/** The result of a finished program. */
export type ToolResult = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

/** How a program of the host is run. */
type ToolOptions = {
  readonly cwd?: string | undefined;
  readonly env?: Record<string, string | undefined> | undefined;
  /**
   * Milliseconds on a quiet machine after which the program is killed; then its exit code is 124.
   */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Runs a program of the host to its end, with no input, and collects what it prints.
 *
 * Throws {@link LabError} only if the program cannot be started; a failing exit code is a result.
 */
export async function runTool(
  command: readonly string[],
  options: ToolOptions = {},
): Promise<ToolResult> {
  const [program, ...args] = command;
  if (program === undefined) throw new LabError("USAGE", "no program to run");
  options.signal?.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<ToolResult>();
  const child = spawn(program, args, {
    cwd: options.cwd,
    // Messages are parsed, so they must not be translated.
    env: { ...process.env, ...options.env, LC_ALL: "C.UTF-8" },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let timedOut = false;
  const kill = (): void => {
    if (child.pid === undefined) return;
    try {
      process.kill(-child.pid, "SIGKILL");
    } catch {
      // The program has already ended.
    }
  };
  const stopLimit =
    options.timeoutMs === undefined
      ? undefined
      : timeLimit(options.timeoutMs, () => {
          timedOut = true;
          kill();
        });
  options.signal?.addEventListener("abort", kill, { once: true });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
  child.on("error", (cause) => {
    reject(new LabError("UNAVAILABLE", `cannot run ${program}: ${cause.message}`, "", { cause }));
  });
  child.on("close", (code) => {
    resolve({
      exitCode: timedOut ? 124 : (code ?? 128),
      stdout: Buffer.concat(stdout).toString(),
      stderr: Buffer.concat(stderr).toString(),
    });
  });
  try {
    const result = await promise;
    options.signal?.throwIfAborted();
    return result;
  } finally {
    stopLimit?.();
    options.signal?.removeEventListener("abort", kill);
  }
}

/** The last lines of a program's output, for an error message. */
export function lastLines(text: string, count = 6): string {
  return text.trim().split("\n").slice(-count).join("\n");
}

/** Quotes `text` as one word of a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
