import { closeSync, fstatSync, type Stats, openSync, readSync, statSync } from "node:fs";
import { MillraceError } from "../sys/errors.ts";
import { isatty } from "../sys/libc.ts";

/** An input that is read piece by piece. */
export type ByteSource = {
  /** Its name in messages: the file's name, or `standard input`. */
  readonly name: string;
  /** The total number of bytes, if known beforehand; for a compressed input, those of the file. */
  readonly size: number | undefined;
  /** For a compressed input, how many bytes of the file were taken. */
  readonly taken?: () => number;
  /**
   * The path of a regular file, which another thread can open as well; absent for all other inputs.
   */
  readonly path?: string;
  /**
   * Reads into `buffer` from `offset` to its end.
   * @returns how many bytes were read, a promise if none are there yet; 0 at the end
   */
  read(buffer: Uint8Array, offset: number): number | Promise<number>;
  /**
   * Reads into `buffer` from byte `place` of the input on, as much as is at hand, and leaves the
   * place of {@link read}. Absent if that is impossible.
   * @returns how many bytes were read; 0 at the end
   */
  readonly readAt?: (buffer: Uint8Array, place: number) => number;
  /**
   * Starts again at the first byte. Absent if that is impossible; an input that has it never waits.
   */
  readonly rewind?: () => void;
  /** Opens the same bytes again, from the first one; returns undefined if they have changed. */
  readonly reopen?: () => ByteSource | undefined;
  close(): void;
};

/** The input cannot be read: it is missing, a folder, or not text. */
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
  ENOTDIR: "a part of the path is not a folder",
  ENXIO: "there is nothing behind it to read from",
  EBADF: "it is not open for reading",
};

const STANDARD_INPUT = 0;

/**
 * A file, read synchronously, which is faster than asynchronous reads from the page cache.
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
 * The input at a path: a file, a device, or a pipe or terminal, whose data is waited for.
 * @throws UnreadableInputError
 */
export function pathSource(path: string): ByteSource {
  const stat = attempt(path, () => statSync(path));
  const waits = stat.isFIFO() || (stat.isCharacterDevice() && isTerminal(path));
  // Other devices, such as /dev/null, never make a reader wait, and the kernel refuses to watch
  // them.
  if (!waits) return fileSource(path);
  return streamSource(path, () => Bun.file(path).stream());
}

/** Standard input, from the descriptor's current position. @throws UnreadableInputError */
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

/** A descriptor, read once from its current position. */
function plainSource(name: string, fd: number, close: () => void): ByteSource {
  const read = (buffer: Uint8Array, offset: number): number =>
    attempt(name, () => readSync(fd, buffer, offset, buffer.length - offset, null));
  return { name, size: undefined, read, close };
}

/** A regular file, which can be read from its beginning any number of times. */
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
    readAt: (buffer, place) => attempt(name, () => readSync(fd, buffer, 0, buffer.length, place)),
    rewind: () => {
      position = 0;
    },
    reopen: () => (isUnchanged(name, stat) ? fileSource(name) : undefined),
    close,
  };
}

// A clock may be too coarse to tell a file from the one that replaced it.
function isUnchanged(path: string, { ino, size, mtimeMs }: Stats): boolean {
  const now = statSync(path, { throwIfNoEntry: false });
  return now?.ino === ino && now.size === size && now.mtimeMs === mtimeMs;
}

/**
 * A stream, a pipe or a terminal, whose data is waited for. It is opened at the first read: an open
 * stream keeps the process alive, and a command that fails earlier would wait for its input.
 * @param failure makes an error from what the stream threw
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

/** An input in memory. */
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
    readAt: (buffer, place) => {
      const piece = bytes.subarray(place, place + buffer.length);
      buffer.set(piece);
      return piece.length;
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

/** The error for an input that breaks off because a script threw instead of giving `what`. */
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
