import { existsSync } from "node:fs";
import { join } from "node:path";

/*
 * What is measured is what a user has installed: the commands' bundles. A tree that is worked in has them made of its
 * source first.
 */

const ROOT = join(import.meta.dir, "..");

/** Sees to it that every `millrace` that this program starts is as an installed one is, and of this source. */
export async function useBundles(): Promise<void> {
  if (!existsSync(join(ROOT, ".ci/pack"))) return;
  const { bundleCommands } = await import("../.ci/pack/commands.ts");
  const { writeThreads } = await import("../.ci/pack/threads.ts");
  const dist = join(ROOT, "dist");
  await bundleCommands(join(dist, "cli"));
  await writeThreads(join(dist, "threads.js"));
  process.env["MILLRACE_BUNDLE"] = "1";
}
