import { describe, expect, test } from "bun:test";
import { Cursor } from "../../../src/flow/text/cursor.ts";
import { WordTable } from "../../../src/flow/text/words.ts";
import { syntaxError } from "../harness.ts";

function over(text: string): Cursor {
  const bytes = new TextEncoder().encode(text);
  return new Cursor().reset(bytes, 0, bytes.length, 1);
}

describe("integer", () => {
  const cases: readonly (readonly [string, number, number])[] = [
    ["0", 0, 1],
    ["0)", 0, 1],
    ["17,", 17, 2],
    ["0x11", 17, 4],
    ["0XfF", 255, 4],
    ["021", 17, 3],
    ["4294967295", 0xffff_ffff, 10],
    ["0xffffffff", 0xffff_ffff, 10],
    ["00", 0, 2],
  ];
  test.each(cases)("%s is %d", (text, value, after) => {
    const cursor = over(text);
    expect(cursor.integer(0xffff_ffff, "a number")).toBe(value);
    expect(cursor.position).toBe(after);
  });

  test.each(["", "x", "-1", "+1", "0x", "0xg", "08", "256", "0x100", "0400"])(
    "%p is no number up to 255",
    (text) => {
      expect(syntaxError(() => over(text).integer(255, "a number")).expected).toMatch(
        /number|octal/,
      );
    },
  );
});

describe("integer64", () => {
  const cases: readonly (readonly [string, bigint])[] = [
    ["0", 0n],
    ["18446744073709551615", 0xffff_ffff_ffff_ffffn],
    ["0xfedcba9876543210", 0xfedc_ba98_7654_3210n],
    ["010", 8n],
    ["4294967296", 0x1_0000_0000n],
  ];
  test.each(cases)("%s", (text, value) => {
    const cursor = over(text);
    cursor.integer64("a number");
    expect((BigInt(cursor.high) << 32n) | BigInt(cursor.low)).toBe(value);
  });

  test.each(["", "0x", "18446744073709551616", "0x10000000000000000", "09", "-1"])(
    "%p is none",
    (text) => {
      syntaxError(() => over(text).integer64("a number"));
    },
  );
});

