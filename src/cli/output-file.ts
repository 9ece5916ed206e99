import { randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import { temporaryFolder } from "../lab/trust.ts";
import { EIO, errnoNumber } from "../sys/errno.ts";
import { SystemCallError } from "../sys/errors.ts";
import { UnwritableOutputError, UsageError } from "./exit.ts";
import { writeOut } from "./output.ts";

/**
 * When a file gets its name: `whole` at its end, so that a failure does not destroy an earlier
 * file; `growing` at once, for readers that watch it.
 */
type Naming = "whole" | "growing";

/** An output file named on the command line. */
type OutputFile = Disposable & {
  /** Whether it is standard output, by any name, so that nothing else may be printed there. */
  readonly isStandardOutput: boolean;
  /** @throws SystemCallError */
  readonly write: (bytes: Uint8Array) => void;
  /**
   * Says that the file is complete. Without this, a `whole` file is removed when the object is
   * disposed of.
   */
  readonly keep: () => void;
};

/**
 * Opens a file for output. It is a new file with an unpredictable name, in the folder of the file
 * that it replaces: no foreign link is written through, and of two concurrent writers of one name,
 * the result of one remains. A pipe or a device is written directly.
 * @param option its option, for errors
 * @throws UnwritableOutputError if it cannot be written
 */
export function openOutputFile(path: string, option: string, naming: Naming): OutputFile {
  try {
    if (path === "") throw new Error("it names no file");
    const target = resolveTarget(path);
    if (typeof target === "number") return descriptor(target, path);
    const { stat } = target;
    if (stat?.isDirectory() === true || path.endsWith("/")) throw new Error("it is a folder");
    // The link may lead to a file of the caller.
    if (stat?.isSymbolicLink() === true) throw new Error("the link belongs to another user");
    if (stat !== undefined && !stat.isFile()) {
      return opened(fs.openSync(target.path, fs.constants.O_WRONLY), path);
    }
    return newFile(target, path, naming);
  } catch (cause) {
    throw new UnwritableOutputError(`${option} ${path}: ${reasonOf(cause)}`, { cause });
  }
}

/**
 * Opens a file for a flow set; `-` is standard output. The file gets its name when it is complete:
 * an earlier file of that name is not lost to a bad line.
 * @throws UsageError for a terminal, UnwritableOutputError
 */
export function openFlowSet(path: string): OutputFile {
  const out = openOutputFile(path === "-" ? "/dev/stdout" : path, "--output", "whole");
  if (out.isStandardOutput && process.stdout.isTTY) {
    throw new UsageError("a flow set is not for a terminal");
  }
  return out;
}

/**
 * Checks that a file can be written, before the work whose result it will hold.
 * @throws UnwritableOutputError if it cannot
 */
export function checkOutputFile(path: string, option: string): void {
  // Opening and closing a pipe would end it for its reader.
  if (!isPipe(path)) openOutputFile(path, option, "whole")[Symbol.dispose]();
}

function isPipe(path: string): boolean {
  try {
    return fs.statSync(path).isFIFO();
  } catch {
    // Opening it will report the error.
    return false;
  }
}

/**
 * Writes a complete file.
 * @throws UnwritableOutputError, SystemCallError; see {@link openOutputFile}
 */
export function writeWholeFile(path: string, option: string, text: string): void {
  using file = openOutputFile(path, option, "whole");
  file.write(Buffer.from(text));
  file.keep();
}

/** Whether a path names the file that is the input; `-` is standard input. */
export function isInput(path: string, input: string): boolean {
  try {
    const output = fs.statSync(path);
    const read = input === "-" ? fs.fstatSync(0) : fs.statSync(input);
    return output.ino === read.ino && output.dev === read.dev && output.isFile();
  } catch {
    // Opening them will report the error.
    return false;
  }
}

/** A path with its links resolved, and the file there. */
type Target = { readonly path: string; readonly stat: fs.Stats | undefined };

/** The most links followed, as in the kernel. */
const LINKS_MAX = 40;

/**
 * Follows links, but not those of other users.
 * @returns a descriptor if the path is a name for one
 */
function resolveTarget(path: string): Target | number {
  let at = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    const fd = descriptorOf(resolve(at));
    if (fd !== undefined) return fd;
    const stat = fs.lstatSync(at, { throwIfNoEntry: false });
    const follows = stat?.isSymbolicLink() === true && [0, process.geteuid?.()].includes(stat.uid);
    if (!follows) return { path: at, stat };
    at = resolve(fs.realpathSync(dirname(at)), fs.readlinkSync(at));
  }
  throw new Error("too many links");
}

