import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { FlowLineEncoder } from "../../src/flow/line.ts";
import { FlowSyntaxError } from "../../src/flow/text/syntax-error.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { actionList } from "./action/random.ts";
import { encoder as utf8, PROPERTY } from "./harness.ts";
import { Random, randomFlow } from "./rules/random.ts";

const memory = new PinnedMemory(256 << 10);
const writer = new AttributeWriter(memory);

/**
 * Far more than a line of 100,000 bytes takes, and far less than if the time grew with the square
 * of its length.
 */
const MILLISECONDS = 1000;

/** Encodes a line; an error must have a place in it. @returns how long that took */
function encodeTimed(text: string): number {
  const bytes = utf8.encode(text);
  const encoder = new FlowLineEncoder({ ufid: true });
  writer.reset(0, memory.size);
  const startedAt = performance.now();
  try {
    encoder.encode(bytes, 0, bytes.length, 1, writer);
  } catch (error) {
    if (!(error instanceof FlowSyntaxError)) throw error;
    expect(error.column).toBeGreaterThanOrEqual(1);
    expect(error.column).toBeLessThanOrEqual(bytes.length + 1);
    expect(writer.position).toBe(0);
  }
  return performance.now() - startedAt;
}

const flow = fc.oneof(
  fc.integer().map((seed) => randomFlow(new Random(seed))),
  actionList.map((actions) => `in_port(1),eth(),eth_type(0x0800),ipv4(frag=no) ${actions}`),
);
const mutation = fc.tuple(
  fc.nat(),
  fc.integer({ min: 0, max: 9 }),
  fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom("(", ")", ",", "/", "{", "0x", "clone(")),
);

test("a mutated line is read or refused, in bounded time", () => {
  fc.assert(
    fc.property(flow, fc.array(mutation, { minLength: 1, maxLength: 4 }), (line, mutations) => {
      let text = line;
      for (const [place, drop, put] of mutations) {
        const at = place % (text.length + 1);
        text = text.slice(0, at) + put + text.slice(at + drop);
      }
      expect(encodeTimed(text)).toBeLessThan(MILLISECONDS);
    }),
    PROPERTY,
  );
});

const KEY = "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no) ";

/** Repeated pieces, and the text before them. */
const REPEATED: readonly (readonly [string, string])[] = [
  ["", "("],
  ["", "encap("],
  ["", "in_port(1),"],
  ["", "key33(00),"],
  ["key33(", "00 "],
  ["eth_type(0x", "0"],
  ["ipv4(src=", "1."],
  ["ipv6(src=", "1:"],
  ["mpls(", "label=1,"],
  ["tunnel(geneve(", "{class=1,type=1,len=0}"],
  ["tunnel(", "ttl=1,"],
  ["tcp_flags(", "+syn"],
  [" ", " "],
  ["#", "#"],
  [KEY, "1,"],
  [KEY, "drop,"],
  [KEY, "clone("],
  [KEY, "sample(sample=1%,actions("],
  [KEY, "check_pkt_len(size=1,gt("],
  [KEY, "ct(nat(src=1.1.1.1),"],
  [`${KEY}userspace(pid=1,userdata(`, "00"],
  [`${KEY}push_nsh(mdtype=2,md2=0x`, "00"],
  [`${KEY}psample(group=1,cookie=0x`, "0"],
  [`${KEY}1`, "#"],
  [`${KEY}1`, " "],
];

test.each(REPEATED)("'%s', then 100,000 bytes of '%s'", (before, piece) => {
  const text = before + piece.repeat(Math.ceil(100_000 / piece.length));
  expect(encodeTimed(text)).toBeLessThan(MILLISECONDS);
});