describe("addresses", () => {
  test("mac takes one or two digits a byte", () => {
    const out = new Uint8Array(6);
    over("0:1:a:FF:10:9").mac(out, 0);
    expect([...out]).toEqual([0, 1, 10, 255, 16, 9]);
  });
  test.each(["", "00:11:22:33:44", "00:11:22:33:44:", "g0:11:22:33:44:55", "001122334455"])(
    "mac refuses %p",
    (text) => {
      syntaxError(() => over(text).mac(new Uint8Array(6), 0));
    },
  );
  test("ipv4", () => {
    const out = new Uint8Array(4);
    const cursor = over("10.0.255.1,");
    cursor.ipv4(out, 0);
    expect([...out]).toEqual([10, 0, 255, 1]);
    expect(cursor.peek()).toBe(0x2c);
  });
  test.each(["", "10.0.0", "10.0.0.256", "10..0.1", "1000.1.1.1", "a.b.c.d"])(
    "ipv4 refuses %p",
    (text) => {
      syntaxError(() => over(text).ipv4(new Uint8Array(4), 0));
    },
  );
  const six: readonly (readonly [string, string])[] = [
    ["::", "0".repeat(32)],
    ["::1", `${"0".repeat(31)}1`],
    ["2001:db8::", `20010db8${"0".repeat(24)}`],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["::ffff:1.2.3.4", "00000000000000000000ffff01020304"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["fe80::A:b", "fe8000000000000000000000000a000b"],
  ];
  test.each(six)("ipv6 %s", (text, hex) => {
    const out = new Uint8Array(18).fill(0xee);
    over(text).ipv6(out, 1);
    expect(Buffer.from(out.subarray(1, 17)).toString("hex")).toBe(hex);
    expect([out[0], out[17]]).toEqual([0xee, 0xee]);
  });
  test.each([
    "",
    ":",
    ":1",
    "1",
    "1:2",
    "1::2::3",
    "1:2:3:4:5:6:7:8:9".slice(0, 13),
    "12345::",
    "1:",
    "1::2:",
    "::1.2.3",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1:2:3:4:5:6:7::8",
  ])("ipv6 refuses %p", (text) => {
    syntaxError(() => over(text).ipv6(new Uint8Array(16), 0));
  });
});

test("hexBytes reads whole bytes, and no more than there is room for", () => {
  const out = new Uint8Array(3);
  expect(over("0aFF)").hexBytes(out, 1, 2)).toBe(2);
  expect([...out]).toEqual([0, 10, 255]);
  syntaxError(() => over("0a1)").hexBytes(out, 0, 3));
  syntaxError(() => over("00000000").hexBytes(out, 0, 3));
});

test("words are found by their bytes, and misspelt ones have a nearest", () => {
  const table = new WordTable(["in_port", "ipv4", "ipv6", "eth", "eth_type", "tcp_flags"]);
  for (const [index, word] of table.words.entries()) {
    const cursor = over(`${word}(`);
    expect(cursor.word()).toBe(word.length);
    expect(table.find(cursor)).toBe(index);
    expect(cursor.wordText()).toBe(word);
  }
  const cursor = over("ipv5");
  cursor.word();
  expect(table.find(cursor)).toBe(-1);
  expect(table.nearest("inport")).toBe("in_port");
  expect(table.nearest("eth_tpye")).toBe("eth_type");
  expect(table.nearest("x")).toBeUndefined();
  expect(table.nearest("penguins")).toBeUndefined();
  expect(over("1abc").word()).toBe(0);
});

test("an error tells its place and draws it", () => {
  const bytes = new TextEncoder().encode("first\nin_port(1),ipv5()\n");
  const cursor = new Cursor().reset(bytes, 6, bytes.length - 1, 2);
  const error = syntaxError(() => cursor.fail("a key", 17, "ipv4"));
  expect(error).toMatchObject({
    code: "FLOW_SYNTAX",
    line: 2,
    column: 12,
    found: '"ipv5"',
    expected: "a key",
    suggestion: "ipv4",
    text: "in_port(1),ipv5()",
  });
  expect(error.message).toBe(
    'line 2, column 12: found "ipv5", expected a key; did you mean "ipv4"?',
  );
  expect(error.caret()).toBe(`in_port(1),ipv5()\n${" ".repeat(11)}^`);
});

test("a long line is shortened around the column", () => {
  const text = `${"a".repeat(200)}\t!${"b".repeat(200)}`;
  const error = syntaxError(() => over(text).fail("nothing", 201));
  expect(error.found).toBe('"!"');
  expect(error.text.length).toBeLessThan(110);
  const [shown, caret] = error.caret().split("\n");
  expect(shown?.[caret?.indexOf("^") ?? -1]).toBe("!");
  expect(syntaxError(() => over("ab").fail("more", 2)).found).toBe("the end of the line");
});

test("what is found is named whole: a number, an address, a name", () => {
  for (const [text, found] of [
    ["10.0.0.300,frag=no)", "10.0.0.300"],
    ["10.0.0.300-10.0.0.9", "10.0.0.300"],
    ["00:11:22:33:44:5z/ff:ff", "00:11:22:33:44:5z"],
    ["fe80::1::2)", "fe80::1::2"],
    ["::ffff:10.0.0.300", "::ffff:10.0.0.300"],
    ["-17)", "-17"],
    ["150.5%,actions", "150.5%"],
    ["1x2)", "1x2"],
    ["br-int.7)", "br-int.7"],
    ["packetz:5", "packetz"],
    ["10,2", "10"],
    ["ünï-x(", "ünï-x"],
    [")(", ")"],
    ["a".repeat(50), `${"a".repeat(40)}…`],
  ] as const) {
    expect(() => over(text).fail("nothing")).toThrow(`found "${found}", expected nothing`);
  }
});

test("characters of several bytes are shown whole, and the caret stands below them", () => {
  expect(syntaxError(() => over("€(1)").fail("a key", 0)).found).toBe('"€"');
  const text = `${"€".repeat(40)}!${"€".repeat(40)}`;
  const error = syntaxError(() => over(text).fail("nothing", 120));
  expect(error.text).toBe(`…${"€".repeat(20)}!${"€".repeat(13)}…`);
  const wide = syntaxError(() => over("# 漢字 x").fail("nothing", 9));
  expect(wide.caret()).toBe(`# 漢字 x\n${" ".repeat(7)}^`);
});
