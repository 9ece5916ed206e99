import { describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import { FlowSetCompiler } from "../../../src/format/flow-set/compile.ts";
import { FlowSetFeed } from "../../../src/format/flow-set/feed.ts";
import { HeldRecords } from "../../../src/format/flow-set/order.ts";
import { FlowSetWriter } from "../../../src/format/flow-set/writer.ts";
import type { FlowOrder } from "../../../src/flow/mask-order.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { bytesSource } from "../../../src/format/source.ts";
import { TextFeed } from "../../../src/format/text-feed.ts";
import { PROPERTY } from "../../flow/harness.ts";
import { limit } from "../../runner/limit.ts";
import { collect, PORTS, utf8 } from "../collect.ts";

setDefaultTimeout(limit(30));

/** The matched value of each field; zero where the mask is. */
type Match = { readonly key: readonly number[]; readonly mask: readonly number[] };

/** A set in the order that is found for lines, and the lines of its flows in that order. */
async function ordered(
  text: string,
): Promise<{ order: FlowOrder; lines: number[]; messages: readonly string[] }> {
  let records: Uint8Array[] = [];
  const take = (record: Uint8Array): void => void records.push(record.slice());
  const held = new HeldRecords(take);
  const compiler = new FlowSetCompiler(
    bytesSource("lines", utf8(text)),
    "text",
    new FlowSetWriter(held.write),
    ({ reason }) => {
      throw new Error(reason);
    },
  );
  for (;;) if (!compiler.step() && !(await compiler.fill())) break;
  compiler.finish();
  expect(records).toEqual([]);
  const order = held.finish(compiler.line, () => new FlowSetWriter(take, "", "masks"));
  const set = new Uint8Array(Buffer.concat(records));
  records = [];
  const feed = new FlowSetFeed(bytesSource("set", set), { ufid: true, ports: PORTS });
  const { messages, refusals } = await collect(feed, 100);
  expect(refusals).toEqual([]);
  expect(feed.line).toBe(compiler.line);
  return { order, lines: messages.map((message) => Number(message.split(" ")[0])), messages };
}

const inText = async (text: string): Promise<string[]> => {
  const feed = new TextFeed(bytesSource("text", utf8(text)), { ufid: true, ports: PORTS });
  return (await collect(feed)).messages;
};

function lineOf({ key, mask }: Match): string {
  const field = (i: number): string => `0.0.0.${key[i]}/0.0.0.${mask[i]}`;
  return (
    `in_port(1),eth(),eth_type(0x0800),ipv4(src=${field(0)},dst=${field(1)},` +
    `tos=${key[2]}/${mask[2]},ttl=${key[3]}/${mask[3]},frag=no) 1`
  );
}

/** What becomes of flows in a datapath as the kernel keeps it, which flow each one meets, and which matches a packet first. */
function outcomes(flows: ReadonlyMap<number, Match>): Map<number, number> {
  const held: [number, Match][] = [];
  const met = new Map<number, number>();
  for (const [line, one] of flows) {
    const found = held.find(([, { key, mask }]) =>
      key.every((value, i) => ((one.key[i] ?? 0) & (mask[i] ?? 0)) === value),
    );
    met.set(line, found?.[0] ?? 0);
    if (found === undefined) held.push([line, one]);
  }
  return met;
}

function overlap(one: Match, other: Match): boolean {
  return one.key.every(
    (value, i) => ((value ^ (other.key[i] ?? 0)) & (one.mask[i] ?? 0) & (other.mask[i] ?? 0)) === 0,
  );
}

const BITS = [0, 1, 2, 3, 4, 8, 12, 15] as const;
const bits = fc.array(fc.constantFrom(...BITS), { minLength: 3, maxLength: 3 });

/** A match of bits of three fields, and of a fourth that mostly keeps it apart from others. */
const match: fc.Arbitrary<Match> = fc
  .tuple(bits, bits, fc.constantFrom(0, 0, 0, 2, 3, 1), fc.constantFrom(3, 3, 3, 3, 3, 2, 1))
  .map(([key, mask, region, of]) => ({
    key: [...key.map((value, i) => value & (mask[i] ?? 0)), region & of],
    mask: [...mask, of],
  }));

/** Flows of many masks, before and behind many flows of one. */
const flowsOf = fc
  .tuple(fc.array(match, { maxLength: 25 }), fc.array(match, { maxLength: 25 }), bits)
  .map(([first, last, mask]) => {
    const many = Array.from({ length: 64 }, (_, i): Match => {
      const key = [i & 15, (i >> 2) & 15, i >> 3].map((value, at) => value & (mask[at] ?? 0));
      return { key: [...key, 1], mask: [...mask, 3] };
    });
    return [...first, ...many, ...last];
  });

describe("the order of a compiled set", () => {
  test("changes what becomes of no flow", async () => {
    let changed = 0;
    await fc.assert(
      fc.asyncProperty(flowsOf, async (flows) => {
        const text = flows.map(lineOf).join("\n");
        const { order, lines, messages } = await ordered(text);
        if (order.order === "masks") changed++;
        const byLine = new Map(flows.map((flow, i) => [i + 1, flow]));
        const sent = new Map(lines.map((line) => [line, byLine.get(line) ?? NO_MATCH]));
        expect(sent.size).toBe(flows.length);
        expect([...outcomes(sent)].sort(byFirst)).toEqual([...outcomes(byLine)]);
        // Which of two flows comes first is decisive for packets, too.
        const placeOf = new Map(lines.map((line, i) => [line, i]));
        for (let a = 0; a < flows.length; a++)
          for (let b = 0; b < a; b++)
            if (overlap(flows[a] ?? NO_MATCH, flows[b] ?? NO_MATCH))
              expect(placeOf.get(b + 1)).toBeLessThan(placeOf.get(a + 1) ?? -1);
        expect([...messages].sort()).toEqual((await inText(text)).sort());
      }),
      { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 5) },
    );
    expect(changed).toBeGreaterThan(PROPERTY.numRuns / 50);
  });

  test("has flows of the mask that most share first", async () => {
    const other = (i: number): string =>
      `in_port(2),eth(),eth_type(0x0800),ipv4(src=10.0.0.1,dst=0.0.0.0/0.0.0.${i},frag=no) 1`;
    const few = Array.from({ length: 40 }, (_, i) => other(i + 1));
    const many = Array.from({ length: 400 }, (_, i) => sampleLine(i));
    const { order, lines } = await ordered([...few, ...many].join("\n"));
    expect(order).toMatchObject({ order: "masks", masks: 41, reason: "" });
    expect(order.walkedInFileOrder).toBeGreaterThan(35);
    expect(order.walked).toBeLessThan(4);
    expect(lines.slice(0, 400)).toEqual(many.map((_, i) => i + 41));
    expect(lines.slice(400)).toEqual(few.map((_, i) => i + 1));
    const best = await ordered([...many, ...few].join("\n"));
    expect([best.order.order, best.order.reason]).toEqual(["file", ""]);
  });

  test.each([
    ["modify or delete", (i: number) => `delete ${sampleLine(i)}`],
    [
      "given the same UFID",
      (i: number) => `ufid:00112233-4455-6677-8899-aabbccddeeff ${sampleLine(i)}`,
    ],
  ])("is that of the file where flows %s", async (reason, line) => {
    const few = Array.from(
      { length: 40 },
      (_, i) =>
        `in_port(2),eth(),eth_type(0x0800),ipv4(src=10.0.0.1,dst=0.0.0.0/0.0.0.${i},frag=no) 1`,
    );
    const many = Array.from({ length: 400 }, (_, i) => line(i));
    const { order, lines } = await ordered([...few, ...many].join("\n"));
    expect(order).toMatchObject({ order: "file", reason: expect.stringContaining(reason) });
    expect(lines).toEqual(Array.from({ length: 440 }, (_, i) => i + 1));
  });

  test("takes ports by name for any port", async () => {
    const few = Array.from(
      { length: 40 },
      (_, i) => `in_port(p2),eth(),eth_type(0x0800),ipv4(dst=0.0.0.0/0.0.0.${i},frag=no) p1`,
    );
    const many = Array.from({ length: 400 }, (_, i) =>
      sampleLine(i).replace("in_port(1)", "in_port(p1)"),
    );
    const text = [...few, ...many].join("\n");
    const named = await ordered(text);
    expect(named.order.reason).toContain("overlap");
    const numbered = await ordered(text.replaceAll("in_port(p", "in_port("));
    expect(numbered.order.order).toBe("masks");
    expect(numbered.messages.toSorted()).toEqual(
      (await inText(text.replaceAll("in_port(p", "in_port("))).sort(),
    );
  });
});

const NO_MATCH: Match = { key: [], mask: [] };

function byFirst(one: readonly [number, number], other: readonly [number, number]): number {
  return one[0] - other[0];
}
