import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cachePlace, withLock } from "./cache.ts";
import { LabError } from "./error.ts";
import { type Cached, diskUsage } from "./list.ts";
import { runningLabs } from "./runs.ts";

/** What {@link cleanLabs} removed. */
export type Cleaned = {
  /** The folder that held it; null if there can be none. */
  readonly cache: string | null;
  readonly removed: readonly Cached[];
};

/** The part of the cache that cannot be fetched or made again. */
const LOCKS = "locks";
const RUNS = "runs";

/**
 * A process that fetches something holds one of these locks, and possibly the last one as well:
 * this order avoids a deadlock.
 */
const FETCHING = ["uml", "qemu", "peers", "apt"];

/**
 * Removes what the lab keeps on disk: kernels, programs, package lists. All of it is fetched again
 * on demand.
 * @param onWaiting told about another process that fetches
 * @throws LabError if a lab runs, since it needs these files
 */
export async function cleanLabs(onWaiting?: (line: string) => void): Promise<Cleaned> {
  const cache = cachePlace();
  if (cache === undefined) return { cache: null, removed: [] };
  refuseRunning();
  if (!existsSync(cache)) return { cache, removed: [] };
  const locked = FETCHING.reduceRight<() => Promise<Cached[]>>(
    (work, name) => () => withLock(name, work, onWaiting),
    () => Promise.resolve(removeAll(cache)),
  );
  return { cache, removed: await locked() };
}

function refuseRunning(): void {
  const [lab] = runningLabs();
  if (lab === undefined) return;
  throw new LabError(
    "UNAVAILABLE",
    `a lab runs, started by process ${lab.owner}: ${lab.command}`,
    "it needs its kernel on disk: end it first",
  );
}

function removeAll(cache: string): Cached[] {
  // A lab may have started during the wait.
  refuseRunning();
  const kinds = readdirSync(cache).filter((name) => name !== LOCKS && name !== RUNS);
  const removed = kinds.flatMap((kind) => contentOf(cache, kind));
  for (const kind of kinds) rmSync(join(cache, kind), { recursive: true, force: true });
  return removed;
}

// The items of a kind: apt's files count as one, each kernel counts separately.
function contentOf(cache: string, kind: string): Cached[] {
  const names =
    kind === "apt" ? [kind] : readdirSync(join(cache, kind)).map((name) => join(kind, name));
  return names.map((name) => ({ name, bytes: diskUsage(join(cache, name)) }));
}
