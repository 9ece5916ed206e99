import type { FlowException } from "../load/outcome.ts";
import { UnwritableOutputError } from "./exit.ts";
import { complain } from "./output.ts";
import { isInput, openOutputFile } from "./output-file.ts";

/** Writes every exception of a load as it comes, so that memory does not grow. */
type ExceptionLog = Disposable & { readonly write: (exception: FlowException) => void };

/** Lines are collected up to this size and time, since a system call per line would be slow. */
const BUFFER_BYTES = 64 << 10;
const BUFFER_MS = 250;

/**
 * Opens the file of `--errors`; undefined without one. If writing fails, that is reported once and
 * the load goes on: its report still counts everything.
 * @throws UnwritableOutputError if it cannot be opened, or is the input itself
 */
export function openExceptionLog(
  path: string | undefined,
  input: string,
): ExceptionLog | undefined {
  if (path === undefined) return undefined;
  if (isInput(path, input))
    throw new UnwritableOutputError(`--errors ${path}: it is the input itself`);
  const file = openOutputFile(path, "--errors", "growing");
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
      file.write(Buffer.from(text));
    } catch (error) {
      failed = true;
      complain(`--errors: ${messageOf(error)}; no more is written to it`);
    }
  };
  const write = (exception: FlowException): void => {
    if (failed) return;
    const line = `${JSON.stringify(exception)}\n`;
    lines.push(line);
    length += line.length;
    if (length >= BUFFER_BYTES) flush();
    // A load may wait hours for its input; known exceptions should be visible.
    else timer ??= setTimeout(flush, BUFFER_MS);
  };
  return {
    write,
    [Symbol.dispose]: () => {
      flush();
      file[Symbol.dispose]();
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
