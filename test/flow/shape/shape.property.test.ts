import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { FlowLineEncoder } from "../../../src/flow/line.ts";
import { FlowSyntaxError } from "../../../src/flow/text/syntax-error.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";
import { encoder as utf8, LINE_OPTIONS, PROPERTY } from "../harness.ts";

const memory = new PinnedMemory(1 << 16);
const writer = new AttributeWriter(memory);

const BEHIND = "1.23:4::0x5,in_port(12),eth()";

/** The complete result of encoding a line: bytes, verb, or the error. */
function outcome(encoder: FlowLineEncoder, text: string): string {
  // Lines are in a buffer, followed by others.
  const bytes = utf8.encode(`${text}${BEHIND}`);
  writer.reset(64, memory.size);
  try {
    const encoded = encoder.encode(bytes, 0, bytes.length - BEHIND.length, 1, writer);
    const message = Buffer.from(memory.u8.subarray(64, writer.position)).toString("hex");
    if (!encoded) return message;
    return `${encoder.verb} ${encoder.hasActions} ${message}`;
  } catch (error) {
    if (!(error instanceof FlowSyntaxError)) throw error;
    expect(writer.position).toBe(64);
    return error.message;
  }
}

const octet = fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 1, 255, 256, 300)).map(String);
const ipv4 = fc
  .tuple(octet, octet, octet, octet, fc.constantFrom("", "", "", "/255.255.0.0", "/8", "/0"))
  .map(([a, b, c, d, mask]) => `${a}.${b}.${c}.${d}${mask}`);
const number = (max: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.oneof(fc.nat({ max }), fc.constantFrom(0, max, max + 1)),
      fc.constantFrom("d", "d", "d", "x", "o", "X"),
      fc.constantFrom("", "", "", "/0", "/0xf", `/${max}`),
    )
    .map(([value, base, mask]) => {
      if (base === "x") return `0x${value.toString(16)}${mask}`;
      if (base === "X") return `0x000${value.toString(16).toUpperCase()}${mask}`;
      return base === "o" ? `0${value.toString(8)}${mask}` : `${value}${mask}`;
    });
const mac = fc
  .uint8Array({ minLength: 6, maxLength: 6 })
  .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":"));
const ipv6 = fc.oneof(fc.ipV6(), fc.constantFrom("::", "::1", "1::2/64", "::1/0"));

/** Values for the holes of a template; `{name}` in it is one. */
const VALUES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  ip: ipv4,
  ip6: ipv6,
  mac,
  port: number(65_535),
  byte: number(255),
  word: number(0xffff_ffff),
  label: number(0xfffff),
  kind: fc.constantFrom("0", "0x0800", "0x86dd", "0x0806", "6", "17", "58", "135", "17/0x1", "6/0"),
  tag: fc.constantFrom("0x8100", "0x88a8", "0x9100", "0x0800", "0"),
  vid: number(4095),
  bits: number(7),
  bit: number(1),
  wide: fc.oneof(
    number(0xffff_ffff),
    fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map(String),
    fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }).map((value) => `0x${value.toString(16)}`),
  ),
  uuid: fc.oneof(fc.uuid(), fc.constantFrom("12345678-1234-1234-1234-12345678abcg")),
  count: fc.constantFrom("0", "17", "never", "1.234s", "", "x#y"),
  out: fc.oneof(number(65_535), fc.constantFrom("drop", "1,2", "recirc(1)", "", "2 ", "2 # two")),
};

