import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PackedFile } from "../../bench/packed-file.ts";
import { writeRoutes } from "../../bench/native/route-message.ts";
import { MASKS_MAX, maskedLine, writePacked } from "../../bench/work.ts";
import { Flow } from "../../src/flow/flow.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("work", () => {
  test("every class has a mask of its own, and no two flows overlap", () => {
    const masks = new Set<string>();
    const sources = new Set<string>();
    for (let i = 0; i < MASKS_MAX; i++) {
      const { src = "", dst = "" } =
        /src=(?<src>10[\d.]+),dst=(?<dst>[\d./]+)/.exec(maskedLine(i, MASKS_MAX))?.groups ?? {};
      masks.add(dst);
      sources.add(src);
    }
    expect(masks.size).toBe(MASKS_MAX);
    expect(sources.size).toBe(MASKS_MAX);
    expect(() => Flow.parse(maskedLine(3, MASKS_MAX))).not.toThrow();
  });

  test("a packed file is read in whole messages, whatever is asked for", () => {
    const path = join(folder, "flows.packed");
    writePacked(path, { flows: 5000, first: 7, ufid: true });
    using packed = new PackedFile(path);
    expect(packed.flows).toBe(5000);
    packed.rewind();
    let words = 0;
    for (const count of [1, 999, 4000]) words += packed.read(count);
    expect(packed.position).toBe(5000);
    expect(words * 4).toBe(readFileSync(path).length);
  });

  test("the same seed gives the same bytes", () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => join(folder, name));
    writePacked(a ?? "", { flows: 10, first: 3, ufid: true });
    writePacked(b ?? "", { flows: 10, first: 3, ufid: true });
    writePacked(c ?? "", { flows: 10, first: 4, ufid: true });
    expect(readFileSync(a ?? "")).toEqual(readFileSync(b ?? ""));
    expect(readFileSync(a ?? "")).not.toEqual(readFileSync(c ?? ""));
  });

  test("routes are struct rtmsg and two attributes", () => {
    const path = join(folder, "routes");
    writeRoutes(path, 3, 1);
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(3 * 44);
    expect(bytes.readUInt32LE(0)).toBe(44);
    expect([...bytes.subarray(88 + 32, 88 + 36)]).toEqual([10, 0, 0, 2]);
  });
});
