import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { isPlaced, OrderedSource, type PlacedSource } from "../../src/format/ordered-source.ts";
import { bytesSource } from "../../src/format/source.ts";
import { PROPERTY } from "../flow/harness.ts";
import { utf8 } from "./collect.ts";

function placed(text: string): PlacedSource {
  const source = bytesSource("text", utf8(text));
  if (!isPlaced(source)) throw new Error("bytes can be read anywhere");
  return source;
}

/** Where the lines begin, and where the last one ends, with its newline. */
function startsOf(lines: readonly string[]): Float64Array {
  let at = 0;
  return Float64Array.from([0, ...lines.map((line) => (at += line.length + 1))]);
}

/** All bytes, read in pieces of `size`. */
function readAll(source: OrderedSource, size: number): string {
  const buffer = new Uint8Array(size);
  let text = "";
  for (let count; (count = source.read(buffer, 0)) > 0;)
    text += new TextDecoder().decode(buffer.subarray(0, count));
  return text;
}

// Longer than a jump, and than the window.
const LENGTHS = [0, 1, 5, 80, 4095, 4096, 5000, 300_000] as const;

test("lines in another order are whole lines, in pieces of any size", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...LENGTHS), { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.constantFrom(7, 100, 4096, 100_000, 1 << 20),
      fc.boolean(),
      (lengths, swaps, size, ended) => {
        const lines = lengths.map((length, i) => String.fromCharCode(97 + i).repeat(length));
        const order = Int32Array.from(lines.keys());
        for (const [i, swap] of swaps.entries()) {
          const [a, b] = [i % order.length, swap % order.length];
          [order[a], order[b]] = [order[b] ?? 0, order[a] ?? 0];
        }
        const text = lines.join("\n") + (ended ? "\n" : "");
        const source = new OrderedSource(placed(text), startsOf(lines), order);
        const wanted = Array.from(order, (line) => `${lines[line]}\n`).join("");
        expect(readAll(source, size) === wanted).toBe(true);
      },
    ),
    { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 5) },
  );
});

test("an input that has become shorter is said to have changed", () => {
  const source = new OrderedSource(
    placed("a\n"),
    startsOf(["a", "b", "c"]),
    Int32Array.of(2, 0, 1),
  );
  expect(() => readAll(source, 10)).toThrow("it was changed while it was read");
});
