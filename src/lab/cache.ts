import { spawn } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { userInfo, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { LabError } from "./error.ts";
import { hasManifest, writeManifest } from "./manifest.ts";
import { folderFault } from "./trust.ts";

/** Folders that a guest covers with file systems of its own: nothing that it needs may lie there. */
const COVERED = ["/dev", "/proc", "/run", "/sys", "/var/run"];

/** Whether a guest that shares the host's tree still sees `path`. */
export function visibleInGuest(path: string): boolean {
  return !COVERED.some((top) => path === top || path.startsWith(`${top}/`));
}

/** The candidates for the cache folder, best first. */
export function cacheCandidates(env: Record<string, string | undefined>): string[] {
  const found: string[] = [];
  const xdg = env["XDG_CACHE_HOME"];
  // The XDG rule: a relative path is to be ignored.
  if (xdg !== undefined && xdg.startsWith("/")) found.push(join(xdg, "millrace"));
  const home = env["HOME"];
  if (home !== undefined && home.startsWith("/")) found.push(join(home, ".cache", "millrace"));
  found.push(join(tmpdir(), `millrace-${userInfo().uid}`));
  return found.filter((path) => visibleInGuest(path));
}

/**
 * The folder that keeps kernels, peers and the state of running labs; made where it is missing.
 *
 * Throws {@link LabError} where none of the candidates can be written, and by nobody else.
 */
function cacheRoot(env: Record<string, string | undefined> = process.env): string {
  for (const path of cacheCandidates(env)) {
    try {
      if (folderFault(path) !== undefined) continue;
      mkdirSync(path, { recursive: true, mode: 0o700 });
      accessSync(path, constants.W_OK | constants.X_OK);
      // Somebody may have been faster.
      if (folderFault(path) === undefined) return path;
    } catch {
      // The next candidate may do.
    }
  }
  throw noCache(env);
}

/** That {@link cacheRoot} has nowhere to be, and what mends it. */
export function noCache(env: Record<string, string | undefined> = process.env): LabError {
  const tried = cacheCandidates(env);
  // What is run is not taken from where others could put it.
  const faults = tried.map((path) => folderFault(path)).filter((fault) => fault !== undefined);
  const why = faults.length === 0 ? "" : `; not trusted: ${faults.join(", ")}`;
  return new LabError(
    "UNAVAILABLE",
    `no folder for the lab's kernels can be written (tried ${tried.join(", ")}${why})`,
    "set XDG_CACHE_HOME to a folder of yours that nobody else can write",
  );
}

/**
 * Where {@link cacheRoot} would be, as far as can be told without making it; undefined where none of
 * the candidates can be written.
 */
export function cachePlace(
  env: Record<string, string | undefined> = process.env,
): string | undefined {
  return cacheCandidates(env).find((path) => {
    if (folderFault(path) !== undefined) return false;
    const there = nearestExisting(path);
    try {
      accessSync(there, constants.W_OK | constants.X_OK);
      return statSync(there).isDirectory();
    } catch {
      return false;
    }
  });
}

/** `path`, or the folder above it that is there. */
export function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

/** A folder in the cache; undefined where nothing has made it yet. */
export function existingCacheFolder(...names: string[]): string | undefined {
  const root = cachePlace();
  if (root === undefined) return undefined;
  const path = join(root, ...names);
  return existsSync(path) ? path : undefined;
}

/** A folder in the cache, made where it is missing. */
export function cacheFolder(...names: string[]): string {
  const path = join(cacheRoot(), ...names);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** A process that waits for another one says so after this time. */
const QUIET_WAIT_MS = 500;

/**
 * Runs `work` while no other process holds the lock `name`; waits for one that does, and says so to `onWaiting`.
 *
 * The lock is flock(2)'s, held by a child that ends with this process: a crash leaves none behind.
 */
export async function withLock<T>(
  name: string,
  work: () => Promise<T>,
  onWaiting?: (line: string) => void,
): Promise<T> {
  const file = join(cacheFolder("locks"), name);
  const holder = spawn("flock", ["--exclusive", file, "sh", "-c", "echo held; read -r _"], {
    stdio: ["pipe", "pipe", "ignore"],
    detached: true,
  });
  const held = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  holder.stdout.once("data", () => held.resolve());
  holder.on("error", (cause) => {
    held.reject(new LabError("UNAVAILABLE", `cannot run flock: ${cause.message}`));
    ended.resolve();
  });
  holder.on("close", () => {
    held.reject(new LabError("UNAVAILABLE", `cannot lock ${file}`));
    ended.resolve();
  });
  const patience = setTimeout(
    () => onWaiting?.(`waiting for another process, which fetches packages`),
    QUIET_WAIT_MS,
  );
  await held.promise.finally(() => clearTimeout(patience));
  try {
    return await work();
  } finally {
    holder.stdin.end();
    await ended.promise;
  }
}

/**
 * Makes a folder in `parent` by `fill`, all or nothing: it is filled as a draft, then renamed to
 * the name that `fill` returns, with a manifest of what is in it. Where that name is taken, the folder
 * that is there stays, unless it has no manifest.
 *
 * Returns the folder's path. `fill` throws to have what it made removed. Call it under a lock.
 */
export async function publish(
  parent: string,
  fill: (draft: string) => Promise<string>,
): Promise<string> {
  const draft = join(parent, `${DRAFT}${process.pid}`);
  // The lock is ours, so any draft is a dead process's.
  for (const name of readdirSync(parent)) {
    if (name.startsWith(DRAFT)) rmSync(join(parent, name), { recursive: true, force: true });
  }
  mkdirSync(draft, { mode: 0o700 });
  try {
    const path = join(parent, await fill(draft));
    if (existsSync(path) && hasManifest(path)) return path;
    writeManifest(draft);
    rmSync(path, { recursive: true, force: true });
    renameSync(draft, path);
    return path;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

const DRAFT = ".draft-";
const collator = new Intl.Collator("en", { numeric: true });

/** What {@link publish} has made in `parent`, the newest version first; nothing where there is none. What has no manifest it has not. */
export function published(parent: string | undefined): string[] {
  if (parent === undefined) return [];
  return readdirSync(parent)
    .filter((name) => !name.startsWith(DRAFT))
    .sort(collator.compare)
    .reverse()
    .map((name) => join(parent, name))
    .filter(hasManifest);
}
