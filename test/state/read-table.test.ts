/** Sets of flows from files that are damaged, or change while they are read. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLine } from "../../src/format/sample.ts";
import { fileSource, UnreadableInputError } from "../../src/format/source.ts";
import { readTable } from "../../src/state/read-table.ts";

const folder = mkdtempSync(join(tmpdir(), "read-table-"));
afterAll(() => rmSync(folder, { recursive: true }));

const TEXT = Array.from({ length: 20_000 }, (_, i) => `${sampleLine(i)}\n`).join("");

test("a compressed set that ends too early is unreadable, wherever it ends", async () => {
  const path = join(folder, "cut.gz");
  const bytes = Bun.gzipSync(TEXT);
  for (const length of [20, bytes.length >> 1, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, length));
    const error = await readTable({ source: fileSource(path), format: "auto" }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(UnreadableInputError);
    expect(error).toHaveProperty("message", expect.stringMatching(/ends too early|cut short/));
  }
});

test("a file is opened again only if it is the same one, with the same bytes", () => {
  const path = join(folder, "flows.txt");
  writeFileSync(path, "one\n");
  const source = fileSource(path);
  const { atime, mtime } = statSync(path);
  source.reopen?.()?.close();
  expect(source.reopen?.()).toBeDefined();
  // Another one took its name, within the same tick of the clock.
  const other = join(folder, "other.txt");
  writeFileSync(other, "two\n");
  utimesSync(other, atime, mtime);
  renameSync(other, path);
  expect(source.reopen?.()).toBeUndefined();
  rmSync(path);
  expect(source.reopen?.()).toBeUndefined();
  source.close();
});
