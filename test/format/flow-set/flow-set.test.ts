import { describe, expect, test } from "bun:test";
import { Unpackr } from "#msgpackr";
import { crc32 } from "node:zlib";
import { FlowSetFeed, type FlowSetOptions } from "../../../src/format/flow-set/feed.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { bytesSource, type ByteSource, UnreadableInputError } from "../../../src/format/source.ts";
import { TextFeed } from "../../../src/format/text-feed.ts";
import { DryRun } from "../../../src/load/dry-run.ts";
import { load as loadFeed } from "../../../src/load/load.ts";
import { Account } from "../../../src/load/account.ts";
import { factsOf, withFacts } from "./set-facts.ts";
import { Random, randomFlow } from "../../flow/rules/random.ts";
import {
  collect,
  type Collected,
  compile,
  pipeSource,
  PORTS,
  recordStarts,
  reseal,
  utf8,
} from "../collect.ts";

const KEY = "in_port(1),eth(),eth_type(0x0800),ipv4(dst=10.0.0.1,frag=no)";

/** Every verb, with a UFID and without, with names and without. */
const MIXED = [
  "# a comment",
  sampleLine(1),
  sampleLine(2),
  "",
  `add ${KEY} 3`,
  `modify ${KEY}`,
  `mod ${KEY} 2,3`,
  `delete ${KEY}`,
  `del ufid:00112233-4455-6677-8899-aabbccddeeff,${KEY}`,
  `ufid:01112233-4455-6677-8899-aabbccddeeff ${KEY} drop`,
  `ufid:02112233-4455-6677-8899-aabbccddeeff, ${KEY}, packets:1, bytes:2, used:never, actions:4`,
  sampleLine(3),
  `in_port(p1),eth(),eth_type(0x0800),ipv4(frag=no) p2`,
  `in_port(veth7),eth(),eth_type(0x86dd),ipv6(frag=no) sample(sample=50%,actions(p2,p1)),3,veth7`,
  `delete in_port(p2),eth(),eth_type(0x0800),ipv4(frag=no)`,
  `ufid:03112233-4455-6677-8899-aabbccddeeff, in_port(p2),eth(),eth_type(0x0806) p1`,
  `in_port(1),eth(),eth_type(0x0806) p1,p1`,
  sampleLine(4),
  sampleLine(5),
].join("\n");

function load(source: ByteSource, options: FlowSetOptions, capacity?: number): Promise<Collected> {
  return collect(new FlowSetFeed(source, options), capacity);
}

/** The error, and what was given out before it. */
async function failure(source: ByteSource): Promise<{ reason: string; collected: Collected }> {
  const collected: Collected = { messages: [], refusals: [] };
  try {
    await collect(new FlowSetFeed(source, { ufid: true, ports: PORTS }), 3, collected);
  } catch (error) {
    if (!(error instanceof UnreadableInputError)) throw error;
    return { reason: error.message, collected };
  }
  return { reason: "", collected };
}

const EVERY_WAY: FlowSetOptions[] = (["put", "add", "modify", "delete"] as const).flatMap((mode) =>
  [true, false].map((ufid) => ({ mode, ufid, ports: PORTS })),
);

