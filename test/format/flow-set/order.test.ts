import { describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import { FlowSetCompiler } from "../../../src/format/flow-set/compile.ts";
import { FlowSetFeed } from "../../../src/format/flow-set/feed.ts";
import { HeldRecords } from "../../../src/format/flow-set/order.ts";
import { FlowSetWriter } from "../../../src/format/flow-set/writer.ts";
import type { FlowOrder } from "../../../src/flow/mask-order.ts";
import { Flow } from "../../../src/flow/flow.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { bytesSource } from "../../../src/format/source.ts";
import { TextFeed } from "../../../src/format/text-feed.ts";
import { PROPERTY } from "../../flow/harness.ts";
import { limit } from "../../runner/limit.ts";
import { collect, PORTS, utf8 } from "../collect.ts";
import { expectSameOutcomes, flowsOf, lineOf } from "../orders.ts";

setDefaultTimeout(limit(30));

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

describe("the order of a compiled set", () => {
  test("changes what becomes of no flow", async () => {
    let changed = 0;
    await fc.assert(
      fc.asyncProperty(flowsOf, async (flows) => {
        const text = flows.map(lineOf).join("\n");
        const { order, lines, messages } = await ordered(text);
        if (order.order === "masks") changed++;
        expectSameOutcomes(flows, lines);
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
      "two flows have the same",
      (i: number) => `ufid:00112233-4455-6677-8899-aabbccddeeff ${sampleLine(i)}`,
    ],
    // Only the first is given one, which the last has as its hash.
    [
      "two flows have the same",
      (i: number) => (i > 0 ? "" : `ufid:${Flow.parse(sampleLine(399)).ufid} `) + sampleLine(i),
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
