import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { linesSource } from "../../src/format/lines-source.ts";
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

  test("takes lines from a script", async () => {
    expect(
      (await readAll(new LineReader(linesSource("script", ["a", "b"])))).map((l) => l.text),
    ).toEqual(["a", "b"]);
    async function* later() {
      yield "c";
      await Bun.sleep(1);
      yield "d";
    }
    expect(
      (await readAll(new LineReader(linesSource("script", later())))).map((l) => l.text),
    ).toEqual(["c", "d"]);
  });

  test("skips a byte order mark, and leaves a generator as a loop would", async () => {
    expect(await texts("\ufeffa\nb")).toEqual(["a", "b"]);
    let left = false;
    function* endless(): Generator<string> {
      try {
        for (;;) yield "a";
      } finally {
        left = true;
      }
    }
    const reader = new LineReader(linesSource("script", endless()));
    await reader.fill();
    expect(reader.next()).toBe(true);
    reader.close();
    expect(left).toBe(true);
  });

  test("lines before one that cannot be read are read first", async () => {
    const all = async (lines: Iterable<string> | AsyncIterable<string>): Promise<string[]> => {
      const found: Line[] = [];
      const reading = readAll(new LineReader(linesSource("script", lines)), found);
      const error: unknown = await reading.catch((thrown: unknown) => thrown);
      return [...found.map(({ text }) => text.replace(/-+$/, "")), String(error)];
    };
    function* broken(lines: number): Generator<string> {
      for (let i = 1; i <= lines; i++) yield String(i).padEnd(90_000, "-");
      throw new RangeError("no more");
    }
    async function* later(lines: number): AsyncGenerator<string> {
      yield* broken(lines);
    }
    // Five of them do not fit the reader's buffer.
    for (const lines of [0, 1, 5]) {
      for (const source of [broken(lines), later(lines)]) {
        expect(await all(source)).toEqual([
          ...Array.from({ length: lines }, (_, i) => String(i + 1)),
          `UnreadableInputError: cannot read line ${lines + 1} of script: no more`,
        ]);
      }
    }
    expect(await all(["a\n", "b\nc", "d"])).toEqual([
      "a",
      'UnreadableInputError: cannot read script: a newline within the flow "b\nc"',
    ]);
  });

  test("an iterator that has ended, or thrown, is not left once more", () => {
    const timesLeft = (next: () => IteratorResult<string>): number => {
      let times = 0;
      const leave = () => ({ done: true, value: times++ }) as const;
      const lines = { [Symbol.iterator]: () => ({ next, return: leave }) };
      const source = linesSource("script", lines);
      try {
        void source.read(new Uint8Array(8), 0);
      } catch {
        // That it throws is tested above.
      }
      source.close();
      return times;
    };
    expect(timesLeft(() => ({ done: false, value: "a" }))).toBe(1);
    expect(timesLeft(() => ({ done: false, value: "a\nb" }))).toBe(1);
    expect(timesLeft(() => ({ done: true, value: undefined }))).toBe(0);
    const thrower = (): never => {
      throw new Error("no more");
    };
    expect(timesLeft(thrower)).toBe(0);
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