describe("a flow set", () => {
  test("gives the messages that its text gives, whatever the load asks for", async () => {
    const { bytes, refusals } = await compile(MIXED);
    expect(refusals).toEqual([]);
    for (const options of EVERY_WAY) {
      const wanted = await collect(new TextFeed(bytesSource("text", utf8(MIXED)), options));
      expect(wanted.messages.length).toBe(17);
      for (const capacity of [1, 2, 5, 1000]) {
        expect([options, await load(bytesSource("set", bytes), options, capacity)]).toEqual([
          options,
          wanted,
        ]);
      }
      expect(await load(pipeSource(bytes, 13), options)).toEqual(wanted);
    }
  });

  test("gives the flows to the owner that the load names, whomever it was compiled for", async () => {
    for (const compiledFor of ["", "a", "b"]) {
      const { bytes } = await compile(MIXED, "text", compiledFor);
      for (const options of EVERY_WAY) {
        for (const owner of ["", "a", "controller"]) {
          const owned = { ...options, owner };
          const wanted = await collect(new TextFeed(bytesSource("text", utf8(MIXED)), owned));
          expect(await load(bytesSource("set", bytes), owned, 5)).toEqual(wanted);
        }
      }
    }
    const { bytes } = await compile(sampleLine(1), "text", "a");
    const records: unknown = new Unpackr({ useRecords: false }).unpackMultiple(bytes);
    expect(records).toMatchObject([{ 3: { owner: "a" } }, {}, {}]);
  });

  test("gives the messages of its text over many chunks", async () => {
    const lines = Array.from({ length: 5000 }, (_, i) =>
      i % 1000 === 999 ? `delete ${sampleLine(i)}` : i % 7 === 3 ? `# ${i}` : sampleLine(i),
    );
    const text = lines.join("\n");
    const { bytes } = await compile(text);
    expect(recordStarts(bytes).length).toBeGreaterThan(4);
    for (const ufid of [true, false]) {
      const wanted = await collect(new TextFeed(bytesSource("text", utf8(text)), { ufid }));
      expect(await load(bytesSource("set", bytes), { ufid })).toEqual(wanted);
      expect(await load(pipeSource(bytes, 100_000), { ufid }, 77)).toEqual(wanted);
    }
  });

  test("gives the messages of any text", async () => {
    const seed = Number(process.env["MILLRACE_PROPERTY_SEED"] ?? 7);
    const random = new Random(seed);
    const lines = Array.from({ length: 3000 }, () => randomFlow(random));
    const text = lines.join("\n");
    const { bytes, refusals } = await compile(text);
    for (const options of [{ ufid: true }, { ufid: false }, { ufid: true, owner: "a" }]) {
      const wanted = await collect(new TextFeed(bytesSource("text", utf8(text)), options));
      const found = await load(bytesSource("set", bytes), options);
      const first = wanted.messages.findIndex((message, i) => message !== found.messages[i]);
      expect([seed, lines[first], found.messages.length]).toEqual([
        seed,
        undefined,
        wanted.messages.length,
      ]);
      expect(refusals.map(({ line, code, reason }) => `${line} ${code} ${reason}`)).toEqual(
        wanted.refusals,
      );
    }
  });

  test("is the same for the same flows, byte by byte, and as the layout says", async () => {
    const text = `${sampleLine(1)}\nin_port(p1),eth(),eth_type(0x0806) p2\n`;
    const { bytes } = await compile(text);
    expect((await compile(text)).bytes).toEqual(bytes);
    // Another value wants another version of the layout, or of the hash for UFIDs.
    expect(crc32(bytes).toString(16)).toBe("54fcd1de");
    const records: unknown = new Unpackr({ useRecords: false }).unpackMultiple(bytes);
    expect(records).toMatchObject([
      [
        expect.any(Number),
        72,
        new Uint8Array(0),
        { format: "millrace flow set", version: 3 },
        expect.any(String),
      ],
      [
        expect.any(Number),
        expect.any(Number),
        expect.any(Uint8Array),
        { flows: 2, line: 1, names: ["p1", "p2"], ports: [57, 0, 71, 1] },
        expect.any(String),
      ],
      [
        expect.any(Number),
        40,
        new Uint8Array(0),
        { chunks: 1, flows: 2, lines: 2 },
        expect.any(String),
      ],
    ]);
  });

  test("may be empty", async () => {
    const { bytes } = await compile("# nothing\n\n");
    const feed = new FlowSetFeed(bytesSource("set", bytes), { ufid: true });
    expect(await collect(feed)).toEqual({ messages: [], refusals: [] });
    expect(feed.line).toBe(2);
  });

  test("leaves out what its text would have refused, and names it", async () => {
    const { bytes, refusals } = await compile(
      `${sampleLine(1)}\nnonsense\n${KEY}\n${sampleLine(2)}`,
    );
    expect(refusals.map(({ line, code }) => [line, code])).toEqual([
      [2, "FLOW_SYNTAX"],
      [3, "FLOW_SYNTAX"],
    ]);
    const { messages } = await load(bytesSource("set", bytes), { ufid: true });
    expect(messages.map((message) => message.split(" ")[0])).toEqual(["1", "4"]);
  });

  test("cannot hold a delete that names no flow", async () => {
    const { bytes, refusals } = await compile(`delete skb_mark(0/0)\n${sampleLine(1)}`);
    expect(refusals.map(({ line, code }) => [line, code])).toEqual([[1, "NO_KEY"]]);
    expect((await load(bytesSource("set", bytes), { ufid: false })).messages.length).toBe(1);
  });

  test("has no room for a UFID of fewer than 16 bytes", async () => {
    const { refusals } = await compile(`ufid:0x0a0b,${sampleLine(1)}\n${sampleLine(1)}`);
    expect(refusals.map(({ line, code }) => [line, code])).toEqual([[1, "SHORT_UFID"]]);
  });

  test("is not loaded as deletes that name no flow", async () => {
    const { bytes } = await compile(
      `${sampleLine(1)}\nskb_mark(0/0) 2\nadd skb_mark(0/0) 2\n${sampleLine(2)}`,
    );
    for (const capacity of [1, 1000]) {
      const source = bytesSource("set", bytes);
      const found = await load(source, { ufid: false, mode: "delete" }, capacity);
      expect(found.messages.map((message) => message.split(" ")[0])).toEqual(["1", "3", "4"]);
      expect(found.refusals).toEqual([
        "2 NO_KEY a delete without a key would flush: it names no flow",
      ]);
    }
    // With its UFID a flow is named.
    const named = await load(bytesSource("set", bytes), { ufid: true, mode: "delete" });
    expect([named.messages.length, named.refusals]).toEqual([4, []]);
  });

  test("refuses flows of ports that are not there, and goes on", async () => {
    const text = `${sampleLine(1)}\n${KEY} nowhere\nin_port(gone),eth(),eth_type(0x0806) p1\n${KEY} p2,nowhere\n${sampleLine(2)}`;
    const { bytes } = await compile(text);
    for (const capacity of [1, 1000]) {
      const found = await load(bytesSource("set", bytes), { ufid: true, ports: PORTS }, capacity);
      expect(found.messages.map((message) => message.split(" ")[0])).toEqual(["1", "5"]);
      expect(found.refusals).toEqual([
        '2 FLOW_SYNTAX found "nowhere", expected a port number, or the name of a port of the datapath',
        '3 FLOW_SYNTAX found "gone", expected a port number, or the name of a port of the datapath',
        '4 FLOW_SYNTAX found "nowhere", expected a port number, or the name of a port of the datapath',
      ]);
    }
  });
});

