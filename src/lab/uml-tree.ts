import { existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { download, unpack, type AptOptions } from "./apt.ts";
import { cacheFolder, existingCacheFolder, publish, published, withLock } from "./cache.ts";
import { LabError } from "./error.ts";
import type { GuestTree } from "./guest.ts";
import { checkManifest } from "./manifest.ts";
import { indexText, readModuleIndex } from "./modules.ts";
import { lastLines, runTool } from "./tool.ts";

// The kernel of User Mode Linux in the cache, and its files.

const PACKAGES = ["user-mode-linux", "busybox-static"] as const;

/** The options that the kernel must have, for the guest's root, devices and channels. */
const NEEDED_OPTIONS = ["CONFIG_HOSTFS=y", "CONFIG_DEVTMPFS=y", "CONFIG_SSL=y", "CONFIG_NET_NS=y"];

/** Describes the tree in `folder`; undefined if it is incomplete. */
function describe(folder: string): GuestTree | undefined {
  const kernel = join(folder, "usr/bin/linux.uml");
  const busybox = ["bin/busybox", "usr/bin/busybox"]
    .map((name) => join(folder, name))
    .find((path) => existsSync(path));
  const parent = join(folder, "usr/lib/uml/modules");
  if (busybox === undefined || !existsSync(kernel) || !existsSync(parent)) return undefined;
  const release = readdirSync(parent).find((name) => existsSync(join(parent, name, "modules.dep")));
  if (release === undefined) return undefined;
  return {
    folder,
    kernel,
    release,
    modules: join(parent, release),
    busybox: busybox,
    applets: join(folder, "applets"),
    index: join(folder, "modules.index"),
  };
}

/** The newest tree in the cache, if any. Fetches nothing. */
export function cachedUmlTree(): GuestTree | undefined {
  for (const folder of published(existingCacheFolder("uml"))) {
    const tree = describe(folder);
    if (tree !== undefined) return tree;
  }
  return undefined;
}

/** Checks that the kernel runs here, has the options that the lab needs, and has its modules. */
async function check(tree: GuestTree, signal: AbortSignal | undefined): Promise<void> {
  const config = await runTool([tree.kernel, "--showconfig"], { timeoutMs: 10_000, signal });
  if (config.exitCode !== 0) {
    throw new LabError(
      "UNAVAILABLE",
      `the kernel ${tree.kernel} does not run here: ${lastLines(config.stderr, 2)}`,
      "User Mode Linux needs an x86-64 machine and a cache folder not mounted noexec",
    );
  }
  const lacking = NEEDED_OPTIONS.filter((option) => !config.stdout.includes(`${option}\n`));
  if (lacking.length > 0) {
    throw new LabError("UNAVAILABLE", `the kernel ${tree.release} lacks ${lacking.join(", ")}`);
  }
  const files = readModuleIndex(tree.modules).get("openvswitch") ?? [];
  const absent = files.filter((file) => !existsSync(join(tree.modules, file)));
  if (files.length === 0 || absent.length > 0) {
    throw new LabError(
      "UNAVAILABLE",
      `the kernel ${tree.release} comes without ${absent.join(", ") || "openvswitch"}`,
    );
  }
}

/** Returns the tree if it is unchanged since it was unpacked. @throws LabError otherwise */
export function unchanged(tree: GuestTree): GuestTree {
  checkManifest(tree.folder, [tree.kernel, tree.busybox]);
  return tree;
}

/**
 * A User Mode Linux kernel: from the cache, or fetched from Debian as an ordinary user.
 *
 * Throws {@link LabError} if the machine is not an x86-64 or apt cannot bring the packages.
 */
export async function umlTree(options: AptOptions = {}): Promise<GuestTree> {
  const ready = cachedUmlTree();
  if (ready !== undefined) return unchanged(ready);
  if (process.arch !== "x64") {
    throw new LabError(
      "UNAVAILABLE",
      `User Mode Linux exists for x86-64 only, not ${process.arch}`,
    );
  }
  return withLock(
    "uml",
    async () => {
      // Another process may have fetched it while this one waited.
      const fetched = cachedUmlTree();
      if (fetched !== undefined) return unchanged(fetched);
      const folder = await publish(cacheFolder("uml"), async (draft) => {
        const files = await download(PACKAGES, draft, options);
        for (const file of files) {
          await unpack(file, draft, options);
          rmSync(file);
        }
        const tree = describe(draft);
        if (tree === undefined) {
          throw new LabError(
            "FETCH",
            `not what a lab needs: ${files.map((file) => basename(file)).join(", ")}`,
          );
        }
        await check(tree, options.signal);
        writeFileSync(tree.index, indexText(readModuleIndex(tree.modules)));
        await linkApplets(tree.busybox, tree.applets);
        const kernel = files.find((file) => basename(file).startsWith("user-mode-linux_"));
        return basename(kernel ?? "user-mode-linux", ".deb");
      });
      const tree = describe(folder);
      if (tree === undefined) throw new LabError("FETCH", `${folder} is not whole: remove it`);
      return tree;
    },
    options.onWaiting,
  );
}

/** Creates a folder of links to busybox, one for each of its commands. */
export async function linkApplets(busybox: string, folder: string): Promise<void> {
  const list = await runTool([busybox, "--list"], { timeoutMs: 10_000 });
  mkdirSync(folder);
  const target = relative(folder, busybox);
  for (const name of list.stdout.split("\n")) {
    if (name !== "" && !name.includes("/")) symlinkSync(target, join(folder, name));
  }
}
