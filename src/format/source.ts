import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { MillraceError } from "../sys/errors.ts";

/** Bytes that come piece by piece. */
export type ByteSource = {
  /** What it is called in messages: the file's name, `standard input`. */
  readonly name: string;
  /** Bytes in all, where that is known beforehand. */
  readonly size: number | undefined;
  /**
   * Reads into `buffer` from `offset` to its end.
   * @returns how many bytes came, a promise where that takes waiting; 0 at the end
   */
  read(buffer: Uint8Array, offset: number): number | Promise<number>;
  /** Starts again at the first byte; absent where bytes that were read are gone. It never waits then. */
  readonly rewind?: () => void;
  close(): void;
};

/** The input cannot be read: it is missing, a folder, not text. */
export class UnreadableInputError extends MillraceError {
  override readonly name: string = "UnreadableInputError";

  constructor(message: string, options?: ErrorOptions) {
    super("UNREADABLE_INPUT", message, options);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder",
  EACCES: "no permission to read it",
  ENOTDIR: "a part of the path is no folder",
};

/**
 * A file, read synchronously: from the page cache that is faster than waiting for it.
 * @throws UnreadableInputError
 */
export function fileSource(path: string): ByteSource {
  const fd = attempt(path, () => openSync(path, "r"));
  const stat = fstatSync(fd);
  if (stat.isDirectory()) {
    closeSync(fd);
    throw new UnreadableInputError(`cannot read ${path}: ${REASONS["EISDIR"]}`);
  }
  const close = (): void => closeSync(fd);
  if (!stat.isFile()) {
    const read = (buffer: Uint8Array, offset: number): number =>
      attempt(path, () => readSync(fd, buffer, offset, buffer.length - offset, null));
    return { name: path, size: undefined, read, close };
  }
  let position = 0;
  return {
    name: path,
    size: stat.size,
    read: (buffer, offset) => {
      const room = buffer.length - offset;
      const count = attempt(path, () => readSync(fd, buffer, offset, room, position));
      position += count;
      return count;
    },
    rewind: () => {
      position = 0;
    },
    close,
  };
}

/**
 * What a path names: a file, or a pipe or device, which is waited for.
 * @throws UnreadableInputError
 */
export function pathSource(path: string): ByteSource {
  const stat = attempt(path, () => statSync(path));
  if (stat.isFile() || stat.isDirectory()) return fileSource(path);
  return streamSource(path, Bun.file(path).stream());
}

/** A stream, a pipe or standard input: whatever is waited for. */
export function streamSource(name: string, stream: ReadableStream<Uint8Array>): ByteSource {
  const reader = stream.getReader();
  let left: Uint8Array = new Uint8Array(0);
  return {
    name,
    size: undefined,
    read: async (buffer, offset) => {
      while (left.length === 0) {
        const { done, value } = await reader.read().catch((cause: unknown) => {
          throw unreadable(name, cause);
        });
        if (done) return 0;
        left = value;
      }
      const count = Math.min(left.length, buffer.length - offset);
      buffer.set(left.subarray(0, count), offset);
      left = left.subarray(count);
      return count;
    },
    close: () => void reader.cancel().catch(() => undefined),
  };
}

/** Bytes that are at hand already. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  let position = 0;
  return {
    name,
    size: bytes.length,
    read: (buffer, offset) => {
      const count = Math.min(bytes.length - position, buffer.length - offset);
      buffer.set(bytes.subarray(position, position + count), offset);
      position += count;
      return count;
    },
    rewind: () => {
      position = 0;
    },
    close: () => undefined,
  };
}

/** Lines from a script, one flow each; the newline is added. */
export function linesSource(
  name: string,
  lines: Iterable<string> | AsyncIterable<string>,
): ByteSource {
  const encoder = new TextEncoder();
  const iterator = Symbol.asyncIterator in lines ? lines[Symbol.asyncIterator]() : undefined;
  const synchronous = Symbol.iterator in lines ? lines[Symbol.iterator]() : undefined;
  let left: Uint8Array = new Uint8Array(0);
  const take = (buffer: Uint8Array, offset: number): number => {
    const count = Math.min(left.length, buffer.length - offset);
    buffer.set(left.subarray(0, count), offset);
    left = left.subarray(count);
    return count;
  };
  let ended = false;
  const accept = (next: IteratorResult<string>): boolean => {
    ended = next.done === true;
    if (next.done === true) return false;
    const line = next.value.replace(/\r?\n$/, "");
    if (line.includes("\n")) {
      throw new UnreadableInputError(`cannot read ${name}: a newline within the flow "${line}"`);
    }
    left = encoder.encode(`${line}\n`);
    return true;
  };
  return {
    name,
    size: undefined,
    read: (buffer, offset) => {
      if (iterator !== undefined) {
        if (left.length > 0) return take(buffer, offset);
        return iterator.next().then((next) => (accept(next) ? take(buffer, offset) : 0));
      }
      // As many lines as fit: a read a line would be slow.
      let filled = 0;
      while (offset + filled < buffer.length) {
        if (left.length === 0 && (synchronous === undefined || !accept(synchronous.next()))) break;
        filled += take(buffer, offset + filled);
      }
      return filled;
    },
    // As a loop that is left: the generator's own clean-up runs.
    close: () => {
      if (ended) return;
      synchronous?.return?.();
      void iterator?.return?.().catch(() => undefined);
    },
  };
}

function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(name: string, cause: unknown): UnreadableInputError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new UnreadableInputError(`cannot read ${name}: ${reason}`, { cause });
}
