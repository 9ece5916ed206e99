import { closeSync, fstatSync, type Stats, openSync, readSync, statSync } from "node:fs";
import { MillraceError } from "../sys/errors.ts";
import { isatty } from "../sys/libc.ts";

/** Bytes that come piece by piece. */
export type ByteSource = {
  /** What it is called in messages: the file's name, `standard input`. */
  readonly name: string;
  /** Bytes in all, where that is known beforehand; of a compressed one those of the file. */
  readonly size: number | undefined;
  /** How many of them were taken, where others are read: of a compressed one. */
  readonly taken?: () => number;
  /** Of a file of the disk, which another thread can open as well; absent for all else. */
  readonly path?: string;
  /**
   * Reads into `buffer` from `offset` to its end.
   * @returns how many bytes came, a promise where that takes waiting; 0 at the end
   */
  read(buffer: Uint8Array, offset: number): number | Promise<number>;
  /** Starts again at the first byte; absent where bytes that were read are gone. It never waits then. */
  readonly rewind?: () => void;
  /** Opens the same bytes once more, from the first one; undefined where they are others by now. */
  readonly reopen?: () => ByteSource | undefined;
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
  ENXIO: "there is nothing behind it to read from",
  EBADF: "it is not open for reading",
};

const STANDARD_INPUT = 0;

/**
 * A file, read synchronously: from the page cache that is faster than waiting for it.
 * @throws UnreadableInputError
 */
export function fileSource(path: string): ByteSource {
  const fd = attempt(path, () => openSync(path, "r"));
  const close = (): void => closeSync(fd);
  try {
    const stat = attempt(path, () => fstatSync(fd));
    refuseFolder(path, stat.isDirectory());
    return stat.isFile() ? regularSource(path, fd, stat, close) : plainSource(path, fd, close);
  } catch (error) {
    close();
    throw error;
  }
}

/**
 * What a path names: a file, a device, or a pipe or terminal, which is waited for.
 * @throws UnreadableInputError
 */
export function pathSource(path: string): ByteSource {
  const stat = attempt(path, () => statSync(path));
  const waits = stat.isFIFO() || (stat.isCharacterDevice() && isTerminal(path));
  // Others are never waited for, and the kernel refuses to watch them: /dev/null.
  if (!waits) return fileSource(path);
  return streamSource(path, () => Bun.file(path).stream());
}

/** Standard input, from where its descriptor is. @throws UnreadableInputError */
export function standardInput(): ByteSource {
  const name = "standard input";
  const stat = attempt(name, () => fstatSync(STANDARD_INPUT));
  refuseFolder(name, stat.isDirectory());
  if (stat.isFIFO() || stat.isSocket() || isatty(STANDARD_INPUT)) {
    return streamSource(name, () => Bun.stdin.stream());
  }
  return plainSource(name, STANDARD_INPUT, () => undefined);
}

function isTerminal(path: string): boolean {
  const fd = attempt(path, () => openSync(path, "r"));
  try {
    return isatty(fd);
  } finally {
    closeSync(fd);
  }
}

function refuseFolder(name: string, isFolder: boolean): void {
  if (isFolder) throw new UnreadableInputError(`cannot read ${name}: ${REASONS["EISDIR"]}`);
}

/** A descriptor that is read from where it is, once. */
function plainSource(name: string, fd: number, close: () => void): ByteSource {
  const read = (buffer: Uint8Array, offset: number): number =>
    attempt(name, () => readSync(fd, buffer, offset, buffer.length - offset, null));
  return { name, size: undefined, read, close };
}

/** A file of the disk: read from its beginning, as often as wanted. */
function regularSource(name: string, fd: number, stat: Stats, close: () => void): ByteSource {
  let position = 0;
  return {
    name,
    size: stat.size,
    path: name,
    read: (buffer, offset) => {
      const room = buffer.length - offset;
      const count = attempt(name, () => readSync(fd, buffer, offset, room, position));
      position += count;
      return count;
    },
    rewind: () => {
      position = 0;
    },
    reopen: () => (statSync(name).mtimeMs === stat.mtimeMs ? fileSource(name) : undefined),
    close,
  };
}

/**
 * A stream, a pipe or a terminal: whatever is waited for. It is opened when it is read: an open one keeps the
 * process, and a command that fails before would wait for its input.
 * @param failure makes an error of what the stream ended with
 * @throws UnreadableInputError
 */
export function streamSource(
  name: string,
  open: () => ReadableStream<Uint8Array>,
  failure: (cause: unknown) => UnreadableInputError = (cause) => unreadable(name, cause),
): ByteSource {
  const openReader = () => attempt(name, () => open().getReader());
  let reader: ReturnType<typeof openReader> | undefined;
  let left: Uint8Array = new Uint8Array(0);
  return {
    name,
    size: undefined,
    read: async (buffer, offset) => {
      while (left.length === 0) {
        reader ??= openReader();
        const { done, value } = await reader.read().catch((cause: unknown) => {
          throw failure(cause);
        });
        if (done) return 0;
        left = value;
      }
      const count = Math.min(left.length, buffer.length - offset);
      buffer.set(left.subarray(0, count), offset);
      left = left.subarray(count);
      return count;
    },
    close: () => void reader?.cancel().catch(() => undefined),
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
    reopen: () => bytesSource(name, bytes),
    close: () => undefined,
  };
}

function attempt<T>(path: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** What a script threw instead of `what` it was to give: an input that breaks off there. */
export function brokenOff(what: string, cause: unknown): UnreadableInputError {
  if (cause instanceof UnreadableInputError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new UnreadableInputError(`cannot read ${what}: ${reason}`, { cause });
}

function unreadable(name: string, cause: unknown): UnreadableInputError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const reason = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new UnreadableInputError(`cannot read ${name}: ${reason}`, { cause });
}
