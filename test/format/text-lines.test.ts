import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { bytesSource, fileSource, UnreadableInputError } from "../../src/format/source.ts";
import { LINE_BYTES_MAX, LineReader } from "../../src/format/text-lines.ts";

const encoder = new TextEncoder();

type Line = { line: number; text: string; overlong: boolean };

/** @param found where lines are put; what was read before an error is there then */
async function readAll(reader: LineReader, found: Line[] = []): Promise<Line[]> {
  do {
    while (reader.next()) {
      const text = Buffer.from(reader.buffer.subarray(reader.start, reader.end)).toString();
      found.push({ line: reader.line, text, overlong: reader.overlong });
    }
  } while (await reader.fill());
  return found;
}

function texts(input: string): Promise<string[]> {
  const reader = new LineReader(bytesSource("test", encoder.encode(input)));
  return readAll(reader).then((all) => all.map(({ text }) => text));
}

describe("LineReader", () => {
  test("counts lines from 1 and needs no newline at the end", async () => {
    expect(await texts("")).toEqual([]);
    expect(await texts("a")).toEqual(["a"]);
    expect(await texts("a\n\nb")).toEqual(["a", "", "b"]);
    expect(await texts("a\n")).toEqual(["a"]);
  });

  test("gives the lines that a split gives, however long they are", async () => {
    const line = fc.string({ maxLength: 3000 }).map((s) => s.replaceAll(/[\n\0]/g, "x"));
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 400 }), async (lines) => {
        expect(await texts(lines.map((l) => `${l}\n`).join(""))).toEqual(lines);
      }),
      { numRuns: 50 },
    );
  });

  test("passes over a line that is too long, and goes on behind it", async () => {
    const input = `a\n${"x".repeat(LINE_BYTES_MAX + 5)}\nb\n`;
    const all = await readAll(new LineReader(bytesSource("test", encoder.encode(input))));
    expect(all.map(({ line, overlong }) => [line, overlong])).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);
    expect(all[2]?.text).toBe("b");
  });

  test("skips a byte order mark", async () => {
    expect(await texts("\ufeffa\nb")).toEqual(["a", "b"]);
  });

  test("refuses what is no text, in one line", async () => {
    expect(() => fileSource("/nowhere/at/all")).toThrow(
      "cannot read /nowhere/at/all: there is no such file",
    );
    expect(() => fileSource("/tmp")).toThrow("cannot read /tmp: it is a folder");
    const binary = new LineReader(bytesSource("x.bin", new Uint8Array([65, 0, 66])));
    expect(readAll(binary)).rejects.toThrow(UnreadableInputError);
  });
});
