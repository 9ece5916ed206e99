import { expect, test } from "bun:test";
import { join, normalize } from "node:path";
import { FILES, importsOf, textOf } from "./source.ts";

/** The rooms of docs/architecture.md, from the top: each imports only those above it. */
const ROOMS: readonly string[] = [
  ...textOf("docs/architecture.md").matchAll(/^\| `(src|bench)\/(.*?)`/gm),
].map(([, top = "", room = ""]) => (top === "src" ? room : `${top}/`));

/** Where a file of src or bench is in that list; -1 where it is in no room. */
function roomOf(file: string): number {
  const [top = "", folder = "", ...rest] = file.split("/");
  if (top === "bench") return ROOMS.indexOf("bench/");
  return ROOMS.indexOf(rest.length > 0 ? `${folder}/` : "*.ts");
}

test("every file is in a room that docs/architecture.md names", () => {
  expect(FILES.length).toBeGreaterThan(100);
  expect(FILES.filter((file) => roomOf(file) < 0)).toEqual([]);
});

test("each room imports only rooms above it", () => {
  const wrong = FILES.flatMap((file) =>
    importsOf(file)
      .filter((path) => roomOf(path) > roomOf(file))
      .map((path) => `${file} imports ${path}`),
  );
  expect(wrong).toEqual([]);
});

/** A way of imports from a file back to itself; undefined where there is none. */
function circleFrom(file: string, way: readonly string[], left: Set<string>): string[] | undefined {
  const begin = way.indexOf(file);
  if (begin >= 0) return [...way.slice(begin), file];
  if (left.has(file)) return undefined;
  for (const path of importsOf(file)) {
    const circle = circleFrom(path, [...way, file], left);
    if (circle !== undefined) return circle;
  }
  left.add(file);
  return undefined;
}

test("no file imports itself by way of others, be it for a type or late", () => {
  const left = new Set<string>();
  for (const file of FILES) expect(circleFrom(file, [], left)).toBeUndefined();
});

test("the lab imports no other room", () => {
  const lab = FILES.filter((file) => file.startsWith("src/lab/"));
  expect(lab.flatMap(importsOf).filter((path) => !path.startsWith("src/lab/"))).toEqual([]);
});

test("bun:ffi is imported in src/sys alone", () => {
  const importers = FILES.filter((file) => /from "bun:ffi"/.test(textOf(file)));
  expect(importers.filter((file) => !file.startsWith("src/sys/"))).toEqual([]);
});

/** What a file imports at its start, types left out. */
function loadedWith(file: string): readonly string[] {
  return [...textOf(file).matchAll(/^(?:import|export) (?!type\b)[^;]*?"([^"]+)";$/gm)].map(
    ([, path = ""]) => (path.startsWith(".") ? normalize(join(file, "..", path)) : path),
  );
}

test("a load starts without what only some loads want, and without Node's streams", () => {
  const loaded = new Set(["program", "commands/load", "load-target"].map((n) => `src/cli/${n}.ts`));
  for (const file of loaded) {
    if (file.startsWith("src/")) for (const path of loadedWith(file)) loaded.add(path);
  }
  expect(loaded).toContain("src/flow/line.ts");
  expect(loaded).toContain("src/load/start-load.ts");
  expect(loaded).toContain("node:fs");
  const wanted = ["settle/settler", "settle/explain", "dry-run", "thread/worker-feed"].map(
    (n) => `src/load/${n}.ts`,
  );
  const heavy = ["node:tty", "node:zlib", "node:stream", "node:worker_threads", "#msgpackr"];
  for (const late of [...wanted, ...heavy]) expect(loaded).not.toContain(late);
});
