import { expect, test } from "bun:test";
import { Readable } from "node:stream";
import { FlowTemplate } from "../../../src/flow/template.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";
import { syntaxError } from "../harness.ts";
import { lineBytes, rowBytes } from "./support.ts";

const WEB =
  "in_port(1),eth(),eth_type(0x0800),ipv4(src={src},proto=6,frag=no),tcp(src={port}),tcp_flags(0/0) 2";

test("a value that does not fit is refused with its row and the name of its hole", () => {
  const web = FlowTemplate.compile(WEB);
  const reasons = rowBytes(
    web.fill([
      { src: "10.0.0.1", port: 80 },
      { src: "10.0.0", port: 80 },
      { src: "10.0.0.1/8", port: 80 },
      { src: 0x1_0000_0000, port: 80 },
      { src: 1, port: 65_536 },
      { src: 1, port: -1 },
      { src: 1, port: 1.5 },
      { src: 1, port: Number.NaN },
      { src: 1, port: "80x" },
      { src: new Uint8Array(5), port: 1 },
    ]),
  );
  const number = "expected a number from 0 to 65535";
  const address = "expected an IPv4 address such as 10.0.0.1, or its number";
  expect(reasons.slice(1)).toEqual([
    `row 2: {src} is "10.0.0", ${address}`,
    `row 3: {src} is "10.0.0.1/8", ${address}`,
    `row 4: {src} is 4294967296, ${address}`,
    `row 5: {port} is 65536, ${number}`,
    `row 6: {port} is -1, ${number}`,
    `row 7: {port} is 1.5, ${number}`,
    `row 8: {port} is NaN, ${number}`,
    `row 9: {port} is "80x", ${number}`,
    `row 10: {src} is 5 bytes, ${address}`,
  ]);
  expect(reasons[0]).toBe(
    lineBytes(WEB.replace("{src}", "10.0.0.1").replace("{port}", "80"), { ufid: true }),
  );
});

test("values are told apart row by row, beyond the rows made ready together", () => {
  const web = FlowTemplate.compile(WEB, { ufid: false });
  const port = new Int32Array(3000).fill(80);
  port[2047] = 70_000;
  port[2999] = -5;
  const results = rowBytes(web.fill({ src: new Uint32Array(3000).fill(7), port }));
  expect(results.length).toBe(3000);
  expect(results.flatMap((result, i) => (result.startsWith("put") ? [] : [i]))).toEqual([
    2047, 2999,
  ]);
  expect(results[2047]).toContain("row 2048: {port} is 70000");
  expect(results[2999]).toContain("row 3000: {port} is -5");
});

test("a row without a value is refused", () => {
  const web = FlowTemplate.compile(WEB);
  expect(rowBytes(web.fill([[1]]))).toEqual(["row 1: no value for {port}"]);
});

test("a zero is what it is in a line, whatever becomes of that", () => {
  const text =
    "tunnel(src={src},dst={dst},tos={tos},ttl=1,tp_src={port}),in_port(1),eth(),eth_type({type}) 2";
  const zero = { src: 0, dst: 0, tos: 0, port: 0, type: 0 };
  const one = { src: 1, dst: 1, tos: 1, port: 1, type: 1 };
  const rows = [one, zero, ...Object.keys(zero).map((name) => ({ ...one, [name]: 0 })), one];
  const quad = (value: number): string => `0.0.0.${value}`;
  const lines = rows.map(({ src, dst, tos, port, type }) =>
    text
      .replace("{src}", quad(src))
      .replace("{dst}", quad(dst))
      .replace("{tos}", String(tos))
      .replace("{port}", String(port))
      .replace("{type}", String(type)),
  );
  const expected = lines.map((line) => lineBytes(line, { ufid: true }));
  expect(rowBytes(FlowTemplate.compile(text).fill(rows))).toEqual(expected);
  // A value that does not fit is named, beside a zero too.
  const [refused] = rowBytes(FlowTemplate.compile(text).fill([{ ...zero, type: 65_536 }]));
  expect(refused).toStartWith("row 1: {type} is 65536, expected a number from 0 to 65535");
});

test("columns are looked at when the template is filled", () => {
  const web: FlowTemplate = FlowTemplate.compile(WEB);
  const src = new Uint32Array(2);
  expect(() => web.fill({ src })).toThrow('no column for the hole "port"');
  expect(() => web.fill({ src, port: new Uint16Array(3) })).toThrow("has 3 rows");
  expect(() => web.fill({ src, port: src, prot: src })).toThrow('"prot" is none of the holes');
  const mac: FlowTemplate = FlowTemplate.compile("in_port(1),eth(src={mac}) 2");
  expect(() => mac.fill({ mac: new Uint8Array(13) })).toThrow("ends within an address");
  expect(() => web.fill({ src: new Uint8Array(6), port: src })).toThrow("ends within an address");
  expect(() => web.fill({ src: new Uint8Array(8), port: [80] })).toThrow("has 1 rows");
});

