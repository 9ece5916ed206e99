import { existsSync, readFileSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { cachePlace, nearestExisting, noCache } from "./cache.ts";
import { LabError } from "./error.ts";
import { wayFault } from "./trust.ts";

// How much memory a guest gets.

const MIB = 1024 * 1024;
/** The default memory of a guest, if there is room. */
export const DEFAULT_MIB = 4096;
/** The minimum for the datapath, Bun and a few flows. */
export const LEAST_MIB = 512;
/** Reserved for the host: its programs, and a kernel's needs besides the guest's memory. */
const RESERVE_MIB = 256;

/** A folder that could hold the guest's memory. */
type MemoryPlace = {
  readonly path: string;
  readonly freeMiB: number;
  /** A guest executes its memory: a folder mounted noexec cannot hold it. */
  readonly executable: boolean;
};

/** How much memory a guest gets, and the folder that holds it. */
type MemoryPlan = { readonly mebibytes: number; readonly folder: string };

/** `MemAvailable` of /proc/meminfo, in MiB. */
export function parseMemAvailable(meminfo: string): number {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(meminfo);
  return match?.[1] === undefined ? 0 : Math.floor(Number(match[1]) / 1024);
}

/** The mount options of the file system that holds `path`, from /proc/self/mounts. */
export function mountOptions(mounts: string, path: string): string[] {
  let best = { point: "", options: [""] };
  for (const line of mounts.split("\n")) {
    const [, point, , options] = line.split(" ");
    if (point === undefined || options === undefined) continue;
    const inside = point === "/" || path === point || path.startsWith(`${point}/`);
    if (inside && point.length >= best.point.length) {
      best = { point, options: options.split(",") };
    }
  }
  return best.options;
}

/**
 * Chooses how much memory a guest gets, and the folder of its file.
 *
 * `wantedMiB` undefined means {@link DEFAULT_MIB} or what fits; a number is taken unchanged or
 * refused: a test that requests 8 GiB must not run in 1. Throws {@link LabError} (MEMORY).
 */
export function planMemory(
  wantedMiB: number | undefined,
  availableMiB: number,
  places: readonly MemoryPlace[],
): MemoryPlan {
  const target = wantedMiB ?? DEFAULT_MIB;
  const room = (place: MemoryPlace): number => Math.min(place.freeMiB, availableMiB - RESERVE_MIB);
  const usable = places.filter((place) => place.executable);
  const enough = usable.find((place) => room(place) >= target);
  if (enough !== undefined) return { mebibytes: target, folder: enough.path };
  const [largest] = usable.toSorted((left, right) => room(right) - room(left));
  if (largest !== undefined && wantedMiB === undefined && room(largest) >= LEAST_MIB) {
    return { mebibytes: Math.floor(room(largest)), folder: largest.path };
  }
  const seen = places.map(
    (place) => `${place.path} ${place.freeMiB} MiB free${place.executable ? "" : ", noexec"}`,
  );
  throw new LabError(
    "MEMORY",
    `no room for a guest of ${wantedMiB ?? LEAST_MIB} MiB: ${availableMiB} MiB of memory free; ${seen.join("; ")}`,
    "enlarge /dev/shm (a container's --shm-size), or set TMPDIR to a folder with room, not mounted noexec",
  );
}

/** The memory left to this process's control group, in MiB; Infinity without a limit. */
function controlGroupRoom(): number {
  try {
    const folder = "/sys/fs/cgroup";
    const limit = readFileSync(`${folder}/memory.max`, "utf8").trim();
    if (limit === "max") return Infinity;
    const used = Number(readFileSync(`${folder}/memory.current`, "utf8"));
    return Math.max(0, Math.floor((Number(limit) - used) / MIB));
  } catch {
    return Infinity;
  }
}

/** The memory currently free for a guest, in MiB. */
export function availableMemory(): number {
  return Math.min(parseMemAvailable(readFileSync("/proc/meminfo", "utf8")), controlGroupRoom());
}

/**
 * The memory that a User Mode Linux guest would get now.
 *
 * Throws {@link LabError}: MEMORY if there is no room, UNAVAILABLE if there is no cache.
 */
export function planUmlMemory(wantedMiB: number | undefined): MemoryPlan {
  const cache = cachePlace();
  if (cache === undefined) throw noCache();
  // The cache may be the only place with room. If it does not exist yet, its nearest parent has the
  // same file system.
  return planMemory(wantedMiB, availableMemory(), memoryPlaces(nearestExisting(cache)));
}

/** The folders that could hold a guest's memory, best first. */
function memoryPlaces(last: string): MemoryPlace[] {
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  const paths = new Set(["/dev/shm", tmpdir(), "/tmp", last]);
  const places: MemoryPlace[] = [];
  for (const path of paths) {
    if (!existsSync(path) || wayFault(path) !== undefined) continue;
    const { bavail, bsize } = statfsSync(path);
    const options = mountOptions(mounts, path);
    places.push({
      path,
      freeMiB: Math.floor((bavail * bsize) / MIB),
      executable: !options.includes("noexec"),
    });
  }
  return places;
}
