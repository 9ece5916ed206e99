import { lstatSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { cachePlace, existingCacheFolder, published } from "./cache.ts";
import { LabError } from "./error.ts";
import { probeHost } from "./host.ts";
import { planUmlMemory } from "./memory.ts";
import { runningLabs, type RunningLab } from "./runs.ts";
import { findQemu } from "./qemu.ts";
import { cachedQemuTree } from "./qemu-tree.ts";
import { cachedUmlTree } from "./uml-tree.ts";

/** Whether a kernel is available here, and the reason in words. */
export type KernelOffer = {
  readonly kernel: "host" | "uml" | "qemu";
  readonly available: boolean;
  readonly note: string;
};

/** An item that the lab keeps on disk. */
export type Cached = { readonly name: string; readonly bytes: number };

/** The result of {@link listLabs}. */
export type LabList = {
  readonly kernels: readonly KernelOffer[];
  readonly running: readonly RunningLab[];
  /** The folder that holds these items, or will; null if there can be none. */
  readonly cache: string | null;
  readonly cached: readonly Cached[];
};

/**
 * Which labs are available on this machine, which run, and what is on disk. Creates and fetches
 * nothing.
 */
export async function listLabs(signal?: AbortSignal): Promise<LabList> {
  const host = await probeHost(signal);
  return {
    kernels: [
      {
        kernel: "host",
        available: host.route !== undefined,
        note: host.route?.release ?? host.reason,
      },
      offerUml(),
      offerQemu(),
    ],
    running: runningLabs(),
    cache: cachePlace() ?? null,
    cached: ["uml", "qemu", "peers", "apt"].flatMap((kind) => cachedIn(kind)),
  };
}

function offerUml(): KernelOffer {
  return offer("uml", () => {
    const { mebibytes, folder } = planUmlMemory(undefined);
    const release = cachedUmlTree()?.release ?? "to be fetched from Debian, 42 MB";
    return `${release}; ${mebibytes} MiB in ${folder}`;
  });
}

function offerQemu(): KernelOffer {
  return offer("qemu", () => {
    findQemu();
    return cachedQemuTree()?.release ?? "to be fetched from Debian, 35 MB";
  });
}

// Offers a kernel, unless `describe` finds that it cannot run here.
function offer(kernel: KernelOffer["kernel"], describe: () => string): KernelOffer {
  if (process.arch !== "x64") return { kernel, available: false, note: "x86-64 only" };
  try {
    return { kernel, available: true, note: describe() };
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    return { kernel, available: false, note: error.message };
  }
}

function cachedIn(kind: string): Cached[] {
  const folder = existingCacheFolder(kind);
  if (folder === undefined) return [];
  if (kind === "apt") return [{ name: kind, bytes: diskUsage(folder) }];
  return published(folder).map((path) => ({
    name: `${kind}/${basename(path)}`,
    bytes: diskUsage(path),
  }));
}

/** The disk usage of a tree. */
export function diskUsage(path: string): number {
  const entry = lstatSync(path, { throwIfNoEntry: false });
  if (entry === undefined) return 0;
  if (!entry.isDirectory()) return entry.blocks * 512;
  let bytes = 0;
  for (const name of readdirSync(path)) bytes += diskUsage(join(path, name));
  return bytes;
}