test("the bytes of addresses lie back to back in a column, those of IPv4 as well", () => {
  const web = FlowTemplate.compile(WEB);
  // As a part of a longer buffer, at an odd place, and beyond the rows made ready together.
  const rows = 1500;
  const src = new Uint8Array(rows * 4 + 3).subarray(3);
  const numbers = Uint32Array.from({ length: rows }, (_, i) => 0xfe00_0000 + i);
  const view = new DataView(src.buffer, src.byteOffset);
  for (const [i, number] of numbers.entries()) view.setUint32(i * 4, number);
  const port = new Uint16Array(rows).fill(80);
  const packed = rowBytes(web.fill({ src, port }));
  expect(packed.length).toBe(rows);
  expect(packed).toEqual(rowBytes(web.fill({ src: numbers, port })));
  expect(rowBytes(web.fill({ src: Uint8Array.of(10, 0, 0, 1), port: [80] }))).toEqual([
    lineBytes(WEB.replace("{src}", "10.0.0.1").replace("{port}", "80"), { ufid: true }),
  ]);
});

test("what a set() writes may be a hole", () => {
  const template = FlowTemplate.compile(
    "in_port(1),eth(src={src}) set(eth(src={src},dst={dst})),set(ipv4(ttl={ttl})),{out}",
  );
  const rows = [
    { src: "02:00:00:00:00:01", dst: "02:00:00:00:00:02", ttl: 64, out: 2 },
    { src: "02:00:00:00:00:03", dst: "02:00:00:00:00:04", ttl: 0, out: 3 },
  ];
  const lines = rows.map(
    ({ src, dst, ttl, out }) =>
      `in_port(1),eth(src=${src}) set(eth(src=${src},dst=${dst})),set(ipv4(ttl=${ttl})),${out}`,
  );
  expect(rowBytes(template.fill(rows))).toEqual(
    lines.map((line) => lineBytes(line, { ufid: true })),
  );
});

test("a hole that is none is an error with its place", () => {
  const error = (text: string): [number, string] => {
    const { column, expected } = syntaxError(() => FlowTemplate.compile(text));
    return [column, expected];
  };
  const holes = "holes only for values that a key matches or a set() writes, and for output ports";
  expect(error("in_port(1),eth(),eth_type(0x800),ipv4(src=10.0.0.0/{mask}) 2")).toEqual([
    52,
    holes,
  ]);
  expect(error("in_port(1),eth() recirc({id})")).toEqual([25, holes]);
  expect(error("in_port(1),eth() ct(zone={zone})")).toEqual([26, holes]);
  expect(error("in_port(1),eth() {out}{more}")[0]).toBe(18);
  expect(error("in_port({in}),eht() 2")).toEqual([15, "a key that is known"]);
  expect(error("ipv4(frag={frag}),eth() 2")[0]).toBe(11);
  expect(error("in_port(1),eth()")).toEqual([17, "actions, or drop"]);
  expect(error("# a comment {out}")).toEqual([1, "a flow"]);
});

test("names of ports are values where ports are known", () => {
  const ports = [
    { name: "eth0", number: 7 },
    { name: "4eth", number: 8 },
    // In no text it is this port.
    { name: "9", number: 6 },
  ];
  const template = FlowTemplate.compile("in_port({in}),eth() eth0,{out}", { ports });
  expect(
    rowBytes(
      template.fill([
        { in: "eth0", out: "4eth" },
        { in: 3, out: "9" },
      ]),
    ),
  ).toEqual([
    lineBytes("in_port(7),eth() 7,8", { ufid: true }),
    lineBytes("in_port(3),eth() 7,9", { ufid: true }),
  ]);
  expect(rowBytes(template.fill([["eth1", 1]]))[0]).toContain('{in} is "eth1"');
});

test("a writer without room is left failed, and the row can be encoded again", () => {
  const memory = new PinnedMemory(4096);
  const writer = new AttributeWriter(memory);
  const reader = FlowTemplate.compile(WEB)
    .fill([[1, 2]])
    .reader();
  expect(reader.fill()).toBe(true);
  expect(reader.next()).toBe(true);
  writer.reset(64, 128);
  expect(reader.encode(writer)).toBe(true);
  expect(writer.failed).toBe(true);
  expect(memory.u8.every((byte) => byte === 0)).toBe(true);
  writer.reset(64, memory.size);
  expect(reader.encode(writer)).toBe(true);
  expect(writer.failed).toBe(false);
  expect(reader.next()).toBe(false);
  expect(reader.fill()).toBe(false);
});

test("rows come from generators, which are closed, and from what must be waited for", async () => {
  const web = FlowTemplate.compile(WEB);
  const one = rowBytes(web.fill([[1, 2]]));
  let closed = false;
  function* rows(): Generator<{ src: number; port: number }> {
    try {
      for (let port = 2; ; port++) yield { src: 1, port };
    } finally {
      closed = true;
    }
  }
  const reader = web.fill(rows()).reader();
  expect(reader.fill()).toBe(true);
  reader.close();
  expect(closed).toBe(true);
  const later = web.fill(Readable.from(rows())).reader();
  expect(await later.fill()).toBe(true);
  const writer = new AttributeWriter(new PinnedMemory(4096));
  expect(later.next() && later.encode(writer)).toBe(true);
  expect(`put ${writer.memory.u8.subarray(0, writer.position).toHex()}`).toBe(one[0] ?? "");
  expect(later.next()).toBe(false);
  later.close();
});
