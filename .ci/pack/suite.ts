import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./run.ts";

/*
 * What `millrace bench` runs, as the single binary carries it: the suite starts many programs, from files. So these
 * are the source and what it imports, as they would be installed.
 */

type Manifest = { readonly dependencies?: Readonly<Record<string, string>> };

/** Lays the suite's files into `folder`. */
export function laySuite(folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  for (const name of ["src", "bench", "dist/msgpackr", "package.json"]) {
    cpSync(join(ROOT, name), join(folder, name), { recursive: true });
  }
  for (const name of installedWith("package.json")) {
    const from = join(ROOT, "node_modules", name);
    // Maps and sources of what others have built are for nobody here.
    cpSync(from, join(folder, "node_modules", name), {
      recursive: true,
      filter: (path) => !/\.(?:map|md|d\.[cm]?ts)$/.test(path),
    });
  }
}

/** The packages that a manifest asks for, and those that they ask for. */
function installedWith(manifest: string, found: Set<string> = new Set()): ReadonlySet<string> {
  const { dependencies = {} }: Manifest = JSON.parse(readFileSync(join(ROOT, manifest), "utf8"));
  for (const name of Object.keys(dependencies)) {
    const own = `node_modules/${name}/package.json`;
    if (found.has(name)) continue;
    if (!existsSync(join(ROOT, own))) throw new Error(`${name} is not installed: run 'npm ci'`);
    found.add(name);
    installedWith(own, found);
  }
  return found;
}
