import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { AptOptions } from "./apt.ts";
import { LabError } from "./error.ts";
import type { GuestTree } from "./guest.ts";
import { readModuleIndex } from "./modules.ts";
import { lastLines, runTool } from "./tool.ts";
import { busyboxIn, cachedTree, treeOf, type TreeKind } from "./tree.ts";

// The kernel of User Mode Linux in the cache, and its files.

/** The options that the kernel must have, for the guest's root, devices and channels. */
const NEEDED_OPTIONS = ["CONFIG_HOSTFS=y", "CONFIG_DEVTMPFS=y", "CONFIG_SSL=y", "CONFIG_NET_NS=y"];

/** Describes the tree in `folder`; undefined if it is incomplete. */
function describe(folder: string): GuestTree | undefined {
  const kernel = join(folder, "usr/bin/linux.uml");
  const busybox = busyboxIn(folder);
  const parent = join(folder, "usr/lib/uml/modules");
  if (busybox === undefined || !existsSync(kernel) || !existsSync(parent)) return undefined;
  const release = readdirSync(parent).find((name) => existsSync(join(parent, name, "modules.dep")));
  if (release === undefined) return undefined;
  return {
    folder,
    kernel,
    release,
    modules: join(parent, release),
    busybox,
    applets: join(folder, "applets"),
    index: join(folder, "modules.index"),
  };
}

/** The newest tree in the cache, if any. Fetches nothing. */
export function cachedUmlTree(): GuestTree | undefined {
  return cachedTree(UML);
}

/** Checks that the kernel runs here, has the options that the lab needs, and has its modules. */
async function check(tree: GuestTree, { signal }: AptOptions): Promise<void> {
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

const UML: TreeKind = {
  name: "uml",
  describe,
  packages: async () => ["user-mode-linux", "busybox-static"],
  kernelPackage: "user-mode-linux",
  prepare: check,
};

/**
 * A User Mode Linux kernel: from the cache, or fetched from Debian as an ordinary user.
 *
 * Throws {@link LabError} if the machine is not an x86-64 or apt cannot bring the packages.
 */
export async function umlTree(options: AptOptions = {}): Promise<GuestTree> {
  if (process.arch !== "x64" && cachedUmlTree() === undefined) {
    throw new LabError(
      "UNAVAILABLE",
      `User Mode Linux exists for x86-64 only, not ${process.arch}`,
    );
  }
  return treeOf(UML, options);
}