const TEMPLATES = [
  "in_port({port}),eth(src={mac},dst={mac}),eth_type(0x0800),ipv4(src={ip},dst={ip},proto=17,tos={byte},ttl=64,frag=no),udp(src={port},dst={port}) {out}",
  "recirc_id({word}),skb_mark({word}),in_port(1),ct_zone({port}),eth(),eth_type(0x0800),ipv4(src={ip},proto={byte}) {out}",
  "in_port(1),eth(),eth_type(0x86dd),ipv6(src={ip6},dst={ip6},label={label},proto=58,hlimit={byte}),icmpv6(type=135,code={byte}),nd(target={ip6},sll={mac}) {out}",
  "in_port(1),eth(),eth_type(0x0806),arp(sip={ip},tip={ip},op={port},sha={mac}) {out}",
  "in_port(1),eth(),eth_type(0x8100),vlan(vid=5,pcp=1),encap(eth_type(0x0800),ipv4(src={ip},dst={ip}),udp(dst={port})) {out}",
  "tunnel(tun_id={word},dst={ip},ttl=64),in_port({port}),eth(dst={mac}),ct_mark({word}) {out}",
  "modify in_port({port}),eth(src={mac}) {out}",
  "add in_port({port}) eth()",
  "delete in_port({port}),eth(),eth_type(0x0800),ipv4(dst={ip}) {out}",
  "in_port(1),eth(),ct_tuple6(src={ip6},tp_dst={port}),dp_hash({word}), packets:0, bytes:0, used:never, actions:{out}",
  "eth_type({port}),ipv4(src={ip}) {out}",
  "in_port(1),eth(),eth_type({kind}),ipv4(src={ip},proto={kind}),tcp(src={port}),tcp_flags(0/0),udp() {out}",
  "in_port(1),eth(),eth_type({kind}),ipv6(proto={kind}),icmpv6(type={kind}),nd(),arp() {out}",
  "in_port(1),ct_tuple4(src={ip},proto={byte}),eth(),eth_type(0x0800),ipv4() {out}",
  "in_port(1),ct_tuple6(tp_src={port},proto={kind}),eth(),eth_type(0x86dd),ipv6() {out}",
  "ufid:{uuid} in_port({port}),eth(),eth_type(0x0800),ipv4(src={ip}) {out}",
  "delete ufid:{uuid},in_port({port}),eth()",
  "ufid:{uuid}, recirc_id({word}),in_port({port}),eth(src={mac}),eth_type({port}),ipv4(src={ip}), packets:{count}, bytes:{count}, used:{count}, flags:SF., actions:{out}",
  "in_port(1),eth(),eth_type({port}),vlan(vid={vid},pcp={bits}),encap(eth_type({port}),vlan(vid={vid},pcp={bits},cfi={bit}),encap(eth_type(0x800),ipv4(dst={ip}))) {out}",
  "in_port(1),eth(),eth_type(0x8100),vlan(vid={vid},pcp={bits}),encap() {out}",
  "in_port(1),eth(),eth_type(0x8100),vlan(vid={vid},pcp={bits},cfi={bit}),encap() {out}",
  "in_port(1),eth(),eth_type({tag}),vlan(vid=0,pcp=0,cfi=0),encap() {out}",
  "in_port(1),eth(),eth_type(0x8847),mpls(label={label},tc={bits},ttl={byte},bos={bit},label={label},bos={bit}) {out}",
  "tunnel(tun_id={wide},src={ip},dst={ip},tos={byte},ttl={byte},tp_src={port},tp_dst={port},flags(df|key)),in_port({port}),eth() {out}",
  "tunnel(tun_id={wide},ipv6_src={ip6},ipv6_dst={ip6},ttl=64,geneve({class=0x102,type=0x80,len=4,0x0a0b0c0d/0xffffffff}),flags(csum)),in_port(1),eth() {out}",
  "in_port(1),eth(src={mac}) {port},{word},push_vlan(vid={vid},pcp=1),{port}",
  "in_port(1),eth() sample(sample=50%,actions({port},{port})),{port},clone({port}) {out}",
  "in_port(1),eth() {out}{port} , {port},{out}",
  "in_port(1),eth() set(eth(dst={mac})),{port},set(eth(src={mac},dst={mac})),set(ipv4(src={ip},ttl={byte})) {out}",
  "in_port(1),eth() set(ipv6(dst={ip6},label={label})),set(udp(src={port},dst={port})),set(tunnel(dst={ip},ttl=64)),{port}",
  "in_port(1),eth(),eth_type({kind}), actions:{out}",
  "in_port(1),eth(),eth_type(0x0800),ipv4(src={ip},proto={kind}), actions:{out}",
  "in_port(1),eth(),eth_type({kind}),ipv4(src={ip},proto={kind}), packets:{count}, actions:{out}",
  "tunnel(tun_id={word},src={ip}),in_port(1),eth(),eth_type(0x86dd),ipv6(proto={kind},frag=first),icmpv6(type={kind}), dpe_x:{count}, actions:{out}",
  "in_port(1),eth(),eth_type(0x0800),ipv4(src={ip},proto=47/0x1,tos={byte},ttl={byte},frag=first) {out}",
  "in_port(1),eth(),eth_type(0x0800),ipv4(proto={byte}/0x11,tos={byte},ttl={byte},frag=first),udp() {out}",
  "in_port(1),eth(),eth_type(0x86dd),ipv6(dst={ip6},proto=58),icmpv6(type=255/0x87,code={byte}) {out}",
  "in_port(1),eth(),eth_type(0x88a8),vlan(vid={vid}/0x12c),encap(eth_type({tag}/0xffff),vlan(vid={vid},pcp={bits},cfi={bit}),encap(eth_type(0x0800),ipv4(dst={ip}))) {out}",
  "in_port(1),eth(),eth_type(0/0xffff),vlan(vid={vid},pcp={bits},cfi={bit}),encap(eth_type({port}),ipv4(dst={ip})) {out}",
  "in_port(1),eth(),eth_type({tag}),vlan(vid={vid}/0,pcp={bits}/0,cfi={bit}/0),encap() {out}",
  "in_port({port}),eth() set(skb_mark({word})),clone(set(tcp(src={port})),{port}),set(mpls(label={label})),{port}",
];

