import { lstatSync, mkdtempSync, readlinkSync, type Stats } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { LabError } from "./error.ts";

/*
 * Whom a folder is open to. What lies in the cache is run, by root too, and what lies in a temporary folder is
 * read back: neither may be put there by anybody else. An ordinary user who can write into a folder of the way
 * can rename what is in it and put something in its place, but for a folder with the sticky bit, such as /tmp,
 * where that is left to the owner of each entry. So every folder of the way has to be root's or the caller's,
 * and nobody else's to write, or sticky; and a name below a sticky one counts only where it is root's or the
 * caller's: somebody else may have taken it first. Root is trusted throughout, and so is whatever runs as the
 * caller: it could as well change the caller's shell.
 */

/** Links that are followed on one way. */
const LINKS_MAX = 40;

const STICKY = 0o1000;
const GROUP_WRITES = 0o020;
const OTHERS_WRITE = 0o002;

/**
 * Why a folder that holds what is run cannot be trusted, in words; undefined where it can, or where it is not there
 * and the way to it can. It has to be the caller's own, no link, and closed to other writers.
 */
export function folderFault(path: string): string | undefined {
  const fault = wayFault(dirname(resolve(path)));
  if (fault !== undefined) return fault;
  const stat = look(path);
  if (stat === "hidden") return `no permission to look at ${path}`;
  if (stat === undefined) return undefined;
  if (stat.isSymbolicLink()) return `${path} is a link`;
  if (!stat.isDirectory()) return `${path} is no folder`;
  if (stat.uid !== self()) return `${path} belongs to user ${stat.uid}`;
  return (stat.mode & (GROUP_WRITES | OTHERS_WRITE)) === 0
    ? undefined
    : `${path} can be written by others`;
}

/** Why others could change what is put into a folder under a new name; undefined where they cannot. */
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

/** Makes a new folder of the caller's alone for temporary files. @throws LabError where others could replace it */
export function temporaryFolder(prefix: string): string {
  const parent = tmpdir();
  const fault = wayFault(parent);
  if (fault !== undefined) {
    const remedy = "set TMPDIR to a folder of yours, or one with the sticky bit";
    throw new LabError("UNAVAILABLE", `no folder for temporary files: ${fault}`, remedy);
  }
  return mkdtempSync(join(parent, prefix));
}

// Many systems give each user a group of the same number, for that user alone.
function isOpen({ mode, gid }: Stats): boolean {
  const others = (mode & OTHERS_WRITE) !== 0;
  const group = (mode & GROUP_WRITES) !== 0 && gid !== 0 && gid !== self();
  return (others || group) && (mode & STICKY) === 0;
}

function self(): number {
  return process.geteuid?.() ?? 0;
}

// What the caller may not even look at is hidden; undefined where nothing is there.
function look(path: string): Stats | "hidden" | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EACCES") return "hidden";
    throw error;
  }
}
