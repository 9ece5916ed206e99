import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LabError } from "./error.ts";

/*
 * What was unpacked into a folder of the cache, kept beside it, so that a change is noticed before something of
 * it is run. It protects from accidents: a copy that broke off, a disk that was full, a program that wrote where
 * it should not, a guest's command too, which sees this folder as its caller does. It cannot protect from
 * somebody with the caller's rights or root's, who may write the manifest as well; nobody else gets here
 * (`folderFault`).
 *
 * A file counts as unchanged where its size, inode and time of change are those of the manifest: a program can
 * set the time of modification, but not that of change. Those that start everything are read all the same. Where
 * something differs, as behind a restored backup, all contents are compared.
 */

const FILE = "manifest.json";

/** Folders that a Python program makes when it runs. */
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

/** Notes what is in a folder. */
export function writeManifest(folder: string): void {
  const entries = Object.fromEntries(
    walk(folder).map((name) => [name, entryOf(join(folder, name))]),
  );
  const draft = join(folder, `${FILE}.new`);
  writeFileSync(draft, JSON.stringify(entries), { mode: 0o600 });
  renameSync(draft, join(folder, FILE));
}

/** Whether a folder has a manifest: what has none was not made by this program, or by an earlier one. */
export function hasManifest(folder: string): boolean {
  return existsSync(join(folder, FILE));
}

/**
 * Checks a folder against its manifest.
 * @param programs files in it that are read whole
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
    const manifest: unknown = JSON.parse(readFileSync(join(folder, FILE), "utf8"));
    if (isManifest(manifest)) return manifest;
  } catch {
    // As good as none.
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
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const name = join(below, entry.name);
    if (entry.isDirectory()) return entry.name === MADE_LATER ? [] : walk(folder, name);
    return name === FILE || name === `${FILE}.new` ? [] : [name];
  });
}

function entryOf(path: string): Entry {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return { link: readlinkSync(path) };
  const { size, mode, ino: inode, ctimeMs: changedMs } = stat;
  return { sha256: sha256Of(path), size, mode, inode, changedMs };
}

function hasSameFacts(path: string, entry: Entry): boolean {
  if ("link" in entry) return hasSameContent(path, entry);
  const { size, mode, ino, ctimeMs } = lstatSync(path);
  return (
    size === entry.size && mode === entry.mode && ino === entry.inode && ctimeMs === entry.changedMs
  );
}

function hasSameContent(path: string, entry: Entry): boolean {
  const stat = lstatSync(path);
  if ("link" in entry) return stat.isSymbolicLink() && readlinkSync(path) === entry.link;
  return stat.isFile() && stat.mode === entry.mode && sha256Of(path) === entry.sha256;
}

function sha256Of(path: string): string {
  return new Bun.CryptoHasher("sha256").update(readFileSync(path)).digest("hex");
}
