import { readFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./error.ts";
import { inputChunks, sendInput, type InputSender, type InputSource } from "./input.ts";
import { carryOutput, lines, type OutputTarget } from "./streams.ts";
import { attachTerminal } from "./terminal.ts";
import { timeLimit } from "./time-limit.ts";
import { lastLines } from "./tool.ts";
import type { Vm } from "./vm.ts";

/** Options for communicating with a booted kernel. */
type SessionOptions = {
  /** The run's folder, where the kernel's log is. */
  readonly folder: string;
  readonly kernel: string;
  /** A possible remedy for a kernel that does not boot. */
  readonly remedy: string;
  /** Undefined if the guest reads its input by itself. */
  readonly input:
    { readonly source: Exclude<InputSource, "ignore">; readonly sender: InputSender } | undefined;
  readonly stdout: OutputTarget;
  readonly stderr: OutputTarget;
  readonly terminal: boolean;
  /** Milliseconds for the boot on a quiet machine. */
  readonly bootTimeoutMs: number;
  /** Milliseconds for the command, from its start. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onStart?: ((release: string) => void) | undefined;
};

/** The result of a command in a guest. */
export type SessionResult = {
  readonly exitCode: number;
  readonly timedOut: boolean;
  readonly release: string;
  readonly bootMs: number;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
};

/** What ended the wait for the guest. */
type End = "exit" | "gone" | "boot limit" | "limit" | "aborted";

/** `timeout(1)`'s exit status for a time limit. */
export const TIMEOUT_STATUS = 124;

/**
 * Carries the streams between this process and a guest until its command has ended, then stops the
 * kernel. Whatever happens, the kernel is gone and its folder removed on return.
 *
 * Throws {@link LabError}: BOOT if the command never started, GUEST if the kernel ended while it
 * ran, ABORTED by the signal.
 */
export async function converse(vm: Vm, options: SessionOptions): Promise<SessionResult> {
  const began = performance.now();
  const end = Promise.withResolvers<End>();
  let release = "";
  let bootMs = 0;
  let exitCode = -1;
  let waitedMs = 0;
  let stopLimit = timeLimit(options.bootTimeoutMs, (milliseconds) => {
    waitedMs = milliseconds;
    end.resolve("boot limit");
  });
  const abort = (): void => end.resolve("aborted");
  options.signal?.addEventListener("abort", abort, { once: true });
  if (options.signal?.aborted === true) abort();

  let detach: (() => void) | undefined;
  const started = (name: string): void => {
    stopLimit();
    release = name;
    bootMs = performance.now() - began;
    const { timeoutMs } = options;
    if (timeoutMs !== undefined) {
      const limit = setTimeout(() => end.resolve("limit"), timeoutMs);
      stopLimit = () => clearTimeout(limit);
    }
    options.onStart?.(release);
    detach = attachInput(vm, options);
  };
  const heard = (word: string, value: string): void => {
    if (word === "started") started(value);
    else if (word === "took") options.input?.sender.took(value);
    else if (word === "exit") {
      exitCode = Number(value);
      end.resolve("exit");
    }
  };
  listen(vm, heard)
    .finally(() => end.resolve("gone"))
    .catch(() => undefined);
  const outputs = Promise.all([
    carryOutput(vm.output, options.stdout, 1),
    carryOutput(vm.error, options.stderr, 2),
  ]);
  // A consumer's error must not leave a kernel behind.
  outputs.catch(() => end.resolve("gone"));

  let reason: End;
  let log: string;
  try {
    reason = await end.promise;
    log = reason === "exit" ? "" : readLog(options.folder);
  } finally {
    stopLimit();
    options.signal?.removeEventListener("abort", abort);
    detach?.();
    await vm.stop();
  }
  if (reason === "aborted") {
    vm.output.destroy();
    vm.error.destroy();
    outputs.catch(() => undefined);
    throw new LabError("ABORTED", "the lab was stopped", "", { cause: options.signal?.reason });
  }
  const [stdout, stderr] = await outputs;
  if (reason === "boot limit") throw neverBooted(options, waitedMs, log);
  if (reason === "gone") throw goneTooEarly(options, release !== "", log);
  const timedOut = reason === "limit";
  if (timedOut) exitCode = TIMEOUT_STATUS;
  return { exitCode, timedOut, release, bootMs, stdout, stderr };
}

/** Connects the command's input. @returns a function that gives the terminal back */
function attachInput(vm: Vm, { terminal, input }: SessionOptions): (() => void) | undefined {
  if (terminal) return attachTerminal(vm);
  // Missing input shows in the command's behaviour.
  if (input !== undefined)
    sendInput(inputChunks(input.source), input.sender).catch(() => undefined);
  return undefined;
}

/** Passes on the guest's messages, a word and a value per line, until the channel ends. */
async function listen(vm: Vm, heard: (word: string, value: string) => void): Promise<void> {
  for await (const line of lines(vm.control)) {
    const [word = "", value = ""] = line.split(" ");
    heard(word, value);
  }
}

function neverBooted({ kernel }: SessionOptions, waitedMs: number, log: string): LabError {
  const seconds = Math.round(waitedMs / 1000);
  return new LabError("BOOT", `the ${kernel} kernel did not boot in ${seconds} s:\n${log}`);
}

/** @param started whether the command was running when the kernel went away */
function goneTooEarly(options: SessionOptions, started: boolean, log: string): LabError {
  const { kernel, remedy } = options;
  return started
    ? new LabError("GUEST", `the ${kernel} kernel ended under the command:\n${log}`, "")
    : new LabError(
        "BOOT",
        `the ${kernel} kernel ended before the command started:\n${log}`,
        remedy,
      );
}

/** The last output of the kernel and its start-up scripts; of a panic its reason and its trace. */
function readLog(folder: string): string {
  try {
    const log = readFileSync(join(folder, "log"), "utf8");
    const panic = log.lastIndexOf("Kernel panic");
    return panic < 0 ? lastLines(log, 15) : log.slice(panic).trimEnd();
  } catch {
    return "";
  }
}
