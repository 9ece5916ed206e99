import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Flow } from "../../../src/flow/flow.ts";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { copyFlow, type FlowParts, readMatch } from "../../../src/flow/parts.ts";
import { MatchReader } from "../../../src/flow/shape/match-reader.ts";
import { attributeLength, findAttribute } from "../../../src/flow/action/attributes.ts";
import {
  OVS_KEY_ATTR_ENCAP,
  OVS_KEY_ATTR_ICMP,
  OVS_KEY_ATTR_VLAN,
} from "../../../src/uapi/openvswitch.ts";
import { flowOf } from "../dumped-flow.ts";
import { contentOf, PROPERTY } from "../harness.ts";

const CORPUS: readonly FlowParts[] = readFileSync(
  join(import.meta.dir, "../corpus/flows.txt"),
  "utf8",
)
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => Flow.parse(line).parts);

function slow(flow: FlowParts): unknown {
  const record = new KeyRecord();
  return readMatch(flow, record) ? contentOf(record) : undefined;
}

/** Flows as one reader reads them, one after another. */
function fast(flows: readonly FlowParts[]): unknown[] {
  const reader = new MatchReader();
  return flows.map((flow) => {
    const record = reader.read(flow);
    return record === undefined ? undefined : contentOf(record);
  });
}

test("flows are read as one by one", () => {
  const flows = [...CORPUS, ...CORPUS.toReversed(), ...CORPUS];
  expect(fast(flows)).toEqual(flows.map(slow));
});

test("so are flows with any bytes in them", () => {
  const change = fc.record({
    flow: fc.integer({ min: 0, max: CORPUS.length - 1 }),
    // Most go into the values of a key.
    range: fc.constantFrom("key", "key", "key", "mask"),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    byte: fc.integer({ min: 0, max: 255 }),
  } as const);
  fc.assert(
    fc.property(fc.array(change, { minLength: 20, maxLength: 200 }), (changes) => {
      const flows = changes.map(({ flow, range, at, byte }) => {
        const copy = copyFlow(CORPUS[flow] ?? expect.unreachable());
        const { start, end } = copy[range];
        copy.bytes[start + Math.floor(at * (end - start))] = byte;
        return copy;
      });
      expect(fast(flows)).toEqual(flows.map(slow));
    }),
    { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 10) },
  );
});

/** Where the payload of an attribute of a key begins. */
function payloadOf({ bytes, key }: FlowParts, type: number): number {
  return findAttribute(bytes, key.start, key.end, type) + 4;
}

test("a tag that is none is read as such, beside one under the same mask", () => {
  const tagged = flowOf(
    "in_port(1),eth(),eth_type(0x8100),vlan(vid=7),encap(eth_type(0x0800),ipv4(ttl=64)) 1",
  );
  // A mask without ENCAP, as ovs-vswitchd sends it, applies to what follows the tag.
  const at = findAttribute(tagged.bytes, tagged.mask.start, tagged.mask.end, OVS_KEY_ATTR_ENCAP);
  const mask = { start: at + 4, end: at + attributeLength(tagged.bytes, at, tagged.mask.end) };
  const flows = [true, false, true].map((hasTag) => {
    const bytes = tagged.bytes.slice();
    const tag = payloadOf(tagged, OVS_KEY_ATTR_VLAN);
    if (!hasTag) bytes.fill(0, tag, tag + 2);
    return { ...tagged, bytes, mask };
  });
  expect(slow(flows[0] ?? tagged)).not.toEqual(slow(flows[1] ?? tagged));
  expect(fast(flows)).toEqual(flows.map(slow));
});

test("what pads an attribute does not come into the record", () => {
  const flow = flowOf("in_port(1),eth(),eth_type(0x0800),ipv4(proto=1,frag=no),icmp(type=8) 1");
  flow.bytes.fill(
    0xff,
    payloadOf(flow, OVS_KEY_ATTR_ICMP) + 2,
    payloadOf(flow, OVS_KEY_ATTR_ICMP) + 4,
  );
  expect(fast([flow, flow, flow])).toEqual([flow, flow, flow].map(slow));
});

test("flows of one form share a record, and others do not", () => {
  const flow = (last: number, mask: string): FlowParts =>
    Flow.parse(
      `in_port(${last}),eth(),eth_type(0x0800),ipv4(src=10.0.0.${last}/${mask},frag=no),vlan(vid=1) 2`,
    ).parts;
  const reader = new MatchReader();
  const first = reader.read(flow(1, "32"));
  expect(reader.read(flow(2, "32"))).toBe(first ?? new KeyRecord());
  expect(reader.read(flow(2, "24"))).not.toBe(first ?? new KeyRecord());
});
