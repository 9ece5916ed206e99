import { closeSync, openSync, type Stats, statSync, writeSync } from "node:fs";
import type { FlowException } from "../load/outcome.ts";
import { UsageError } from "./exit.ts";

/** Takes every exception of a load as it comes, so that memory does not grow with them. */
type ExceptionLog = Disposable & { readonly write: (exception: FlowException) => void };

/** Lines are collected up to this, and no longer than this: a system call a line would be slow. */
const BUFFER_BYTES = 64 << 10;
const BUFFER_MS = 250;

/**
 * Opens the file of `--errors`; undefined without one. A file that cannot be written any more is said
 * once, and the load goes on: its report still counts everything.
 * @throws UsageError where it cannot be opened, or is the input itself
 */
export function openExceptionLog(
  path: string | undefined,
  input: string,
): ExceptionLog | undefined {
  if (path === undefined) return undefined;
  if (isSameFile(path, input)) throw new UsageError(`--errors ${path}: it is the input itself`);
  const fd = open(path);
  let failed = false;
  let lines: string[] = [];
  let length = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const text = lines.join("");
    lines = [];
    length = 0;
    if (failed || text === "") return;
    try {
      writeAll(fd, Buffer.from(text));
    } catch (error) {
      failed = true;
      console.error(`millrace: --errors ${path}: ${messageOf(error)}; no more is written to it`);
    }
  };
  const write = (exception: FlowException): void => {
    if (failed) return;
    const line = `${JSON.stringify(exception)}\n`;
    lines.push(line);
    length += line.length;
    if (length >= BUFFER_BYTES) flush();
    // A load may wait for its input for hours: what is known is to be seen.
    else timer ??= setTimeout(flush, BUFFER_MS);
  };
  return {
    write,
    [Symbol.dispose]: () => {
      flush();
      closeSync(fd);
    },
  };
}

function open(path: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw new UsageError(`--errors ${path}: ${messageOf(error)}`);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}

function isSameFile(path: string, input: string): boolean {
  const one = look(path);
  const other = input === "-" ? undefined : look(input);
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev && one.isFile();
}

function look(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
