import { existsSync } from "node:fs";
import { join } from "node:path";

/**
 * The suite measures what users install: the bundles of the commands. In a work tree, the bundles
 * are made from the source first.
 */

const ROOT = join(import.meta.dir, "..");

/**
 * Makes every `millrace` that this program starts run like an installed one, built from this
 * source.
 */
export async function useBundles(): Promise<void> {
  if (!existsSync(join(ROOT, ".ci/pack"))) return;
  const { bundleCommands } = await import("../.ci/pack/commands.ts");
  const { writeThreads } = await import("../.ci/pack/threads.ts");
  const dist = join(ROOT, "dist");
  await bundleCommands(join(dist, "cli"));
  await writeThreads(join(dist, "threads.js"));
  process.env["MILLRACE_BUNDLE"] = "1";
}
