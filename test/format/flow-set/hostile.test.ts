import { describe, expect, test } from "bun:test";
import { FlowSetFeed, type FlowSetOptions } from "../../../src/format/flow-set/feed.ts";
import { bytesSource, UnreadableInputError } from "../../../src/format/source.ts";
import { DryRun } from "../../../src/load/dry-run.ts";
import { load as loadFeed } from "../../../src/load/load.ts";
import { Account } from "../../../src/load/account.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
} from "../../../src/uapi/openvswitch.ts";
import { Random } from "../../flow/rules/random.ts";
import {
  collect,
  type Collected,
  compile,
  pipeSource,
  PORTS,
  recordStarts,
  reseal,
  withFacts,
} from "../collect.ts";

/** A port by name in every place that text knows: keys, actions, nests, cookies. */
const NAMED = [
  `in_port(p1),eth(),eth_type(0x0800),ipv4(frag=no) p2`,
  `in_port(1),eth(),eth_type(0x0806) clone(sample(sample=50%,actions(p1,push_vlan(vid=3,pcp=0),p2)))`,
  `in_port(1),eth(),eth_type(0x86dd),ipv6(frag=no) check_pkt_len(size=9,gt(p2),le(p1)),veth7`,
  `in_port(2),eth(),eth_type(0x86dd),ipv6(frag=no) userspace(pid=1,ipfix(output_port=p1),tunnel_out_port=p2)`,
  `in_port(3),eth(),eth_type(0x0806) set(in_port(p2)),1`,
  `in_port(p1),eth(),eth_type(0x8100),vlan(vid=3,pcp=0),encap(in_port(p2),eth_type(0x0806)) 3`,
  `ufid:03112233-4455-6677-8899-aabbccddeeff, in_port(p2),eth(),eth_type(0x0806) p1`,
  `in_port(p1),eth(),eth_type(0x8847),mpls() dec_ttl(le_1(p2))`,
  `delete in_port(p1),eth(),eth_type(0x0806)`,
  `mod in_port(p1),eth(),eth_type(0x0806)`,
  `add eth(),eth_type(0x0806) drop`,
].join("\n");

/** Its words that are ports: by name, and by number. */
const NAMES = 18;
const NUMBERS = 6;

/** The output of a set, checked first or as a pipe, and whether it is damaged. */
async function read(
  bytes: Uint8Array,
  options: FlowSetOptions,
  pipe = false,
): Promise<Collected & { readonly fault: string }> {
  const found: Collected = { messages: [], refusals: [] };
  try {
    const source = pipe ? pipeSource(bytes) : bytesSource("set", bytes);
    await collect(new FlowSetFeed(source, options), 4, found);
  } catch (error) {
    if (!(error instanceof UnreadableInputError)) throw error;
    return { ...found, fault: error.message };
  }
  return { ...found, fault: "" };
}

describe("a flow set by a hostile author", () => {
  test("names ports in their places, or is damaged as a whole", async () => {
    const { bytes, refusals } = await compile(NAMED);
    expect(refusals).toEqual([]);
    const [, first = 0] = recordStarts(bytes);
    const words = new DataView(bytes.buffer).getUint32(first + 12) >> 2;
    const places = placesOf(bytes);
    expect(places.length).toBe(NAMES);
    const taken: number[] = [];
    for (let word = 0; word < words; word++) {
      const alone = withFacts(bytes, (facts) => ({ ...facts, names: ["p1"], ports: [word, 0] }));
      const { fault, messages } = await read(alone, { ufid: true, ports: PORTS });
      if (fault === "") taken.push(word);
      else {
        expect(fault).toBe(`cannot read set: chunk 1, at byte ${first} has ports out of place`);
        expect(messages).toEqual([]);
      }
    }
    expect(taken.filter((word) => places.includes(word))).toEqual(places);
    // What the lines give by number is a port, too.
    expect(taken.length).toBe(NAMES + NUMBERS);
  });

  test("lists the places of ports once, in their order, each with a name", async () => {
    const { bytes } = await compile(NAMED);
    const [one = 0, two = 0] = placesOf(bytes);
    for (const ports of [
      [two, 0, one, 0],
      [one, 0, one, 0],
      [one, 1],
      [one, 0, 1 << 30, 0],
    ]) {
      const bad = withFacts(bytes, (facts) => ({ ...facts, names: ["p1"], ports }));
      const { fault } = await read(bad, { ufid: true, ports: PORTS });
      expect([ports, fault]).toEqual([ports, expect.stringContaining("ports out of place")]);
    }
  });

  test("gives whole commands that each name one flow, or nothing, whatever is in it", async () => {
    const seed = Number(process.env["MILLRACE_PROPERTY_SEED"] ?? 11);
    const runs = Number(process.env["MILLRACE_PROPERTY_RUNS"] ?? 400);
    const random = new Random(seed);
    const { bytes } = await compile(NAMED);
    let given = 0;
    let faulty = 0;
    for (let run = 0; run < runs; run++) {
      const bad = mutant(bytes, random);
      for (const [ufid, mode] of [
        [true, "put"],
        [false, "put"],
        [false, "delete"],
        [true, "add"],
      ] as const) {
        const found = await read(bad, { ufid, mode, ports: PORTS }, random.chance(50));
        given += found.messages.length;
        if (found.fault !== "") faulty++;
        const strange = found.messages.filter((message) => !isFlowCommand(message));
        expect([seed, run, strange]).toEqual([seed, run, []]);
      }
      await judge(bad);
    }
    expect(given).toBeGreaterThan(runs * 5);
    expect(faulty).toBeGreaterThan(runs);
  });
});

