import * as fs from "node:fs";
import { randomUUID } from "node:crypto";
import { dirname, join } from "node:path";
import { MillraceError } from "../sys/errors.ts";

/*
 * A journal is a small text file beside the input: what is loaded, and how far it got. It need not
 * be synchronised to the disk: flows do not survive a machine's crash either.
 */

/** The load that a journal is about: if any of it differs, the journal says nothing about a load. */
type JournalSubject = {
  /** Length in bytes and time of change of the input. */
  readonly size: number;
  readonly changedMs: number;
  readonly datapath: string;
  readonly mode: string;
  readonly owner: string;
  readonly ufid: boolean;
  readonly order: string;
};

/** How far a load got, in flows from the beginning of its input. */
export type JournalPosition = {
  /** The outcome of these was known. */
  readonly settled: number;
  /** These may have been sent. */
  readonly sent: number;
};

const HEAD = "millrace journal 1";
const DIGITS = 16;
const START: JournalPosition = { settled: 0, sent: 0 };

/** The subject of a load from a file. */
export function subjectOf(
  path: string,
  options: Omit<JournalSubject, "size" | "changedMs">,
): JournalSubject {
  const { size, mtimeMs } = fs.statSync(path);
  return { size, changedMs: mtimeMs, ...options };
}

/**
 * Reads how far an earlier run of a load got.
 * @returns undefined if there is no journal of it: another input or datapath is none
 * @throws MillraceError `UNWRITABLE_OUTPUT` if the file is not a journal: it is not overwritten
 */
export function readJournal(path: string, subject: JournalSubject): JournalPosition | undefined {
  let text: string;
  try {
    // Whatever has the name, such as a pipe that nobody writes into, must not be waited for.
    const flag = fs.constants.O_RDONLY | fs.constants.O_NONBLOCK;
    text = fs.readFileSync(path, { encoding: "latin1", flag });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw unwritable(path, error);
  }
  const [head, told, position = ""] = text.split("\n");
  if (head !== HEAD) throw unwritable(path, new Error("it is not a journal of millrace"));
  const found = /^(\d{16}) (\d{16})$/.exec(position);
  if (told !== JSON.stringify(subject) || found === null) return undefined;
  return { settled: Number(found[1]), sent: Number(found[2]) };
}

/** A journal that is being written. */
export class Journal implements Disposable {
  readonly #path: string;
  readonly #descriptor: number;
  /** Where the position stands in the file: it is overwritten in place, so no disk fills up. */
  readonly #at: number;

  /** @throws MillraceError `UNWRITABLE_OUTPUT` */
  constructor(path: string, subject: JournalSubject, position: JournalPosition = START) {
    this.#path = path;
    const head = `${HEAD}\n${JSON.stringify(subject)}\n`;
    this.#at = Buffer.byteLength(head);
    // A new file that takes the name: whoever is killed here leaves the old journal.
    const part = join(dirname(path), `.millrace-${randomUUID()}`);
    try {
      this.#descriptor = fs.openSync(
        part,
        fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_EXCL,
      );
      try {
        const text = `${head}${lineOf(position)}`;
        if (fs.writeSync(this.#descriptor, text) < text.length) throw new Error("the disk is full");
        fs.renameSync(part, path);
      } catch (error) {
        fs.closeSync(this.#descriptor);
        fs.rmSync(part, { force: true });
        throw error;
      }
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /** Records a position. @returns false if that failed */
  write(position: JournalPosition): boolean {
    try {
      fs.writeSync(this.#descriptor, lineOf(position), this.#at);
      return true;
    } catch {
      return false;
    }
  }

  /** Removes the file: the load reached the end of its input. */
  remove(): void {
    // Only its own: another run of the same load may have begun a new one.
    const own = fs.fstatSync(this.#descriptor);
    const named = fs.statSync(this.#path, { throwIfNoEntry: false });
    if (named?.ino === own.ino && named.dev === own.dev) fs.rmSync(this.#path, { force: true });
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#descriptor);
  }
}

function lineOf({ settled, sent }: JournalPosition): string {
  return `${String(settled).padStart(DIGITS, "0")} ${String(sent).padStart(DIGITS, "0")}\n`;
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: "no permission to write in its folder",
  EPERM: "no permission to write in its folder",
  EROFS: "the file system is mounted to be read only",
  ENOSPC: "the disk is full",
  EDQUOT: "the quota of disk space is used up",
  EISDIR: "it is a folder",
  ENAMETOOLONG: "its name is too long",
};

function unwritable(path: string, cause: unknown): MillraceError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const why = REASONS[code] ?? (cause instanceof Error ? cause.message : String(cause));
  return new MillraceError(
    "UNWRITABLE_OUTPUT",
    `no journal can be kept in ${path}: ${why}; nothing was sent (--no-journal loads without one)`,
    { cause },
  );
}