const STANDARD = ["/dev/stdin", "/dev/stdout", "/dev/stderr"];

function descriptorOf(path: string): number | undefined {
  const standard = STANDARD.indexOf(path);
  if (standard >= 0) return standard;
  const [, number] = /^\/(?:dev|proc\/(?:self|\d+))\/fd\/(\d+)$/.exec(path) ?? [];
  return number === undefined ? undefined : Number(number);
}

function descriptor(fd: number, path: string): OutputFile {
  fs.fstatSync(fd);
  const write = fd === 1 ? writeOut : (bytes: Uint8Array) => writeAll(fd, bytes, path);
  const nothing = (): void => undefined;
  return { isStandardOutput: fd === 1, write, keep: nothing, [Symbol.dispose]: nothing };
}

function opened(fd: number, path: string): OutputFile {
  return {
    isStandardOutput: false,
    write: (bytes) => writeAll(fd, bytes, path),
    keep: () => undefined,
    [Symbol.dispose]: () => fs.closeSync(fd),
  };
}

function newFile({ path: target, stat }: Target, path: string, naming: Naming): OutputFile {
  if (stat?.isFile() === true) fs.accessSync(target, fs.constants.W_OK);
  let part = join(dirname(target), `.millrace-${randomUUID()}`);
  let folder: string | undefined;
  let fd: number;
  try {
    fd = create(part);
  } catch (error) {
    // The file may be writable even if it cannot be replaced.
    if (stat?.isFile() !== true || !isForbidden(error)) throw error;
    if (naming === "growing") return opened(fs.openSync(target, "w"), path);
    folder = temporaryFolder("millrace-");
    part = join(folder, "part");
    fd = create(part);
  }
  const name = (): void => {
    if (folder === undefined) fs.renameSync(part, target);
    else fs.copyFileSync(part, target);
  };
  const close = (): void => {
    fs.closeSync(fd);
    // A temporary file that got its final name no longer exists under the old one.
    fs.rmSync(folder ?? part, { recursive: true, force: true });
  };
  try {
    if (stat?.isFile() === true) inherit(fd, stat);
    if (naming === "growing") name();
  } catch (error) {
    close();
    throw error;
  }
  return {
    isStandardOutput: false,
    write: (bytes) => writeAll(fd, bytes, path),
    keep: () => {
      if (naming === "growing") return;
      attempt(`writing ${path}`, () => {
        fs.fsyncSync(fd);
        name();
      });
    },
    [Symbol.dispose]: close,
  };
}

function create(path: string): number {
  return fs.openSync(
    path,
    fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL,
    0o666,
  );
}

// Copies owner and mode, as if the file had been overwritten.
function inherit(fd: number, { uid, gid, mode }: fs.Stats): void {
  const own = fs.fstatSync(fd);
  if (own.uid !== uid || own.gid !== gid) {
    try {
      fs.fchownSync(fd, uid, gid);
    } catch (error) {
      if (!isForbidden(error)) throw error;
    }
  }
  fs.fchmodSync(fd, mode & 0o777);
}

function writeAll(fd: number, bytes: Uint8Array, path: string): void {
  attempt(`writing ${path}`, () => {
    for (let at = 0; at < bytes.length;) {
      try {
        at += fs.writeSync(fd, bytes, at);
      } catch (error) {
        // The pipe is full, and another program made it nonblocking.
        if (codeOf(error) !== "EAGAIN") throw error;
        Bun.sleepSync(1);
      }
    }
  });
}

function attempt(doing: string, work: () => void): void {
  try {
    work();
  } catch (cause) {
    throw new SystemCallError("write", errnoNumber(codeOf(cause)) ?? EIO, doing, { cause });
  }
}

function isForbidden(error: unknown): boolean {
  return ["EACCES", "EPERM", "EROFS"].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such folder",
  ENOTDIR: "a part of the path is not a folder",
  EACCES: "no permission to write it, or in its folder",
  EPERM: "no permission to replace what is there",
  EROFS: "it lies on a file system that is mounted to be read only",
  EBADF: "it is not open for writing",
};

function reasonOf(cause: unknown): string {
  return REASONS[codeOf(cause)] ?? (cause instanceof Error ? cause.message : String(cause));
}
