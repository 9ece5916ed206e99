import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { isIPv6 } from "node:net";
import { Cursor } from "../../../src/flow/text/cursor.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";

function printed(write: (sink: TextSink) => void): string {
  const sink = new TextSink(1);
  write(sink);
  return sink.toString();
}

test("numbers", () => {
  fc.assert(
    fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (n) => {
      expect(printed((sink) => sink.dec(n))).toBe(String(n));
      expect(printed((sink) => sink.hex(n))).toBe(n === 0 ? "0" : `0x${n.toString(16)}`);
    }),
  );
  expect(printed((sink) => sink.hexDigits(0x800, 4))).toBe("0800");
});

test("64-bit numbers", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), (n) => {
      const low = Number(n & 0xffff_ffffn);
      const high = Number(n >> 32n);
      expect(printed((sink) => sink.hex64(low, high))).toBe(n === 0n ? "0" : `0x${n.toString(16)}`);
    }),
  );
});

test("addresses come back", () => {
  const group = fc.oneof(fc.constant(0), fc.nat({ max: 0xffff }));
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
      const bytes = Uint8Array.from(groups.flatMap((value) => [value >>> 8, value & 255]));
      const text = printed((sink) => sink.ipv6(bytes, 0));
      expect(isIPv6(text)).toBe(true);
      const encoded = new TextEncoder().encode(text);
      const back = new Uint8Array(16);
      const cursor = new Cursor().reset(encoded, 0, encoded.length, 1);
      cursor.ipv6(back, 0);
      expect(cursor.position).toBe(encoded.length);
      expect([...back]).toEqual([...bytes]);
    }),
  );
});

test("IPv6 as inet_ntop prints it", () => {
  const cases = [
    ["00000000000000000000000000000000", "::"],
    ["00000000000000000000000000000001", "::1"],
    ["00000000000000000000000000000255", "::255"],
    ["00000000000000000000000000010002", "::0.1.0.2"],
    ["00000000000000000000ffff01020304", "::ffff:1.2.3.4"],
    ["20010db8000000010000000000000000", "2001:db8:0:1::"],
    ["00010000000300040005000600070008", "1:0:3:4:5:6:7:8"],
    ["ffffffffffffffffffffffffffffffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"],
  ] as const;
  for (const [hex, text] of cases)
    expect(printed((sink) => sink.ipv6(Buffer.from(hex, "hex"), 0))).toBe(text);
});

test("text, bytes, names and cutting back", () => {
  const sink = new TextSink(2);
  sink.text("eth(src=");
  sink.mac(Uint8Array.of(0, 1, 0x0a, 0xff, 16, 9), 0);
  const mark = sink.length;
  sink.text(",dst=");
  sink.truncate(mark);
  sink.byte(0x29);
  sink.unicode(" ü");
  sink.hexBytes(Uint8Array.of(1, 0xab), 0, 2);
  sink.ipv4(Uint8Array.of(10, 0, 0, 255), 0);
  expect(sink.toString()).toBe("eth(src=00:01:0a:ff:10:09) ü01ab10.0.0.255");
  expect(sink.clear().toString()).toBe("");
});
