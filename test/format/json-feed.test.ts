import { describe, expect, test } from "bun:test";
import { lineToFlowJson } from "../../src/flow/json.ts";
import { Flow } from "../../src/flow/flow.ts";
import { detect, formatOf } from "../../src/format/detect.ts";
import { openFeed } from "../../src/format/open-feed.ts";
import { FlowSetFeed } from "../../src/format/flow-set/feed.ts";
import { jsonFeed } from "../../src/format/json-feed.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { bytesSource } from "../../src/format/source.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import { collect, compile, pipeSource, PORTS, utf8 } from "./collect.ts";

const LINES = [
  sampleLine(1),
  `add ${sampleLine(2)}`,
  `delete ${sampleLine(3)}`,
  `ufid:00112233-4455-6677-8899-aabbccddeeff,${sampleLine(4)}`,
  "in_port(p1),eth(),eth_type(0x0800),ipv4(frag=no) ct(commit,zone=5),p2",
  "in_port(1),eth(),eth_type(0x8847),mpls(label=1,tc=0,ttl=64,bos=1) drop",
];
const JSON_LINES = LINES.map((line) => `${JSON.stringify(lineToFlowJson(line))}\n`).join("");
const OPTIONS = { ufid: true, ports: PORTS };

describe("JSON lines", () => {
  test("give the messages that their text gives, read at once, piece by piece, or compiled", async () => {
    const text = bytesSource("text", utf8(LINES.join("\n")));
    const wanted = await collect(new TextFeed(text, OPTIONS));
    expect([wanted.messages.length, wanted.refusals]).toEqual([6, []]);
    const json = utf8(JSON_LINES);
    expect(await collect(jsonFeed(bytesSource("json", json), OPTIONS), 2)).toEqual(wanted);
    expect(await collect(jsonFeed(pipeSource(json, 7), OPTIONS))).toEqual(wanted);
    const { bytes, refusals } = await compile(JSON_LINES, "jsonl");
    expect(refusals).toEqual([]);
    expect(await collect(new FlowSetFeed(bytesSource("set", bytes), OPTIONS))).toEqual(wanted);
  });

  test("that are wrong are refused with their line and the path in them, and the rest goes on", async () => {
    const good = JSON.stringify(lineToFlowJson(sampleLine(1)));
    const lines = [
      good,
      "",
      "{ no JSON",
      '{"key":{"in_port":1,"eth":{},"eth_type":"0x0800","ipv4":{"ttl":256}},"actions":[]}',
      '{"key":{"in_port":1},"actions":[{"output":1},{"push_vlan":{"vid":"x"}}]}',
      "[]",
      good,
    ];
    const { messages, refusals } = await collect(
      jsonFeed(bytesSource("json", utf8(lines.join("\n"))), OPTIONS),
    );
    expect(messages.map((message) => message.split(" ")[0])).toEqual(["1", "7"]);
    expect(refusals.map((refusal) => refusal.slice(0, 11))).toEqual([
      "3 FLOW_JSON",
      "4 FLOW_JSON",
      "5 FLOW_JSON",
      "6 FLOW_JSON",
    ]);
    expect(refusals[0]).toContain("invalid JSON");
    expect(refusals[1]).toContain(".key.ipv4.ttl");
    expect(refusals[2]).toContain(".actions[1].push_vlan.vid");
  });

  test("of a dump are flows again", async () => {
    const flow = Flow.parse(sampleLine(9));
    const line = JSON.stringify(lineToFlowJson(flow.toString({ verbose: true, statistics: true })));
    const { messages } = await collect(jsonFeed(bytesSource("json", utf8(line)), OPTIONS));
    const wanted = await collect(new TextFeed(bytesSource("text", utf8(sampleLine(9))), OPTIONS));
    expect(messages).toEqual(wanted.messages);
  });
});

describe("the format of an input", () => {
  test("is told by its first bytes", async () => {
    const set = (await compile(sampleLine(1))).bytes;
    const damaged = set.slice();
    damaged[0] = 0;
    expect(formatOf(damaged)).toBe("msgpack");
    for (const [bytes, format] of [
      [set, "msgpack"],
      [utf8(JSON_LINES), "jsonl"],
      [utf8(`\n \t\r\n${JSON_LINES}`), "jsonl"],
      [utf8(`\ufeff${JSON_LINES}`), "jsonl"],
      [utf8("# a comment {\n"), "text"],
      [utf8(`\ufeff${sampleLine(1)}`), "text"],
      [utf8(""), "text"],
      [utf8("{"), "jsonl"],
      [utf8("a"), "text"],
    ] as const) {
      expect(formatOf(bytes)).toBe(format);
      for (const source of [bytesSource("it", bytes), pipeSource(bytes, 1), pipeSource(bytes)]) {
        const found = await detect(source);
        expect([Buffer.from(bytes.subarray(0, 20)).toString(), found.format]).toEqual([
          Buffer.from(bytes.subarray(0, 20)).toString(),
          format,
        ]);
      }
    }
  });

  test("takes nothing away from the input", async () => {
    const text = Array.from({ length: 300 }, (_, i) => sampleLine(i)).join("\n");
    const wanted = await collect(new TextFeed(bytesSource("text", utf8(text)), OPTIONS));
    const { bytes } = await compile(text);
    for (const input of [utf8(text), bytes]) {
      for (const source of [
        bytesSource("it", input),
        pipeSource(input, 1),
        pipeSource(input, 4096),
        pipeSource(input, 1e6),
      ]) {
        expect(await collect(openFeed(await detect(source), OPTIONS))).toEqual(wanted);
      }
    }
  });
});
