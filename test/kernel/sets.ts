/** Files of flows, and flows of a datapath as text, for the tests of sets of flows. */
import { afterAll } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { witness } from "./lab.ts";

/** Gone when the tests of a file have ended. */
export const folder: string = mkdtempSync(join(tmpdir(), "sets-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a file. @returns its path */
export function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** Flows by ovs-dpctl, sorted, without statistics. @param style `-m` shows UFIDs and all fields */
export function dpctl(name: string, ...style: readonly string[]): string[] {
  return witness("ovs-dpctl", ...style, "dump-flows", name)
    .trim()
    .split("\n")
    .map((line) => line.replace(/ packets:.*used:\w+,/, ""))
    .toSorted();
}