describe("a damaged flow set", () => {
  test("gives nothing where it can be checked first, whichever byte is wrong", async () => {
    const { bytes } = await compile(`${sampleLine(1)}\nin_port(p1),eth(),eth_type(0x0806) p2\n`);
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bad = bytes.slice();
        bad[at] = (bad[at] ?? 0) ^ flip;
        const { reason, collected } = await failure(bytesSource("set", bad));
        expect([at, flip, collected.messages, reason === ""]).toEqual([at, flip, [], false]);
      }
    }
  });

  test("gives only what comes before the damage where it is a pipe", async () => {
    const { bytes } = await compile(
      Array.from({ length: 10_000 }, (_, i) => sampleLine(i)).join("\n"),
    );
    const whole = await load(bytesSource("set", bytes), { ufid: true });
    const [, first = 0, second = 0, third = 0] = recordStarts(bytes);
    expect(third).toBeGreaterThan(second);
    for (const at of [first + 3, first + 5000, second + 3, second + 7, second + 9000, third - 3]) {
      const bad = bytes.slice();
      bad[at] = (bad[at] ?? 0) ^ 0x10;
      const { reason, collected } = await failure(pipeSource(bad, 50_000));
      const chunk = at < second ? 1 : 2;
      expect(reason).toStartWith(
        `cannot read pipe: chunk ${chunk}, at byte ${chunk === 1 ? first : second} is damaged`,
      );
      expect(collected.messages).toEqual(
        whole.messages.slice(0, chunk === 1 ? 0 : collected.messages.length),
      );
      expect(collected.messages.length).toBe(chunk === 1 ? 0 : 4096);
    }
  });

  test("ends a load with an account of what came before", async () => {
    const text = Array.from({ length: 10_000 }, (_, i) => sampleLine(i)).join("\n");
    const { bytes } = await compile(text);
    const [, first = 0, second = 0] = recordStarts(bytes);
    const bad = (at: number): FlowSetFeed => {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      return new FlowSetFeed(pipeSource(damaged, 50_000), { ufid: true });
    };
    const report = await loadFeed(bad(second + 100), new DryRun(new Account()));
    expect(report).toMatchObject({ encoded: 4096, lines: 4096, ended: "unreadable" });
    expect(report.endReason).toContain("chunk 2");
    const none = loadFeed(bad(first + 100), new DryRun(new Account()));
    const reason = await none.then(
      () => "",
      (error: Error) => error.message,
    );
    expect(reason).toContain("chunk 1");
  });

  test("is noticed wherever it was cut off", async () => {
    const { bytes } = await compile(`${sampleLine(1)}\n${sampleLine(2)}\n`);
    for (let length = 0; length < bytes.length; length++) {
      const cut = bytes.slice(0, length);
      const checked = await failure(bytesSource("set", cut));
      expect([length, checked.collected.messages]).toEqual([length, []]);
      const why = length === 0 ? "it is empty" : "it was cut off";
      expect(checked.reason).toStartWith(`cannot read set: ${why}`);
      expect((await failure(pipeSource(cut))).reason).toStartWith(`cannot read pipe: ${why}`);
    }
  });

  test("is noticed where chunks are missing, or swapped, or more follows", async () => {
    const { bytes } = await compile(
      Array.from({ length: 10_000 }, (_, i) => sampleLine(i)).join("\n"),
    );
    const starts = recordStarts(bytes);
    const records = starts.slice(0, -1).map((start, i) => bytes.subarray(start, starts[i + 1]));
    const [header, one, two, three, end] = records;
    expect(records.length).toBe(5);
    const join = (...parts: (Uint8Array | undefined)[]): Uint8Array =>
      new Uint8Array(Buffer.concat(parts.map((part) => part ?? new Uint8Array(0))));
    for (const bad of [
      join(header, one, three, end),
      join(header, two, one, three, end),
      join(header, one, one, two, three, end),
      join(header, one, two, end),
      join(header, one, two, three),
      join(header, one, two, three, end, utf8("x")),
      join(header, one, two, three, end, end),
      join(header, one, two, three, end, header, one, two, three, end),
      join(one, two, three, end),
    ]) {
      const { reason, collected } = await failure(bytesSource("set", bad));
      expect(reason).toStartWith("cannot read set: ");
      expect(collected.messages).toEqual([]);
    }
  });

  test("is noticed where what it says of itself is not so, be its checksums right", async () => {
    const { bytes } = await compile(
      Array.from({ length: 5000 }, (_, i) => sampleLine(i)).join("\n"),
    );
    const facts = factsOf(bytes);
    expect(facts.slice(1)).toEqual([
      { flows: 4096, line: 1 },
      { flows: 904, line: 4097 },
      { chunks: 2, flows: 5000, lines: 5000 },
    ]);
    const [header = {}, one = {}, two = {}, end = {}] = facts;
    const whole = await load(bytesSource("set", withFacts(bytes, facts)), { ufid: true });
    expect(whole.messages.length).toBe(5000);
    const order = /is not what a flow set has there$/;
    for (const bad of [
      // Totals.
      [header, one, two, { ...end, flows: 4999 }],
      [header, one, two, { ...end, flows: 5001 }],
      [header, one, two, { ...end, chunks: 1 }],
      [header, one, two, { ...end, chunks: 3 }],
      [header, { ...one, flows: 4095 }, two, end],
      [header, { ...one, flows: 4097 }, two, { ...end, flows: 5001 }],
      // The second chunk begins at or before the last line of the first one.
      [header, one, { ...two, line: 4096 }, end],
      [header, one, { ...two, line: 1 }, end],
    ]) {
      const { reason, collected } = await failure(bytesSource("set", withFacts(bytes, bad)));
      expect(reason).toMatch(order);
      expect(collected.messages).toEqual([]);
    }
  });

  test("of another version, or for another byte order, is said to be so", async () => {
    const { bytes } = await compile(sampleLine(1));
    const version = Buffer.from(bytes).indexOf("version") + 7;
    const other = bytes.slice();
    other[version] = 4;
    reseal(other);
    expect((await failure(bytesSource("set", other))).reason).toBe(
      "cannot read set: it is a flow set of version 4, and this millrace reads version 3: compile it again",
    );
    const big = new Uint8Array(
      Buffer.from(bytes.toHex().replace("6c6974746c65", "626967202020"), "hex"),
    );
    reseal(big);
    expect((await failure(bytesSource("set", big))).reason).toContain("-endian machines");
    expect((await failure(bytesSource("set", utf8("in_port(1)".repeat(10))))).reason).toBe(
      "cannot read set: it is not a flow set, or its header is damaged",
    );
  });
});
