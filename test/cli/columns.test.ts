import { expect, test } from "bun:test";
import fc from "fast-check";
import { beginningOf, endOf, fitted, padLeft, padRight } from "../../src/cli/columns.ts";
import { excerpt } from "../../src/cli/excerpt.ts";
import { sampleLines } from "../../src/cli/top/screen.ts";

/** Letters of one column, of two, and of none. */
const text = fc
  .array(fc.constantFrom("a", "(", "漢", "é", "e\u0301", "한", "👩‍👩‍👧"), { maxLength: 30 })
  .map((letters) => letters.join(""));

test("a text that is cut takes as many columns as it may, or one less", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 70 }), (whole, columns) => {
      for (const cut of [beginningOf(whole, columns), endOf(whole, columns)]) {
        if (Bun.stringWidth(whole) <= columns) expect(cut).toBe(whole);
        else {
          expect(Bun.stringWidth(cut)).toBeLessThanOrEqual(columns);
          expect(Bun.stringWidth(cut)).toBeGreaterThanOrEqual(columns - 1);
        }
      }
    }),
  );
});

test("a text is padded by its columns", () => {
  expect(padRight("漢字", 6)).toBe("漢字  ");
  expect(padLeft("e\u0301", 3)).toBe("  e\u0301");
  expect(padRight("漢字", 3)).toBe("漢字");
});

test("a caret stands below its character, however wide those before it are", () => {
  for (const before of ["", "漢字", "漢".repeat(100), "e\u0301".repeat(200)]) {
    const line = `${before}!${"字".repeat(100)}`;
    const [shown = "", caret = ""] = excerpt({ text: line, caret: before.length }).split("\n");
    expect(Bun.stringWidth(shown)).toBeLessThanOrEqual(4 + 62 + 42);
    const columns = caret.indexOf("^");
    expect(shown.slice(shown.indexOf("!"))).toStartWith("!");
    expect(Bun.stringWidth(shown.slice(0, shown.indexOf("!")))).toBe(columns);
  }
});

test("a line of top is no wider than the screen", () => {
  const flow = { ufid: undefined, packetsPerSecond: 1, bytesPerSecond: 2, packets: 3, bytes: 4 };
  const sample = {
    datapath: "lab0",
    time: "",
    seconds: 1,
    flows: 1,
    activeFlows: 1,
    packetsPerSecond: 1,
    bytesPerSecond: 2,
    readMilliseconds: 1,
    busiest: [{ ...flow, flow: `in_port(${"漢字".repeat(50)})` }],
  };
  const state = {
    sort: "packets",
    filter: "漢".repeat(60),
    typed: undefined,
    isJudging: true,
    rows: 9,
  } as const;
  for (const width of [40, 41, 80]) {
    for (const line of sampleLines(sample, { ...state, width })) {
      expect(Bun.stringWidth(line)).toBeLessThanOrEqual(width);
    }
  }
});

test("an interval without packets says so", () => {
  const state = {
    sort: "packets",
    filter: "",
    typed: undefined,
    isJudging: false,
    width: 80,
    rows: 9,
  } as const;
  const idle = {
    datapath: "lab0",
    time: "",
    seconds: 1,
    flows: 3,
    activeFlows: 0,
    packetsPerSecond: 0,
    bytesPerSecond: 0,
    readMilliseconds: 1,
    busiest: [],
  };
  expect(sampleLines(idle, state).at(-1)).toContain("no flow had packets in the last interval");
});

test("long lines are broken between words; what is indented stays whole, and all does without a terminal", () => {
  const long = "in_port(1): one two three\n    in_port(1),eth(),eth_type(0x0800) 2\nshort\n";
  expect(fitted(long, 18)).toBe(
    "in_port(1): one\ntwo three\n    in_port(1),eth(),eth_type(0x0800) 2\nshort\n",
  );
  expect(fitted(long, undefined)).toBe(long);
});
