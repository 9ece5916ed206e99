import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { FlowJsonLineEncoder } from "../../../src/flow/json.ts";
import { FlowLineEncoder } from "../../../src/flow/line.ts";
import { FlowSyntaxError } from "../../../src/flow/text/syntax-error.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";
import { encoder as utf8, PROPERTY } from "../harness.ts";

const memory = new PinnedMemory(1 << 16);
const writer = new AttributeWriter(memory);
const BEHIND = '0x1,"a":5}';

type Encoders = { readonly lines: FlowLineEncoder; readonly json: FlowJsonLineEncoder };

function encoders(shapes: boolean): Encoders {
  const lines = new FlowLineEncoder({ ufid: true, shapes });
  return { lines, json: new FlowJsonLineEncoder(lines, shapes) };
}

/** The complete result of encoding a line: bytes, verb, or the error. */
function outcome({ lines, json }: Encoders, text: string): string {
  const bytes = utf8.encode(`${text}${BEHIND}`);
  writer.reset(64, memory.size);
  try {
    const encoded = json.encode(bytes, 0, bytes.length - BEHIND.length, 1, writer);
    const message = Buffer.from(memory.u8.subarray(64, writer.position)).toString("hex");
    return encoded ? `${lines.verb} ${lines.hasActions} ${lines.ownUfid} ${message}` : message;
  } catch (error) {
    if (!(error instanceof FlowSyntaxError)) throw error;
    expect(writer.position).toBe(64);
    return error.message;
  }
}

const number = (max: number): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.oneof(fc.nat({ max }), fc.constantFrom(0, 9, max, max + 1)),
      fc.constantFrom(
        "plain",
        "plain",
        "plain",
        "text",
        "hex",
        "masked",
        "bare hex",
        "octal",
        "real",
      ),
    )
    .map(([value, form]) => {
      const hex = `0x${value.toString(16)}`;
      if (form === "plain") return String(value);
      if (form === "text") return `"${value}"`;
      if (form === "hex") return `"${hex}"`;
      if (form === "masked") return `"${value}/0xf"`;
      // No JSON, or no whole number.
      if (form === "bare hex") return hex;
      return form === "octal" ? `0${value}` : `${value}.5`;
    });
const text = (of: fc.Arbitrary<string>): fc.Arbitrary<string> => of.map((value) => `"${value}"`);
const ipv4 = fc.oneof(fc.ipV4(), fc.ipV4(), fc.constantFrom("0.0.0.0", "10.0.0.0/8", "10.0.0.256"));

const VALUES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  ip: text(ipv4),
  ip6: text(fc.oneof(fc.ipV6(), fc.constantFrom("::", "1::2/64"))),
  mac: text(
    fc
      .uint8Array({ minLength: 6, maxLength: 6 })
      .map((bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":")),
  ),
  byte: number(255),
  port: number(65_535),
  label: number(0xfffff),
  wide: fc.oneof(number(0xffff_ffff), text(fc.constantFrom("0xffffffffffffffff", "0x10"))),
  uuid: text(fc.uuid()),
  count: fc.constantFrom("0", "17", "1234567890123", "1.5", "-1", '"3"', "01"),
  used: fc.constantFrom("0.123", "17", '"never"', "-1", "1.", "null"),
  flags: fc.constantFrom('"S"', '"SFPR.U"', '""', '"é"', '"\\u0041"', "5"),
};

const TEMPLATES = [
  '{"key":{"in_port":{port},"eth":{"src":{mac},"dst":{mac}},"eth_type":"0x0800","ipv4":{"src":{ip},"dst":{ip},"proto":17,"tos":{byte},"frag":"no"},"udp":{"src":{port},"dst":{port}}},"actions":[{"output":{port}}]}',
  '{"ufid":{uuid},"key":{"in_port":{port},"eth":{},"eth_type":"0x86dd","ipv6":{"src":{ip6},"label":{label},"proto":58},"icmpv6":{}},"actions":[{"output":{port}}],"packets":{count},"bytes":{count},"used":{used},"flags":{flags}}',
  '{ "verb": "add", "key": { "in_port": {port}, "eth": {"src": {mac}} }, "actions": [ { "output": {port} } ] }',
  '{"actions":[{"output":2}],"packets":{count},"key":{"in_port":{port},"eth":{},"eth_type":{port},"ipv4":{"dst":{ip}}}}',
  '{"key":{"tunnel":{"tun_id":{wide},"dst":{ip},"ttl":{byte}},"in_port":{port},"eth":{}},"actions":[]}',
  '{"verb":"delete","key":{"in_port":{port},"eth":{},"eth_type":"0x8847","mpls":[{"label":{label},"ttl":{byte}},{"label":{label}}]}}',
];

const line = fc.constantFrom(...TEMPLATES).chain(lineOf);

function lineOf(template: string): fc.Arbitrary<string> {
  const names = [...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  return fc.tuple(...names.map((name) => VALUES[name] ?? fc.constant(""))).map((values) => {
    let at = 0;
    return template.replaceAll(/\{\w+\}/g, () => values[at++] ?? "");
  });
}

test("JSON that matches a shape has the bytes that it has without", () => {
  fc.assert(
    fc.property(
      fc
        .constantFrom(...TEMPLATES)
        .chain((template) => fc.array(lineOf(template), { minLength: 2, maxLength: 12 })),
      (texts) => {
        const [shaped, plain] = [encoders(true), encoders(false)];
        for (const one of [...texts, ...texts])
          expect(outcome(shaped, one)).toBe(outcome(plain, one));
      },
    ),
    PROPERTY,
  );
});

test("so has JSON that one byte tells from it", () => {
  fc.assert(
    fc.property(
      line,
      fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0x20, max: 0x7e })), { maxLength: 20 }),
      (one, changes) => {
        const [shaped, plain] = [encoders(true), encoders(false)];
        outcome(shaped, one);
        for (const [place, byte] of changes) {
          const at = place % one.length;
          const character = String.fromCharCode(byte);
          for (const changed of [
            one.slice(0, at) + character + one.slice(at + 1),
            one.slice(0, at),
            one.slice(0, at) + one.slice(at + 1),
            one.slice(0, at) + character + one.slice(at),
          ]) {
            expect(outcome(shaped, changed)).toBe(outcome(plain, changed));
          }
        }
      },
    ),
    PROPERTY,
  );
});

test("plain lines of one form do match", () => {
  const lines = new FlowLineEncoder({ ufid: true });
  const json = new FlowJsonLineEncoder(lines);
  const parse = JSON.parse;
  let parsed = 0;
  JSON.parse = (...words: Parameters<typeof parse>): unknown => {
    parsed++;
    return parse(...words);
  };
  try {
    for (let i = 0; i < 100; i++) {
      const one = `{"key":{"in_port":${i},"eth":{},"eth_type":"0x0800","ipv4":{"src":"10.0.0.${i}"}},"actions":[{"output":${i}}],"packets":${i}}`;
      expect(outcome({ lines, json }, one)).toStartWith("put true false ");
    }
  } finally {
    JSON.parse = parse;
  }
  expect(parsed).toBe(1);
});
