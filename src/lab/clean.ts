import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cachePlace, withLock } from "./cache.ts";
import { LabError } from "./error.ts";
import { type Cached, diskUsage } from "./list.ts";
import { runningLabs } from "./runs.ts";

/** What {@link cleanLabs} has removed. */
export type Cleaned = {
  /** The folder that held it; null where there can be none. */
  readonly cache: string | null;
  readonly removed: readonly Cached[];
};

/** What of the cache is no copy of something that can be fetched or made again. */
const LOCKS = "locks";
const RUNS = "runs";

/** Who fetches something has one of these locks, and maybe the last one, too: in this order nobody waits for ever. */
const FETCHING = ["uml", "qemu", "peers", "apt"];

/**
 * Removes what the lab keeps on disk: kernels, programs, package lists. All of it is fetched again where it is wanted.
 * @param onWaiting hears of another process that fetches
 * @throws LabError where a lab runs, which needs it
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
  // One may have begun while this waited.
  refuseRunning();
  const kinds = readdirSync(cache).filter((name) => name !== LOCKS && name !== RUNS);
  const removed = kinds.flatMap((kind) => contentOf(cache, kind));
  for (const kind of kinds) rmSync(join(cache, kind), { recursive: true, force: true });
  return removed;
}

// apt's own files are one thing, a kernel is another each.
function contentOf(cache: string, kind: string): Cached[] {
  const names =
    kind === "apt" ? [kind] : readdirSync(join(cache, kind)).map((name) => join(kind, name));
  return names.map((name) => ({ name, bytes: diskUsage(join(cache, name)) }));
}
