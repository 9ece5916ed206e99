import { describe, expect, test } from "bun:test";
import { Cursor } from "../../../src/flow/text/cursor.ts";
import { FieldSet } from "../../../src/flow/text/field-set.ts";
import { be16, choice, hex64, port, u16, u8, uuid } from "../../../src/flow/text/field.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";
import { syntaxError } from "../harness.ts";

const SIZE = 44;
const SET = new FieldSet([
  u8("flag", 0, { limit: 1 }),
  be16("low", 2, { bits: 12 }),
  be16("high", 2, { shift: 12, bits: 4, initial: 3 }),
  u16("plain", 4, { radix: "hex4", initial: 0x8100, hidden: true }),
  port("port", 8, { limit: 0xffff_ffff }),
  choice("way", 12, ["", "in", "out"], "which way"),
  hex64("cookie", 16, { initial: 0 }),
  uuid("id", 24, { initial: 0, hidden: true }),
]);
const REST = "cookie=0";

function read(text: string): Uint8Array {
  const line = new TextEncoder().encode(text);
  const bytes = new Uint8Array(SIZE);
  SET.parseValues(new Cursor().reset(line, 0, line.length, 1), bytes, 0, undefined);
  return bytes;
}

function print(bytes: Uint8Array): string {
  const out = new TextSink();
  SET.printValues(out, bytes, 0, undefined);
  return out.toString();
}

describe("values", () => {
  test.each([
    ["flag=1,low=5,port=2)", `flag=1,low=5,high=3,port=2,${REST}`],
    ["high=15 port=70000, low=0xfff flag=0)", `flag=0,low=4095,high=15,port=70000,${REST}`],
    ["plain=0x8100,out,flag=0,low=0,port=1)", `flag=0,low=0,high=3,port=1,out,${REST}`],
    ["plain=1,flag=0,low=0,port=1)", `flag=0,low=0,high=3,plain=0x0001,port=1,${REST}`],
    ["cookie=Ff,flag=0,low=0,port=1)", "flag=0,low=0,high=3,port=1,cookie=0xff"],
  ])("%s", (text, printed) => {
    const bytes = read(text);
    expect(print(bytes)).toBe(printed);
    expect(read(`${printed})`)).toEqual(bytes);
  });

  test("lie where the field says", () => {
    const bytes = read("flag=1,low=0x123,port=2,in)");
    expect([...bytes.subarray(0, 13)]).toEqual([1, 0, 0x31, 0x23, 0, 0x81, 0, 0, 2, 0, 0, 0, 1]);
  });

  test.each([
    ["low=1)", "flag= as well"],
    ["low=1,low=2)", "low only once"],
    ["in,out)", "way only once"],
    ["flag=2)", "a number from 0 to 1"],
    ["low=4096)", "a number from 0 to 4095"],
    ["low)", "low="],
    ["low=1;)", '"," or ")"'],
    ["lowe=1)", "one of flag, low, high, plain, port, in, out, cookie, id"],
  ])("refused: %s", (text, expected) => {
    expect(syntaxError(() => read(text)).expected).toBe(expected);
  });
});

describe("bytes that values give", () => {
  const covers = (change: (bytes: Uint8Array) => void): boolean => {
    const bytes = read("flag=1,low=5,port=2)");
    change(bytes);
    const scratch = new Uint8Array(SIZE);
    const covered = SET.covers(bytes, 0, scratch, SIZE);
    expect(scratch).toEqual(new Uint8Array(SIZE));
    return covered;
  };
  test("are covered", () => expect(covers(() => {})).toBe(true));
  test("and others are not", () => {
    expect(covers((bytes) => (bytes[1] = 1))).toBe(false);
    expect(covers((bytes) => (bytes[0] = 2))).toBe(false);
    expect(covers((bytes) => (bytes[12] = 3))).toBe(false);
  });
});
