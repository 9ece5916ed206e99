import { lstatSync, mkdtempSync, readlinkSync, type Stats } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { LabError } from "./error.ts";

/**
 * Checks who can write to a folder. Programs in the cache are run, also by root, and files in a
 * temporary folder are read back: nobody else may be able to put them there. A user who can write
 * to any folder on the path can rename its entries and replace them, except in a folder with the
 * sticky bit, such as /tmp, where only the owner of an entry can. So every folder on the path must
 * belong to root or the caller, and must be writable by nobody else, or be sticky; and an entry of
 * a sticky folder must belong to root or the caller, since another user may have taken the name
 * first. Root is trusted, and so is every process of the caller, which could also change the
 * caller's shell.
 */

/** The most links followed on one path. */
const LINKS_MAX = 40;

const STICKY = 0o1000;
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;

/**
 * Why a folder with programs cannot be trusted, in words; undefined if it can, or if it does not
 * exist and the path to it can. It must belong to the caller, must not be a link, and must not be
 * writable by others.
 */
export function folderFault(path: string): string | undefined {
  const fault = wayFault(dirname(resolve(path)));
  if (fault !== undefined) return fault;
  const stat = look(path);
  if (stat === "hidden") return `no permission to look at ${path}`;
  if (stat === undefined) return undefined;
  if (stat.isSymbolicLink()) return `${path} is a link`;
  if (!stat.isDirectory()) return `${path} is not a folder`;
  if (stat.uid !== self()) return `${path} belongs to user ${stat.uid}`;
  return (stat.mode & (GROUP_WRITES | OTHERS_WRITE)) === 0
    ? undefined
    : `${path} can be written by others`;
}

/** Why others could change new files in a folder; undefined if they cannot. */
export function wayFault(path: string): string | undefined {
  const names = resolve(path).split("/").slice(1);
  let at = "/";
  for (let links = 0; links <= LINKS_MAX;) {
    const stat = look(at);
    if (stat === "hidden") return `no permission to look at ${at}`;
    if (stat === undefined) return undefined;
    if (stat.uid !== 0 && stat.uid !== self()) return `${at} belongs to user ${stat.uid}`;
    if (stat.isSymbolicLink()) {
      links++;
      names.unshift(...resolve(dirname(at), readlinkSync(at)).split("/").slice(1));
      at = "/";
      continue;
    }
    if (isOpen(stat)) return `others can replace what is in ${at}`;
    const name = names.shift();
    if (name === undefined) return undefined;
    if (name !== "") at = join(at, name);
  }
  return `too many links in ${path}`;
}

/**
 * Creates a folder for temporary files that only the caller can access.
 * @throws LabError if others could replace it
 */
export function temporaryFolder(prefix: string): string {
  const parent = tmpdir();
  const fault = wayFault(parent);
  if (fault !== undefined) {
    const remedy = "set TMPDIR to a folder of yours, or one with the sticky bit";
    throw new LabError("UNAVAILABLE", `no folder for temporary files: ${fault}`, remedy);
  }
  return mkdtempSync(join(parent, prefix));
}

// Many systems give each user a private group with the same number.
function isOpen({ mode, gid }: Stats): boolean {
  const others = (mode & OTHERS_WRITE) !== 0;
  const group = (mode & GROUP_WRITES) !== 0 && gid !== 0 && gid !== self();
  return (others || group) && (mode & STICKY) === 0;
}

function self(): number {
  return process.geteuid?.() ?? 0;
}

// The entry at a path; "hidden" if the caller may not look, undefined if nothing is there.
function look(path: string): Stats | "hidden" | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EACCES") return "hidden";
    throw error;
  }
}
