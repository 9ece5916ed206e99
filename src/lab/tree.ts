import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { type AptOptions, download, unpack } from "./apt.ts";
import { cacheFolder, existingCacheFolder, publish, published, withLock } from "./cache.ts";
import { LabError } from "./error.ts";
import type { GuestTree } from "./guest.ts";
import { checkManifest } from "./manifest.ts";
import { indexText, readModuleIndex } from "./modules.ts";
import { runTool } from "./tool.ts";

// The trees of guests in the cache: a kernel with its modules, and a busybox.

/** A kind of tree, and how one is made of Debian's packages. */
export type TreeKind = {
  /** Its folder in the cache. */
  readonly name: string;
  /** Describes the tree in `folder`; undefined if it is incomplete. */
  readonly describe: (folder: string) => GuestTree | undefined;
  readonly packages: (options: AptOptions) => Promise<readonly string[]>;
  /** What the name of the kernel's package begins with. */
  readonly kernelPackage: string;
  /** Makes of the packages' files what a guest needs. @throws LabError if they lack something */
  readonly prepare: (tree: GuestTree, options: AptOptions) => Promise<void>;
};

/** The newest tree in the cache, if any. Fetches nothing. */
export function cachedTree({ name, describe }: TreeKind): GuestTree | undefined {
  for (const folder of published(existingCacheFolder(name))) {
    const tree = describe(folder);
    if (tree !== undefined) return tree;
  }
  return undefined;
}

/** A tree from the cache, or fetched from Debian as an ordinary user. */
export async function treeOf(kind: TreeKind, options: AptOptions): Promise<GuestTree> {
  const ready = cachedTree(kind);
  if (ready !== undefined) return unchanged(ready);
  return withLock(
    kind.name,
    async () => {
      // Another process may have fetched it while this one waited.
      const fetched = cachedTree(kind);
      if (fetched !== undefined) return unchanged(fetched);
      const fill = (draft: string): Promise<string> => fetchInto(draft, kind, options);
      const folder = await publish(cacheFolder(kind.name), fill);
      const tree = kind.describe(folder);
      if (tree === undefined) throw new LabError("FETCH", `${folder} is not whole: remove it`);
      return tree;
    },
    options.onWaiting,
  );
}

/** Fills a folder with a tree. @returns the version of its kernel's package, as a file name */
async function fetchInto(draft: string, kind: TreeKind, options: AptOptions): Promise<string> {
  const files = await download(await kind.packages(options), draft, options);
  for (const file of files) {
    await unpack(file, draft, options);
    rmSync(file);
  }
  const names = files.map((file) => basename(file, ".deb"));
  const tree = kind.describe(draft);
  if (tree === undefined) {
    throw new LabError("FETCH", `not what a lab needs: ${names.join(", ")}`);
  }
  await kind.prepare(tree, options);
  writeFileSync(tree.index, indexText(readModuleIndex(tree.modules)));
  await linkApplets(tree);
  return names.find((name) => name.startsWith(kind.kernelPackage)) ?? kind.kernelPackage;
}

/** Returns the tree if it is unchanged since it was unpacked. @throws LabError otherwise */
function unchanged(tree: GuestTree): GuestTree {
  checkManifest(tree.folder, [tree.kernel, tree.busybox]);
  return tree;
}

/** Creates a folder of links to busybox, one for each of its commands. */
async function linkApplets({ busybox, applets }: GuestTree): Promise<void> {
  const list = await runTool([busybox, "--list"], { timeoutMs: 10_000 });
  mkdirSync(applets);
  const target = relative(applets, busybox);
  for (const name of list.stdout.split("\n")) {
    if (name !== "" && !name.includes("/")) symlinkSync(target, join(applets, name));
  }
}

/** The first of these paths that exists in a folder. */
export function firstIn(folder: string, ...names: readonly string[]): string | undefined {
  return names.map((name) => join(folder, name)).find((path) => existsSync(path));
}

/** The busybox in a folder. */
export function busyboxIn(folder: string): string | undefined {
  return firstIn(folder, "bin/busybox", "usr/bin/busybox");
}
