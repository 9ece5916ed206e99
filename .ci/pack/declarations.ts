import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run } from "./run.ts";

/*
 * The library's types, for who uses it: a declaration file for each module that the public ones lead to, with maps
 * that lead an editor to the source.
 */

/** Where the package has its names. */
export const ENTRIES: readonly string[] = ["index", "netlink/index", "testing/index"];

/** `using` wants these types; a project that compiles for an older language lacks them. */
const LIBRARY = `/// <reference lib="esnext.disposable" />\n`;

/** Writes declarations into `folder`. @throws Error with what tsc says */
export function emitDeclarations(folder: string): void {
  const all = `${folder}.all`;
  try {
    run("node_modules/.bin/tsc", "--project", ".ci/pack/tsconfig.json", "--outDir", all);
    for (const module of reachable(all)) {
      const file = `${module}.d.ts`;
      const text = readFileSync(join(all, file), "utf8");
      const map: { mappings: string } = JSON.parse(readFileSync(join(all, `${file}.map`), "utf8"));
      const first = ENTRIES.includes(module);
      const to = join(folder, file);
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, first ? LIBRARY + text : text);
      // Each line has its semicolon.
      const mappings = first ? `;${map.mappings}` : map.mappings;
      writeFileSync(`${to}.map`, JSON.stringify({ ...map, mappings }));
    }
  } finally {
    rmSync(all, { recursive: true, force: true });
  }
}

// The modules whose types the public ones use; the others are nobody's business.
function reachable(folder: string): ReadonlySet<string> {
  const modules = new Set(ENTRIES);
  for (const module of modules) {
    const text = readFileSync(join(folder, `${module}.d.ts`), "utf8");
    for (const [, path = ""] of text.matchAll(/(?:\bfrom |\bimport\()"(\.[^"]+)\.ts"/g)) {
      modules.add(join(dirname(module), path));
    }
  }
  return modules;
}