function lineOf(template: string): fc.Arbitrary<string> {
  const names = [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  return fc.tuple(...names.map((name) => VALUES[name] ?? fc.constant(""))).map((values) => {
    let at = 0;
    return template.replaceAll(/\{\w+\}/g, () => values[at++] ?? "");
  });
}

const line = fc.constantFrom(...TEMPLATES).chain(lineOf);

/** Lines of few forms: most of them match a shape. */
const lines = fc
  .array(fc.constantFrom(...TEMPLATES), { minLength: 1, maxLength: 3 })
  .chain((templates) =>
    fc.array(
      fc
        .tuple(fc.oneof(...templates.map(lineOf)), fc.constantFrom("", "", "\r"))
        .map(([text, end]) => text + end),
      { minLength: 2, maxLength: 12 },
    ),
  );

test("a line that matches a shape has the bytes that it has without", () => {
  fc.assert(
    fc.property(fc.constantFrom(...LINE_OPTIONS), lines, (options, texts) => {
      const shaped = new FlowLineEncoder(options);
      const plain = new FlowLineEncoder({ ...options, shapes: false });
      for (const text of [...texts, ...texts])
        expect(outcome(shaped, text)).toBe(outcome(plain, text));
    }),
    PROPERTY,
  );
});

test("so has a line that one byte tells from it", () => {
  fc.assert(
    fc.property(
      line,
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 127 })), { maxLength: 20 }),
      (text, changes) => {
        const shaped = new FlowLineEncoder({ ufid: true });
        const plain = new FlowLineEncoder({ ufid: true, shapes: false });
        outcome(shaped, text);
        for (const [place, byte] of changes) {
          const at = place % text.length;
          for (const changed of [
            text.slice(0, at) + String.fromCharCode(byte) + text.slice(at + 1),
            text.slice(0, at),
            text.slice(0, at) + text.slice(at + 1),
            text.slice(0, at) + String.fromCharCode(byte) + text.slice(at),
          ]) {
            expect(outcome(shaped, changed)).toBe(outcome(plain, changed));
          }
        }
      },
    ),
    PROPERTY,
  );
});

test("a writer without room is left failed, and what was written before stays", () => {
  const text = "in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.1,dst=10.0.0.2) 2";
  const bytes = utf8.encode(text);
  const encoder = new FlowLineEncoder({ ufid: true });
  outcome(encoder, text);
  outcome(encoder, text);
  for (let room = 0; room < 120; room += 4) {
    memory.u8.fill(0xee);
    writer.reset(64, 64 + room);
    expect(encoder.encode(bytes, 0, bytes.length, 1, writer)).toBe(true);
    expect(writer.failed).toBe(true);
    expect(memory.u8.subarray(0, 64).every((byte) => byte === 0xee)).toBe(true);
    expect(memory.u8.subarray(64 + room, 4096).every((byte) => byte === 0xee)).toBe(true);
  }
});

test("a port's name is looked up for every line", () => {
  const numbers = new Map([["eth0", 1]]);
  const ports = {
    numberOf: (name: string): number | undefined => numbers.get(name),
    nameOf: (): undefined => undefined,
  };
  const encoder = new FlowLineEncoder({ ufid: true, ports });
  const one = outcome(encoder, "in_port(eth0),eth() eth0");
  expect(outcome(encoder, "in_port(eth0),eth() eth0")).toBe(one);
  numbers.set("eth0", 2);
  expect(outcome(encoder, "in_port(eth0),eth() eth0")).not.toBe(one);
});
