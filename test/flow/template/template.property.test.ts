import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { FlowTemplate, type TemplateValue } from "../../../src/flow/template.ts";
import { LINE_OPTIONS, PROPERTY } from "../harness.ts";
import { lineBytes, rowBytes } from "./support.ts";

/** A value as in a line, and the ways to pass it to a template. */
type Value = { readonly text: string; readonly value: TemplateValue };

const both = (text: string, value: TemplateValue): fc.Arbitrary<Value> =>
  fc.constantFrom({ text, value }, { text, value: text });

const number = (max: number): fc.Arbitrary<Value> =>
  fc
    .oneof(fc.nat({ max }), fc.constantFrom(0, max))
    .chain((value) => fc.oneof(both(String(value), value), both(`0x${value.toString(16)}`, value)));
const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

const ipv4 = fc
  .oneof(
    { weight: 3, arbitrary: fc.nat({ max: 0xffff_ffff }) },
    { weight: 1, arbitrary: fc.constant(0) },
  )
  .chain((value) => {
    const octets = [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
    const text = octets.join(".");
    return fc.oneof(both(text, value), both(text, Uint8Array.from(octets)));
  });
const mac = fc
  .oneof(bytes(6), fc.constant(new Uint8Array(6)))
  .chain((value) => both(Array.from(value, (byte) => byte.toString(16)).join(":"), value));
const ipv6 = fc
  .oneof(
    { weight: 3, arbitrary: bytes(16) },
    { weight: 1, arbitrary: fc.constant(new Uint8Array(16)) },
  )
  .chain((value) => both(value.toHex().replaceAll(/(.{4})(?!$)/g, "$1:"), value));
const wide = fc
  .oneof(fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }), fc.constant(0n))
  .chain((value) => fc.oneof(both(String(value), value), both(`0x${value.toString(16)}`, value)));

/** Values by the first word of a hole's name. */
const VALUES: Readonly<Record<string, fc.Arbitrary<Value>>> = {
  ip: ipv4,
  ip6: ipv6,
  mac,
  port: number(65_535),
  proto: number(255),
  byte: number(255),
  word: number(0xffff_ffff),
  label: number(0xfffff),
  vid: number(4095),
  bits: number(7),
  bit: number(1),
  wide,
};

const TEMPLATES = [
  "in_port({port}),eth(src={mac},dst={mac_2}),eth_type({port_3}),ipv4(src={ip},dst={ip_2}/255.255.0.0,proto=17,tos={byte}/0xfc,ttl=64,frag=no),udp(src={port},dst={port_2}/0xff00) 2",
  "recirc_id({word}),skb_mark({word}/0xf0f),in_port(1),ct_zone({port}),eth(),eth_type(0x0800),ipv4(src={ip}) {port}",
  "in_port(1),eth(),eth_type(0x86dd),ipv6(src={ip6},dst={ip6_2}/ffff::,label={label},proto=58,hlimit={byte}),icmpv6(type=135,code={byte_2}),nd(target={ip6},sll={mac}/ff:ff:00:00:00:00) 1,{port},3",
  "in_port(1),eth(),eth_type(0x0806),arp(sip={ip},tip={ip_2},op={byte},sha={mac}) push_vlan(vid=3,pcp=0),{port}",
  "in_port(1),eth(),eth_type(0x8100),vlan(vid={vid},pcp={bits}/5),encap(eth_type(0x8100),vlan(vid={vid_2}/0xff,cfi={bit}),encap(eth_type(0x800),ipv4(dst={ip}))) clone({port})",
  "in_port(1),eth(),eth_type(0x8847),mpls(label={label},tc={bits},ttl={byte}/0xf,bos={bit},label={label_2}) {port}",
  "tunnel(tun_id={wide},src={ip},dst={ip_2},tos={byte_2},ttl={byte},tp_src={port_3},tp_dst={port_2},flags(df|key)),in_port({port}),eth() {port}",
  "tunnel(ipv6_src={ip6},ipv6_dst={ip6_2},ttl=64,geneve({class=0x102,type=0x80,len=4,0x0a0b0c0d/0xffffffff}),flags(csum)),in_port(1),eth() {port}",
  "ct_tuple4(src={ip},proto={proto},tp_src={port}),in_port(1),eth(),eth_type(0x800),ipv4(tos=4) {port}",
  "ct_tuple6(src={ip6},proto={proto}),in_port(1),eth(),eth_type(0x86dd),ipv6(hlimit=1) {port}",
  "in_port(1),eth(),eth_type({port}/0xff) set(eth(src={mac},dst={mac_2})),set(skb_mark({word})),{port}",
  "modify in_port({port}),eth(src={mac})",
  "delete in_port({port}),eth(src={mac}),eth_type(0x800),ipv4(dst={ip}) {port_2}",
  "ufid:12345678-1234-1234-1234-123456789abc in_port({port}),eth() drop",
];