/** Where the first chunk of a set says that ports go. */
function placesOf(bytes: Uint8Array): number[] {
  const found: number[] = [];
  withFacts(bytes, (facts) => {
    const { ports } = facts;
    if (Array.isArray(ports))
      for (let i = 0; i < ports.length; i += 2) found.push(Number(ports[i]));
    return facts;
  });
  return found;
}

/** Changes bytes of the messages, or the places of ports, or both. */
function mutant(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array {
  const [, first = 0] = recordStarts(bytes);
  const size = new DataView(bytes.buffer).getUint32(first + 12);
  let bad: Uint8Array<ArrayBuffer> = bytes.slice();
  const what = random.below(3);
  if (what !== 0) {
    for (let i = random.below(3); i >= 0; i--) {
      // Lengths of attributes, now and then: that is where a walk may stand still.
      const at = first + 16 + random.below(size);
      if (random.chance(40)) bad.fill(random.below(5), at & ~3, (at & ~3) + 2);
      else bad[at] = random.below(256);
    }
    reseal(bad);
  }
  if (what !== 1) {
    bad = withFacts(bad, (facts) => {
      const ports = placesOf(bad).flatMap((place) => [
        random.chance(15) ? Math.max(0, place + random.below(9) - 4) : place,
        random.below(3),
      ]);
      return { ...facts, ports };
    });
  }
  return bad;
}

/** A dry run reads the keys and the actions, and puts what is wrong with them into words. */
async function judge(bytes: Uint8Array): Promise<void> {
  const feed = new FlowSetFeed(bytesSource("set", bytes), { ufid: true, ports: PORTS });
  try {
    await loadFeed(feed, new DryRun(new Account()));
  } catch (error) {
    if (!(error instanceof UnreadableInputError)) throw error;
  }
}

/** Whether a request makes, changes or deletes one flow of datapath 77, and has the attributes of that alone. */
function isFlowCommand(message: string): boolean {
  const bytes = Buffer.from(message.split(" ")[1] ?? "", "hex");
  if (bytes.readUInt32LE(0) !== bytes.length || bytes.readUInt16LE(4) !== 0x1234) return false;
  const command = bytes[16] ?? 0;
  if (![OVS_FLOW_CMD_NEW, OVS_FLOW_CMD_DEL, OVS_FLOW_CMD_SET].includes(command)) return false;
  if (bytes.readUInt32LE(20) !== 77) return false;
  let named = false;
  for (let at = 24; at < bytes.length;) {
    const length = bytes.readUInt16LE(at);
    const type = bytes.readUInt16LE(at + 2);
    if (length < 4 || at + length > bytes.length || !ATTRIBUTES.has(type)) return false;
    // A request that is no delete may have an empty key.
    if (type === OVS_FLOW_ATTR_UFID) named ||= length === 20;
    if (type === OVS_FLOW_ATTR_KEY) named ||= length > 4 || command !== OVS_FLOW_CMD_DEL;
    at += (length + 3) & ~3;
  }
  return named;
}

const ATTRIBUTES = new Set([
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_ACTIONS,
]);
