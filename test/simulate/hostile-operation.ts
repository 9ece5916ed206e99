import { KEY_AT, LINE_AT } from "../../src/format/flow-set/messages.ts";
import { Batch } from "../../src/netlink/batch.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { deleteFlow } from "../../src/ovs/flow.ts";
import { FlowRequests } from "../../src/ovs/flow-requests.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import type { Random } from "../../src/testing/random.ts";
import {
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_VERSION,
} from "../../src/uapi/openvswitch.ts";
import { NLM_F_REQUEST } from "../../src/uapi/netlink.ts";
import { recordStarts, reseal, withFacts } from "../format/collect.ts";
import { bytesOf, compiled } from "../load/sources.ts";
import { randomLines } from "./lines.ts";
import { kept, type Operation } from "./operation.ts";
import { must } from "./violation.ts";
import type { World } from "./world.ts";

// Input that somebody made on purpose: flow sets with wrong content, mostly with right checksums, names that name no flow.

const TYPE_AT = 1;
const GENERIC_AT = 4;
/** Behind the prefix of a record. */
const MESSAGES_AT = 16;

/** Whatever comes in, nothing is flushed, and a set that does not hold together is not loaded to its end. */
export const HOSTILE: Operation = {
  name: "hostile",
  weight: 4,
  run: (world, step, random) => {
    world.clear();
    const history = world.begin();
    nameNothing(world, random);
    must(history.events.length === 0, () => "a name that is none changes flows");
    // Lines of the same flows, which are no set's: the kernel judges them.
    const lines = kept(randomLines(random, world.matches, 12), step);
    if (lines.length > 0) {
      const set = compiled(bytesOf(lines.map(({ text }) => text)));
      const [damaged, mayLoad] = random.of(DAMAGES)(set, random);
      loadDamaged(world, damaged, mayLoad, random.chance(50));
    }
    world.clear();
  },
};

/** A request to delete a flow without a name would delete all. */
function nameNothing(world: World, random: Random): void {
  const ufid = new Uint8Array(random.of([0, 17, 20])).fill(7);
  using channel = new OvsChannel(undefined, world.kernel);
  const datapath = openDatapath(channel, world.dp.name);
  const requests = FlowRequests.to(datapath, new Batch(1, 4096));
  const ways: (() => unknown)[] = [
    () => deleteFlow(datapath, { ufid }),
    () => deleteFlow(datapath, { key: new Uint8Array(0) }),
    () => {
      const writer = requests.begin();
      if (ufid.length > 0) writer.bytes(OVS_FLOW_ATTR_UFID, ufid);
      requests.commit("delete", 1);
    },
  ];
  for (const way of ways) {
    must(
      failsAsItShould(way),
      () => `a delete of a UFID of ${ufid.length} bytes, or of no key, is made`,
    );
  }
}

function failsAsItShould(run: () => unknown): boolean {
  try {
    run();
    return false;
  } catch (error) {
    if (error instanceof MillraceError) return true;
    throw error;
  }
}

/** Makes another set of one. @returns it, and whether it may be a set all the same */
type Damage = (set: Uint8Array, random: Random) => readonly [Uint8Array, boolean];

const DAMAGES: readonly [Damage, ...Damage[]] = [
  // Any word of the messages.
  (set, random) => {
    const { words, end } = messagesOf(set);
    for (let n = 1 + random.below(3); n > 0; n--) words[random.below(end)] = random.next() | 0;
    reseal(set);
    return [set, true];
  },
  // A delete whose key is empty: the mask takes its place.
  (set, random) => {
    const { words, starts } = messagesOf(set);
    const at = starts[random.below(starts.length)] ?? 0;
    const rest = (words[at] ?? 0) - (KEY_AT + 1) * 4;
    words[at + TYPE_AT] = NLM_F_REQUEST << 16;
    words[at + GENERIC_AT] = OVS_FLOW_CMD_DEL | (OVS_FLOW_VERSION << 8);
    words[at + KEY_AT] = (OVS_FLOW_ATTR_KEY << 16) | 4;
    words[at + KEY_AT + 1] = (OVS_FLOW_ATTR_MASK << 16) | rest;
    reseal(set);
    return [set, false];
  },
  // Lines that do not go up.
  (set) => {
    const { words, starts } = messagesOf(set);
    for (const at of starts) words[at + LINE_AT] = 0;
    reseal(set);
    return [set, starts.length < 2];
  },
  // Another number of flows than a chunk has.
  (set) => [withFacts(set, (facts) => ({ ...facts, flows: Number(facts["flows"]) + 1 })), false],
  // A chunk that is missing, and one that comes twice.
  (set, random) => {
    const [, first = 0, next = 0] = recordStarts(set);
    const chunk = set.subarray(first, next);
    const middle = random.chance(50) ? [] : [chunk, chunk];
    const parts = [set.subarray(0, first), ...middle, set.subarray(next)];
    const changed = new Uint8Array(Buffer.concat(parts));
    reseal(changed);
    return [changed, false];
  },
  // A chunk that comes twice, and is counted twice.
  (set) => {
    const [, first = 0, next = 0] = recordStarts(set);
    const twice = new Uint8Array(Buffer.concat([set.subarray(0, next), set.subarray(first)]));
    const counted = withFacts(
      twice,
      (facts) => ({ ...facts, chunks: 2, flows: Number(facts["flows"]) * 2 }),
      3,
    );
    return [counted, false];
  },
  // Another number of chunks, or of flows, than the set has.
  (set, random) => {
    const name = random.of(["chunks", "flows"] as const);
    return [withFacts(set, (facts) => ({ ...facts, [name]: Number(facts[name]) + 1 }), 2), false];
  },
  // A byte that is another one, though no checksum is.
  (set, random) => {
    const [, first = 0] = recordStarts(set);
    const at = first + random.below(set.length - first);
    set[at] = (set[at] ?? 0) ^ (1 + random.below(255));
    return [set, false];
  },
];

/** The messages of the first chunk, in words, and where each begins. */
function messagesOf(set: Uint8Array): { words: Int32Array; starts: number[]; end: number } {
  const [, first = 0] = recordStarts(set);
  const length = new DataView(set.buffer, set.byteOffset).getUint32(first + 12);
  const words = new Int32Array(set.buffer, set.byteOffset + first + MESSAGES_AT, length >> 2);
  const starts: number[] = [];
  for (let at = 0; at < words.length; at += (words[at] ?? 0) >> 2) starts.push(at);
  return { words, starts, end: words.length };
}

function loadDamaged(world: World, set: Uint8Array, mayLoad: boolean, ufid: boolean): void {
  let isWhole = false;
  try {
    const { report, length } = world.dp.loadSync(set, { ufid });
    isWhole = report.ended === "complete";
    const { applied, rejected, refused, unknown } = report;
    const counted = applied + rejected + refused + unknown;
    must(counted === length, () => `${length} flows of a damaged set, ${counted} accounted for`);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
  }
  must(mayLoad || !isWhole, () => "a set that does not hold together is loaded to its end");
}