const namesIn = (template: string): readonly string[] => [
  ...new Set([...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "")),
];

const rows = (template: string): fc.Arbitrary<readonly Readonly<Record<string, Value>>[]> => {
  const values = namesIn(template).map((name): [string, fc.Arbitrary<Value>] => [
    name,
    VALUES[name.split("_")[0] ?? ""] ?? fc.constant({ text: "", value: "" }),
  ]);
  return fc.array(fc.record(Object.fromEntries(values)), { minLength: 1, maxLength: 5 });
};

test("a filled template has the bytes of the line with these values", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...LINE_OPTIONS),
      fc.constantFrom(...TEMPLATES).chain((text) => fc.tuple(fc.constant(text), rows(text))),
      (options, [text, values]) => {
        const expected = values.map((row) =>
          lineBytes(
            text.replaceAll(/\{(\w+)\}/g, (_, name: string) => row[name]?.text ?? ""),
            options,
          ),
        );
        const { owner = "" } = options;
        const template = FlowTemplate.compile(text, options);
        const byName = values.map((row) =>
          Object.fromEntries(Object.entries(row).map(([name, { value }]) => [name, value])),
        );
        expect(rowBytes(template.fill(byName), { owner })).toEqual(expected);
        const tuples = byName.map((row) => template.holes.map((name) => row[name] ?? ""));
        expect(rowBytes(template.fill(tuples), { owner })).toEqual(expected);
        const columns = Object.fromEntries(
          template.holes.map((name) => [name, byName.map((row) => row[name] ?? "")]),
        );
        expect(rowBytes(template.fill(columns), { owner })).toEqual(expected);
        // The options of a load come after those of the template.
        expect(rowBytes(FlowTemplate.compile(text).fill(byName), options)).toEqual(expected);
      },
    ),
    PROPERTY,
  );
});

test("typed columns have the bytes of the lines, over many rows", () => {
  const text =
    "tunnel(tun_id={id},dst=1.2.3.4,ttl=64),in_port(1),eth(src={mac}),eth_type(0x86dd)," +
    "ipv6(src={ip6},hlimit={hops}),udp(src={port},dst={to}/0xff) {out}";
  const count = 2500;
  const pick = (i: number, mod: number): number => (Math.imul(i + 1, 0x9e37_79b1) >>> 0) % mod;
  const columns = {
    id: BigUint64Array.from({ length: count }, (_, i) => BigInt(i) << 33n),
    mac: Uint8Array.from({ length: count * 6 }, (_, i) => pick(i, 256)),
    ip6: Uint8Array.from({ length: count * 16 }, (_, i) => pick(i, 256) || 1),
    hops: Uint8Array.from({ length: count }, (_, i) => i),
    port: Uint16Array.from({ length: count }, (_, i) => pick(i, 65_536)),
    to: Float64Array.from({ length: count }, (_, i) => pick(i, 65_536)),
    out: Int32Array.from({ length: count }, (_, i) => i % 100),
  };
  const address = (of: Uint8Array, size: number, group: number): string =>
    (of.toHex().match(new RegExp(`.{${group}}`, "g")) ?? []).slice(0, size).join(":");
  const expected = Array.from({ length: count }, (_, i) =>
    lineBytes(
      text.replaceAll(/\{(\w+)\}/g, (_all, name: string) => {
        if (name === "mac") return address(columns.mac.subarray(i * 6, i * 6 + 6), 6, 2);
        if (name === "ip6") return address(columns.ip6.subarray(i * 16, i * 16 + 16), 8, 4);
        const column: ArrayLike<number | bigint> | undefined = Object.entries(columns).find(
          ([key]) => key === name,
        )?.[1];
        return String(column?.[i]);
      }),
      { ufid: true },
    ),
  );
  const template = FlowTemplate.compile(text);
  expect(rowBytes(template.fill(columns))).toEqual(expected);
});
