import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type AptOptions, missingPackages } from "./apt.ts";
import { LabError } from "./error.ts";
import type { GuestTree } from "./guest.ts";
import { readModuleIndex } from "./modules.ts";
import { lastLines, runTool } from "./tool.ts";
import { busyboxIn, cachedTree, firstIn, treeOf, type TreeKind } from "./tree.ts";

/** Debian's kernels for virtual machines, by the packages that depend on the newest: 12, then 13. */
const KERNEL_PACKAGES = ["linux-image-6.12-cloud-amd64", "linux-image-cloud-amd64"] as const;

/** Module folders that a lab needs; the rest are drivers for hardware. */
const KEPT_FOLDERS = ["arch", "crypto", "fs/overlayfs", "lib", "net", "drivers/net"];

/** Describes the tree in `folder`; undefined if it is incomplete. */
function describe(folder: string): GuestTree | undefined {
  const boot = join(folder, "boot");
  const modules = firstIn(folder, "lib/modules", "usr/lib/modules");
  if (!existsSync(boot) || modules === undefined) return undefined;
  const image = readdirSync(boot).find((name) => name.startsWith("vmlinuz-"));
  const busybox = busyboxIn(folder);
  if (image === undefined || busybox === undefined) return undefined;
  const release = image.slice("vmlinuz-".length);
  return {
    folder,
    kernel: join(boot, image),
    release,
    modules: join(modules, release),
    index: join(folder, "modules.index"),
    busybox,
    applets: join(folder, "applets"),
  };
}

/** The newest tree in the cache, if any. Fetches nothing. */
export function cachedQemuTree(): GuestTree | undefined {
  return cachedTree(QEMU);
}

/** The package that holds the kernel itself: its name changes with every release. */
async function kernelPackage(options: AptOptions): Promise<string> {
  let failure: unknown;
  for (const name of KERNEL_PACKAGES) {
    try {
      const packages = await missingPackages([name], options);
      const image = packages.find(
        (found) => /^linux-image-\d.*-cloud-/.test(found) && found !== name,
      );
      if (image !== undefined) return image;
    } catch (error) {
      failure = error;
    }
  }
  throw new LabError("FETCH", `no package of ${KERNEL_PACKAGES.join(", ")} can be had`, "", {
    cause: failure,
  });
}

const QEMU: TreeKind = {
  name: "qemu",
  describe,
  packages: async (options) => [await kernelPackage(options), "busybox-static"],
  kernelPackage: "linux-image",
  prepare: async (tree, { onProgress, signal }) => {
    onProgress?.(`preparing the modules of ${tree.release}`);
    await prepareModules(tree, signal);
    if (!readModuleIndex(tree.modules).has("openvswitch")) {
      throw new LabError("UNAVAILABLE", `the kernel ${tree.release} comes without openvswitch`);
    }
  },
};

/** A kernel for QEMU: from the cache, or fetched from Debian as an ordinary user. */
export async function qemuTree(options: AptOptions = {}): Promise<GuestTree> {
  return treeOf(QEMU, options);
}

/** Keeps the modules that a lab needs, uncompressed, and lists the dependencies of each. */
async function prepareModules(tree: GuestTree, signal: AbortSignal | undefined): Promise<void> {
  const { modules, busybox, release } = tree;
  const script = `set -e
cd "$1/kernel"
mkdir ../kept
for folder in ${KEPT_FOLDERS.join(" ")}; do
  [ ! -d $folder ] || { mkdir -p ../kept/$folder; mv $folder/* ../kept/$folder/; }
done
cd ..
rm -rf kernel kept/drivers/net/ethernet kept/drivers/net/wireless
mv kept kernel
find kernel -name '*.ko.xz' -exec "$2" unxz {} +
`;
  const steps = [
    ["sh", "-c", script, "sh", modules, busybox],
    [busybox, "depmod", "-b", modules.slice(0, modules.lastIndexOf("/lib/modules/")), release],
  ];
  mkdirSync(modules, { recursive: true });
  for (const step of steps) {
    const result = await runTool(step, { timeoutMs: 120_000, signal });
    if (result.exitCode !== 0) {
      throw new LabError("FETCH", `cannot prepare the modules: ${lastLines(result.stderr, 3)}`);
    }
  }
}
