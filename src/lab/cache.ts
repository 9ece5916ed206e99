import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { userInfo, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { LabError } from "./error.ts";
import { hasManifest, writeManifest } from "./manifest.ts";
import { folderFault } from "./trust.ts";

/** Folders that a guest covers with its own file systems: nothing that it needs may be there. */
const COVERED = ["/dev", "/proc", "/run", "/sys", "/var/run"];

/** Whether a guest that shares the host's tree still sees `path`. */
export function visibleInGuest(path: string): boolean {
  return !COVERED.some((top) => path === top || path.startsWith(`${top}/`));
}

/** The candidates for the cache folder, best first. */
export function cacheCandidates(env: Record<string, string | undefined>): string[] {
  const found: string[] = [];
  const xdg = env["XDG_CACHE_HOME"];
  // The XDG rule: ignore a relative path.
  if (xdg !== undefined && xdg.startsWith("/")) found.push(join(xdg, "millrace"));
  const home = env["HOME"];
  if (home !== undefined && home.startsWith("/")) found.push(join(home, ".cache", "millrace"));
  found.push(join(tmpdir(), `millrace-${userInfo().uid}`));
  return found.filter((path) => visibleInGuest(path));
}

/**
 * The folder that keeps kernels, peers and the state of running labs; created if missing.
 *
 * Throws {@link LabError} if no candidate is writable by this user alone.
 */
function cacheRoot(env: Record<string, string | undefined> = process.env): string {
  for (const path of cacheCandidates(env)) {
    try {
      if (folderFault(path) !== undefined) continue;
      fs.mkdirSync(path, { recursive: true, mode: 0o700 });
      fs.accessSync(path, fs.constants.W_OK | fs.constants.X_OK);
      // Another process may have created it.
      if (folderFault(path) === undefined) return path;
    } catch {
      // Try the next candidate.
    }
  }
  throw noCache(env);
}

/** The error that {@link cacheRoot} found no folder, with a remedy. */
export function noCache(env: Record<string, string | undefined> = process.env): LabError {
  const tried = cacheCandidates(env);
  // Programs are not run from folders that others can write.
  const faults = tried.map((path) => folderFault(path)).filter((fault) => fault !== undefined);
  const why = faults.length === 0 ? "" : `; not trusted: ${faults.join(", ")}`;
  return new LabError(
    "UNAVAILABLE",
    `no folder for the lab's kernels can be written (tried ${tried.join(", ")}${why})`,
    "set XDG_CACHE_HOME to a folder of yours that nobody else can write",
  );
}

/**
 * Where {@link cacheRoot} would be, as far as known without creating it; undefined if no candidate
 * is writable.
 */
export function cachePlace(
  env: Record<string, string | undefined> = process.env,
): string | undefined {
  return cacheCandidates(env).find((path) => {
    if (folderFault(path) !== undefined) return false;
    const there = nearestExisting(path);
    try {
      fs.accessSync(there, fs.constants.W_OK | fs.constants.X_OK);
      return fs.statSync(there).isDirectory();
    } catch {
      return false;
    }
  });
}

/** `path`, or its nearest existing parent folder. */
export function nearestExisting(path: string): string {
  return fs.existsSync(path) ? path : nearestExisting(dirname(path));
}

/** A folder in the cache; undefined if it does not exist yet. */
export function existingCacheFolder(...names: string[]): string | undefined {
  const root = cachePlace();
  if (root === undefined) return undefined;
  const path = join(root, ...names);
  return fs.existsSync(path) ? path : undefined;
}

/** A folder in the cache, created if missing. */
export function cacheFolder(...names: string[]): string {
  const path = join(cacheRoot(), ...names);
  fs.mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** A process that waits for another reports it after this time. */
const QUIET_WAIT_MS = 500;

/**
 * Runs `work` while it holds the lock `name`; waits for another process that holds it, and tells
 * `onWaiting`.
 *
 * The lock is an flock(2), held by a child that ends with this process: a crash leaves no lock
 * behind.
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
 * Creates a folder in `parent` with `fill`, all or nothing: it is filled as a draft, then renamed
 * to the name that `fill` returns, with a manifest of its content. An existing folder of that name
 * is kept, unless it has no manifest.
 *
 * Returns the folder's path. If `fill` throws, the draft is removed. Call it under a lock.
 */
export async function publish(
  parent: string,
  fill: (draft: string) => Promise<string>,
): Promise<string> {
  const draft = join(parent, `${DRAFT}${process.pid}`);
  // This process holds the lock, so any draft belongs to a dead process.
  for (const name of fs.readdirSync(parent)) {
    if (name.startsWith(DRAFT)) fs.rmSync(join(parent, name), { recursive: true, force: true });
  }
  fs.mkdirSync(draft, { mode: 0o700 });
  try {
    const path = join(parent, await fill(draft));
    if (fs.existsSync(path) && hasManifest(path)) return path;
    writeManifest(draft);
    fs.rmSync(path, { recursive: true, force: true });
    fs.renameSync(draft, path);
    return path;
  } finally {
    fs.rmSync(draft, { recursive: true, force: true });
  }
}

const DRAFT = ".draft-";
const collator = new Intl.Collator("en", { numeric: true });

/**
 * The folders that {@link publish} created in `parent`, newest version first. Folders without a
 * manifest do not count.
 */
export function published(parent: string | undefined): string[] {
  if (parent === undefined) return [];
  return fs
    .readdirSync(parent)
    .filter((name) => !name.startsWith(DRAFT))
    .sort(collator.compare)
    .reverse()
    .map((name) => join(parent, name))
    .filter(hasManifest);
}
