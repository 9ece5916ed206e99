import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { Flow } from "../../src/flow/flow.ts";
import { lineToFlowJson } from "../../src/flow/json.ts";
import type { FlowOrder } from "../../src/flow/mask-order.ts";
import type { FlowFeed } from "../../src/format/feed.ts";
import { openFeed } from "../../src/format/open-feed.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { bytesSource, type ByteSource, fileSource } from "../../src/format/source.ts";
import { PROPERTY } from "../flow/harness.ts";
import { limit } from "../runner/limit.ts";
import { type Collected, collect, compile, pipeSource, PORTS, utf8 } from "./collect.ts";
import { expectSameOutcomes, flowsOf, lineOf } from "./orders.ts";

setDefaultTimeout(limit(30));

const folder = mkdtempSync(join(tmpdir(), "millrace-test-"));
afterAll(() => rmSync(folder, { recursive: true }));

type Read = Collected & {
  readonly order: FlowOrder | undefined;
  readonly lines: number[];
  readonly taken: number;
};

function open(source: ByteSource, order: "file" | "fast"): FlowFeed {
  return openFeed({ source, format: "auto" }, { ufid: true, ports: PORTS, order });
}

async function read(source: ByteSource, order: "file" | "fast" = "fast"): Promise<Read> {
  const feed = open(source, order);
  const found = await collect(feed, 100);
  const lines = found.messages.map((message) => Number(message.split(" ")[0]));
  return { ...found, order: feed.order, lines, taken: feed.line };
}

const inMemory = (text: string): ByteSource => bytesSource("text", utf8(text));

/** Flow `i` of those that have a mask each, and overlap none of the sample. */
const other = (i: number): string =>
  `in_port(2),eth(),eth_type(0x0800),ipv4(src=10.0.0.1,dst=0.0.0.0/0.0.0.${i},frag=no) 1`;
const FEW = Array.from({ length: 40 }, (_, i) => other(i + 1));
const MANY = Array.from({ length: 400 }, (_, i) => sampleLine(i));

describe("flows in the order that loads fastest", () => {
  test("are those of the file, each once, and the same becomes of each", async () => {
    let changed = 0;
    await fc.assert(
      fc.asyncProperty(flowsOf, async (flows) => {
        const text = flows.map(lineOf).join("\n");
        const { order, lines, messages } = await read(inMemory(text));
        if (order?.order === "masks") changed++;
        expectSameOutcomes(flows, lines);
        const plain = await read(inMemory(text), "file");
        expect(plain.order).toBeUndefined();
        expect(messages.toSorted()).toEqual(plain.messages.toSorted());
      }),
      { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 5) },
    );
    expect(changed).toBeGreaterThan(PROPERTY.numRuns / 50);
  });

  test("are read by any piece of memory, from a file of any ends of lines", async () => {
    const piece = fc.constantFrom(
      "",
      "# a comment",
      "nonsense",
      // Neither begins the file, whichever line is read first.
      "\uFEFFnonsense",
      `# ${"x".repeat(8192)}\n\0`,
      ...FEW.slice(0, 8),
      ...MANY.slice(0, 8),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 20 }),
        fc.constantFrom("\n", "\r\n"),
        fc.constantFrom("", "\uFEFF"),
        fc.boolean(),
        async (some, end, mark, ended) => {
          const all = [...some, ...FEW, "# between", ...some, ...MANY];
          const text = `${mark}${all.join(end)}${ended ? end : ""}`;
          const path = join(folder, "any.txt");
          writeFileSync(path, text);
          const fast = await read(fileSource(path));
          const plain = await read(inMemory(text), "file");
          expect(fast.order?.order).toBe("masks");
          expect(fast.messages.toSorted()).toEqual(plain.messages.toSorted());
          expect(fast.refusals).toEqual(plain.refusals);
          expect(fast.taken).toBe(plain.taken);
        },
      ),
      { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 10) },
    );
  });

  test("have those of the mask that most share first, in text and in JSON", async () => {
    const text = [...FEW, ...MANY];
    for (const lines of [text, text.map((line) => JSON.stringify(lineToFlowJson(line)))]) {
      const found = await read(inMemory(lines.join("\n")));
      expect(found.order).toMatchObject({ order: "masks", masks: 41, reason: "" });
      expect(found.order?.walkedInFileOrder).toBeGreaterThan(35);
      expect(found.order?.walked).toBeLessThan(4);
      expect(found.lines.slice(0, 400)).toEqual(MANY.map((_, i) => i + 41));
      expect(found.lines.slice(400)).toEqual(FEW.map((_, i) => i + 1));
    }
  });

  test("come after what is no flow, which is told with its own line", async () => {
    const text = ["# FEW", ...FEW, "nonsense", "", ...MANY, "in_port(1"].join("\n");
    const found = await read(inMemory(text));
    expect(found.refusals.map((refusal) => refusal.split(" ")[0])).toEqual(["42", "444"]);
    expect(found.lines.slice(0, 2)).toEqual([44, 45]);
    expect(found.taken).toBe(444);
    const feed = open(inMemory(text), "fast");
    await collect(feed);
    expect(new TextDecoder().decode(feed.lineText?.(42))).toBe("nonsense");
    expect(new TextDecoder().decode(feed.lineText?.(2))).toBe(FEW[0] ?? "");
  });

  test.each([
    ["modify or delete", MANY.map((line) => `delete ${line.replace(/ 2$/, "")}`)],
    [
      "two flows have the same",
      MANY.map((line) => `ufid:00112233-4455-6677-8899-aabbccddeeff ${line}`),
    ],
    // Only the first is given one, which the last has as its hash.
    [
      "two flows have the same",
      MANY.map((line, i) => (i > 0 ? line : `ufid:${Flow.parse(MANY.at(-1) ?? "").ufid} ${line}`)),
    ],
    ["too long", [...MANY, `# ${"x".repeat(2 << 20)}`]],
  ])("keep the order of the file where they are %s", async (reason, many) => {
    const { order, lines } = await read(inMemory([...FEW, ...many].join("\n")));
    expect(order).toMatchObject({ order: "file", reason: expect.stringContaining(reason) });
    expect(lines).toEqual(Array.from({ length: 440 }, (_, i) => i + 1));
  });

  test("keep the order of an input that is read once, and of a flow set", async () => {
    const text = [...FEW, ...MANY].join("\n");
    const pipe = await read(pipeSource(utf8(text)));
    expect(pipe.order).toMatchObject({ order: "file", masks: null });
    expect(pipe.order?.reason).toContain("read twice");
    const { bytes } = await compile(text);
    const set = await read(bytesSource("set", bytes));
    expect(set.order?.reason).toContain("a flow set");
    for (const { lines } of [pipe, set]) expect(lines[0]).toBe(1);
  });

  test("of a file that changes while it is read are not sent", async () => {
    const path = join(folder, "changing.txt");
    writeFileSync(path, [...FEW, ...MANY].join("\n"));
    const feed = open(fileSource(path), "fast");
    // The first reading ends when all lines were looked at.
    expect(feed.fill()).toBe(true);
    utimesSync(path, 1, 1);
    const filled = async (): Promise<void> => {
      while (await feed.fill());
    };
    expect(await filled().catch(String)).toContain("it was changed while it was read");
    feed.close();
  });
});
