import * as fs from "node:fs";
import { join } from "node:path";
import { LabError } from "./error.ts";

/**
 * A manifest lists what was unpacked into a folder of the cache, so that a change is noticed before
 * a program from it is run. It protects against accidents: an interrupted copy, a full disk, a
 * program that writes to the wrong place, including a guest's command, which sees this folder as
 * its caller does. It cannot protect against a process with the privileges of the caller or root,
 * which could also write the manifest; nobody else has access (`folderFault`).
 *
 * A file counts as unchanged if its size, inode and change time match the manifest: a program can
 * set the modification time, but not the change time. The programs that start everything are read
 * in any case. If something differs, for example after restoring a backup, all contents are
 * compared.
 */

const FILE = "manifest.json";

/** The folders that a Python program creates when it runs. */
const MADE_LATER = "__pycache__";

/** An entry below the folder: a link's target, or a file's facts. */
type Entry = { readonly link: string } | FileEntry;

type FileEntry = {
  readonly sha256: string;
  readonly size: number;
  readonly mode: number;
  readonly inode: number;
  readonly changedMs: number;
};

type Manifest = Readonly<Record<string, Entry>>;

/** Writes the manifest of a folder. */
export function writeManifest(folder: string): void {
  const entries = Object.fromEntries(
    walk(folder).map((name) => [name, entryOf(join(folder, name))]),
  );
  const draft = join(folder, `${FILE}.new`);
  fs.writeFileSync(draft, JSON.stringify(entries), { mode: 0o600 });
  fs.renameSync(draft, join(folder, FILE));
}

/**
 * Whether a folder has a manifest. One without was made by an earlier version, or by another
 * program.
 */
export function hasManifest(folder: string): boolean {
  return fs.existsSync(join(folder, FILE));
}

/**
 * Checks a folder against its manifest.
 * @param programs files in it that are read completely
 * @throws LabError that names what was changed
 */
export function checkManifest(folder: string, programs: readonly string[]): void {
  const manifest = readManifest(folder);
  const names = walk(folder);
  const extra = names.find((name) => !Object.hasOwn(manifest, name));
  if (extra !== undefined) fail(folder, `${extra} was added`);
  const there = new Set(names);
  let moved = false;
  for (const [name, entry] of Object.entries(manifest)) {
    if (!there.has(name)) fail(folder, `${name} is missing`);
    const path = join(folder, name);
    if (!hasSameFacts(path, entry)) moved = true;
    else if (programs.includes(path) && !hasSameContent(path, entry)) {
      fail(folder, `${name} was changed`);
    }
  }
  if (!moved) return;
  for (const [name, entry] of Object.entries(manifest)) {
    if (!hasSameContent(join(folder, name), entry)) fail(folder, `${name} was changed`);
  }
  writeManifest(folder);
}

function fail(folder: string, what: string): never {
  throw new LabError(
    "UNAVAILABLE",
    `${folder} is not as it was unpacked: ${what}`,
    "remove that folder if you know why: it is fetched again",
  );
}

function readManifest(folder: string): Manifest {
  try {
    const manifest: unknown = JSON.parse(fs.readFileSync(join(folder, FILE), "utf8"));
    if (isManifest(manifest)) return manifest;
  } catch {
    // An unreadable manifest counts as none.
  }
  return fail(folder, `${FILE} cannot be read`);
}

function isManifest(value: unknown): value is Manifest {
  return typeof value === "object" && value !== null && Object.values(value).every(isEntry);
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  return "link" in value ? typeof value.link === "string" : "sha256" in value && "inode" in value;
}

/** The files and links below a folder, by their paths in it. */
function walk(folder: string, below = ""): string[] {
  return fs.readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const name = join(below, entry.name);
    if (entry.isDirectory()) return entry.name === MADE_LATER ? [] : walk(folder, name);
    return name === FILE || name === `${FILE}.new` ? [] : [name];
  });
}

function entryOf(path: string): Entry {
  const stat = fs.lstatSync(path);
  if (stat.isSymbolicLink()) return { link: fs.readlinkSync(path) };
  const { size, mode, ino: inode, ctimeMs: changedMs } = stat;
  return { sha256: sha256Of(path), size, mode, inode, changedMs };
}

function hasSameFacts(path: string, entry: Entry): boolean {
  if ("link" in entry) return hasSameContent(path, entry);
  const { size, mode, ino, ctimeMs } = fs.lstatSync(path);
  return (
    size === entry.size && mode === entry.mode && ino === entry.inode && ctimeMs === entry.changedMs
  );
}

function hasSameContent(path: string, entry: Entry): boolean {
  const stat = fs.lstatSync(path);
  if ("link" in entry) return stat.isSymbolicLink() && fs.readlinkSync(path) === entry.link;
  return stat.isFile() && stat.mode === entry.mode && sha256Of(path) === entry.sha256;
}

function sha256Of(path: string): string {
  return new Bun.CryptoHasher("sha256").update(fs.readFileSync(path)).digest("hex");
}
