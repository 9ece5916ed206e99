import { readdirSync, readFileSync } from "node:fs";
import { join, normalize } from "node:path";

/** For tests that check the source itself: the files of `src` and `bench`, and their imports. */
export const ROOT: string = join(import.meta.dir, "..");

/** Files by their path from {@link ROOT}. */
export const FILES: readonly string[] = ["src", "bench"].flatMap(filesIn);

/** The files of TypeScript in a folder. */
export function filesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => join(folder, file));
}

const TEXTS = new Map<string, string>();

export function textOf(file: string): string {
  const text = TEXTS.get(file) ?? readFileSync(join(ROOT, file), "utf8");
  TEXTS.set(file, text);
  return text;
}

/** What a file imports by a relative path, dynamic imports included. */
export function importsOf(file: string): readonly string[] {
  return [...textOf(file).matchAll(/(?:\bfrom|\bimport)\s*\(?\s*"(\.[^"]+\.ts)"/g)].map(
    ([, path = ""]) => normalize(join(file, "..", path)),
  );
}
