import { readFileSync } from "node:fs";
import { join } from "node:path";

/** The modules that a guest loads before the command starts: what the datapath needs. */
export const EAGER_MODULES: readonly string[] = ["openvswitch"];

/** The module with which a guest keeps writes in its memory. */
export const OVERLAY_MODULE = "overlay";

/** The files to load for a module or an alias, in order, the module itself last. */
type ModuleIndex = ReadonlyMap<string, readonly string[]>;

/** The name of a module, from its file: the kernel uses `_` where a file may have `-`. */
function moduleName(path: string): string {
  const file = path.slice(path.lastIndexOf("/") + 1);
  return file.replace(/\.ko(\.(xz|zst|gz))?$/, "").replaceAll("-", "_");
}

/**
 * Reads depmod's `modules.dep`, `modules.alias` and `modules.builtin`.
 *
 * A line of modules.dep names a file, then its dependencies, the most basic last. Aliases with
 * wildcards belong to hardware and are left out. Built-in modules have nothing to load.
 */
export function moduleIndex(dep: string, alias: string, builtin: string): ModuleIndex {
  const index = new Map<string, readonly string[]>();
  for (const line of builtin.split("\n")) {
    if (line !== "") index.set(moduleName(line), []);
  }
  for (const line of dep.split("\n")) {
    const colon = line.indexOf(":");
    if (colon < 0) continue;
    const path = line.slice(0, colon);
    const needs = line
      .slice(colon + 1)
      .split(" ")
      .filter((word) => word !== "");
    index.set(moduleName(path), [...needs.reverse(), path]);
  }
  for (const line of alias.split("\n")) {
    const match = /^alias ([^ *?[\]]+) (\S+)$/.exec(line);
    const [name, target] = [match?.[1], match?.[2]];
    if (name === undefined || target === undefined || index.has(name)) continue;
    const files = index.get(target.replaceAll("-", "_"));
    if (files !== undefined) index.set(name, files);
  }
  return index;
}

/** The index of a folder as `lib/modules/RELEASE`. */
export function readModuleIndex(folder: string): ModuleIndex {
  const read = (name: string): string => readFileSync(join(folder, name), "utf8");
  return moduleIndex(read("modules.dep"), read("modules.alias"), read("modules.builtin"));
}

/** The files of several modules, each once, in an order in which they can be loaded. */
export function loadOrder(index: ModuleIndex, names: readonly string[]): string[] {
  const files = new Set<string>();
  for (const name of names) {
    for (const file of index.get(name) ?? []) files.add(file);
  }
  return [...files];
}

/** The index as lines `name file file …`, which the guest's modprobe greps. */
export function indexText(index: ModuleIndex): string {
  const lines: string[] = [];
  for (const [name, files] of index) lines.push([name, ...files].join(" "));
  return `${lines.join("\n")}\n`;
}
