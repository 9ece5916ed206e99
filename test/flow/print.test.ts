import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { ACTION_WORDS } from "../../src/flow/action/table.ts";
import { Flow } from "../../src/flow/flow.ts";
import { flowJsonToLine, lineToFlowJson } from "../../src/flow/json.ts";
import { KeyRecord } from "../../src/flow/key/record.ts";
import type { FlowParts } from "../../src/flow/parts.ts";
import { type FlowPrintStyle, printFlow } from "../../src/flow/print.ts";
import { TextSink } from "../../src/flow/text/sink.ts";
import { flowOf } from "./dumped-flow.ts";
import { keyOf, normalized, PROPERTY, textOf, ufidOf } from "./harness.ts";

function printed(flow: FlowParts, style: Partial<FlowPrintStyle> = {}): string {
  const sink = new TextSink();
  const whole = { verbose: false, statistics: true, ...style };
  expect(printFlow(flow, new KeyRecord(), sink, whole, 10_000)).toBe(true);
  return sink.toString();
}

const LINE = "in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.1,frag=no) 2";
const KEY = "in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.1,frag=no)";

describe("a line of a dump", () => {
  test("of a flow that was never used", () => {
    expect(printed(flowOf(LINE))).toBe(`${KEY}, packets:0, bytes:0, used:never, actions:2`);
  });

  test("with its use and TCP flags", () => {
    const flow = flowOf(LINE, { packets: 12, byteCount: 2 ** 40, usedMs: 8995, tcpFlags: 0x1a });
    expect(printed(flow)).toBe(
      `${KEY}, packets:12, bytes:1099511627776, used:1.005s, flags:SP., actions:2`,
    );
    expect(printed({ ...flow, usedMs: 9998, tcpFlags: 0 })).toContain("used:0.002s");
    expect(printed({ ...flow, usedMs: 10_500 })).toContain("used:0.000s");
    expect(printed({ ...flow, tcpFlags: 0x03 })).toContain("flags:SF,");
    expect(printed({ ...flow, tcpFlags: 0xff })).toContain("flags:SFPRU.EC,");
  });

  test("without statistics", () => {
    expect(printed(flowOf(LINE), { statistics: false })).toBe(`${KEY}, actions:2`);
  });

  test("in the style of -m", () => {
    const text = printed(flowOf(`ufid:01020304-0506-0708-090a-0b0c0d0e0f10 ${LINE}`), {
      verbose: true,
    });
    expect(text).toBe(
      "ufid:01020304-0506-0708-090a-0b0c0d0e0f10, in_port(1)," +
        "eth(src=00:00:00:00:00:00/00:00:00:00:00:00,dst=00:00:00:00:00:00/00:00:00:00:00:00)," +
        "eth_type(0x0800),ipv4(src=10.0.0.1,dst=0.0.0.0/0.0.0.0,proto=0/0,tos=0/0,ttl=0/0,frag=no)," +
        " packets:0, bytes:0, used:never, dp:ovs, actions:2",
    );
  });

  test("with what OVS has no name for, wildcarded or not", () => {
    const line = "in_port(1),eth(),eth_type(0x86dd),ipv6(frag=no),key32(00 00/00 00)";
    const record = new KeyRecord();
    const text = textOf(normalized(keyOf(line, record)));
    expect(text).toBe("in_port(1),eth(),eth_type(0x86dd),ipv6(frag=no)");
    expect(textOf(keyOf(line))).toBe(line);
    expect(ufidOf(normalized(keyOf(line)))).toBe(ufidOf(normalized(keyOf(text))));
  });

  test("with the names of ports", () => {
    const ports = {
      numberOf: (): undefined => undefined,
      nameOf: (number: number): string | undefined => (number === 1 ? "eth0" : undefined),
    };
    expect(printed(flowOf("in_port(1),eth() 1,2"), { ports, statistics: false })).toBe(
      "in_port(eth0),eth(), actions:eth0,2",
    );
  });

  test.each([
    // Numbers, and what ends a name, a flow or a line.
    "7",
    "08",
    "0x7",
    "a)b",
    "a(b",
    "a,b",
    "a#b",
    "a:b",
    "a b",
    "a\u0001",
    "a\ufffdb",
  ])("a port called %j is printed by its number", (name) => {
    const ports = {
      numberOf: (asked: string): number | undefined => (asked === name ? 3 : undefined),
      nameOf: (number: number): string | undefined => (number === 3 ? name : undefined),
    };
    const flow = flowOf("in_port(3),eth() 3,userspace(pid=1,no_userdata,tunnel_out_port=3)");
    expect(printed(flow, { ports, statistics: false })).toBe(
      "in_port(3),eth(), actions:3,userspace(pid=1,no_userdata,tunnel_out_port=3)",
    );
  });

  test("is not made of a flow without actions, or of bytes that are none", () => {
    const sink = new TextSink();
    const style = { verbose: false, statistics: true };
    const flow = flowOf(LINE);
    expect(
      printFlow({ ...flow, actions: { start: -1, end: -1 } }, new KeyRecord(), sink, style, 0),
    ).toBe(false);
    const broken = { ...flow, bytes: flow.bytes.slice() };
    broken.bytes.fill(0xff, flow.key.start, flow.key.end);
    expect(printFlow(broken, new KeyRecord(), sink, style, 0)).toBe(false);
    expect(sink.length).toBe(0);
  });
});

test("whatever a port is called, what is printed reads back to it, in text and in JSON", () => {
  const text = fc.stringMatching(/^[^\s/]{1,15}$/u);
  fc.assert(
    fc.property(text, fc.constantFrom(...ACTION_WORDS.words, "tnl_pop"), (name, word) => {
      const numbers = new Map([
        [name, 1],
        [word, 2],
      ]);
      const ports = {
        numberOf: (asked: string): number | undefined => numbers.get(asked),
        nameOf: (number: number): string | undefined => [name, word][number - 1],
      };
      const line = "in_port(1),eth() 1,2,output(1)";
      const flow = Flow.parse(line);
      const again = flow.toString({ ports });
      expect(Flow.parse(again, { ports }).toString()).toBe(flow.toString());
      const json = flowJsonToLine(lineToFlowJson(again));
      expect(Flow.parse(json, { ports }).toString()).toBe(flow.toString());
    }),
    PROPERTY,
  );
});

test("every line of a dump loads again to the same flow, in each style", () => {
  const corpus = readFileSync(join(import.meta.dir, "corpus/keys.txt"), "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  for (const line of corpus) {
    const key = line
      .split(" => ")[0]
      ?.replaceAll(/[ \t]/g, (blank) => (line.includes("key") ? blank : ""));
    // A line of a dump: what a kernel wants beside the key is there.
    const flow = flowOf(`${key}, actions:2`);
    for (const verbose of [false, true]) {
      for (const statistics of [false, true]) {
        const text = printed(flow, { verbose, statistics });
        // Nothing is left of a header alone that no type asks for: no kernel takes that.
        if (text.startsWith(", ")) continue;
        expect(Buffer.from(flowOf(text).bytes).toString("hex")).toBe(
          Buffer.from(flow.bytes).toString("hex"),
        );
      }
    }
  }
});
