import { describe, expect, test } from "bun:test";
import { sampleLine } from "../../src/format/sample.ts";
import { openFeed } from "../../src/format/open-feed.ts";
import { bytesSource, type ByteSource, streamSource } from "../../src/format/source.ts";
import { DryRun } from "../../src/load/dry-run.ts";
import { load } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import type { FlowException } from "../../src/load/outcome.ts";

const UDP_MISSING = "in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no) 2";
const ARP = "in_port(1),eth(),eth_type(0x0806),arp()";

/** Every exception of a dry run, in the order reported. */
async function told(source: ByteSource): Promise<FlowException[]> {
  const found: FlowException[] = [];
  const sink = new DryRun(new Account((exception) => found.push(exception)));
  const report = await load(openFeed({ source, format: "auto" }, { ufid: true }), sink);
  expect(report.errors).toEqual(found.slice(0, 100));
  expect(report.refused).toBe(found.length);
  return found;
}

function linesOf(lines: readonly string[], newline = "\n"): ByteSource {
  return bytesSource("test", new TextEncoder().encode(lines.join(newline)));
}

describe("refused lines", () => {
  test("are told in their order, whatever they are refused for", async () => {
    const kinds = [sampleLine(1), "nonsense", UDP_MISSING, `${ARP} drop(0),2`, "", "# why"];
    const lines = Array.from({ length: 6000 }, (_, i) => kinds[(i * 7) % kinds.length] ?? "");
    const wrong = lines.flatMap((line, i) =>
      kinds.indexOf(line) % 6 > 0 && kinds.indexOf(line) < 4 ? [i + 1] : [],
    );
    const pipe = new Blob([lines.join("\n")]).stream();
    for (const input of [linesOf(lines), streamSource("pipe", () => pipe)]) {
      expect((await told(input)).map(({ line }) => line)).toEqual(wrong);
    }
  });

  test("are told while their batch is not full, so that they take no room", async () => {
    let heard = 0;
    const account = new Account(() => heard++);
    const text = new TextEncoder().encode(`${sampleLine(1)}\n${"nonsense\n".repeat(20_000)}`);
    const bytes = bytesSource("test", text);
    let given = 0;
    let waiting = 0;
    const watched: ByteSource = {
      name: "test",
      size: undefined,
      read: (buffer, offset) => {
        waiting = Math.max(waiting, given / "nonsense\n".length - heard);
        const count = bytes.read(buffer.subarray(0, offset + 5000), offset);
        if (typeof count === "number") given += count;
        return count;
      },
      close: () => undefined,
    };
    const feed = openFeed({ source: watched, format: "text" }, { ufid: true });
    expect(await load(feed, new DryRun(account))).toMatchObject({
      encoded: 1,
      refused: 20_000,
    });
    expect(waiting).toBeGreaterThan(0);
    expect(waiting).toBeLessThan(2000);
  });
});

describe("a rule's refusal", () => {
  const cases: [line: string, at: string][] = [
    [UDP_MISSING, "proto=17"],
    ["in_port(1),eth(),eth_type(0x0800) 2", "eth_type(0x0800)"],
    ["in_port(1),eth(),eth_type(0x0800),ipv4(proto=6),tcp(src=1) 2", "tcp(src=1)"],
    ["eth(),eth_type(0x0806),arp(),udp(src=1) 2", "udp(src=1)"],
    [`  add ${ARP}  2,drop(0),3   # why not`, "drop(0),3"],
    [`${ARP} drop(0),2`, "drop(0),2"],
    [`${ARP} 1,push_vlan(vid=1,pcp=0) push_vlan(vid=2,pcp=0,cfi=0)`, "push_vlan(vid=2"],
    [`${ARP}, packets:1, bytes:4, used:never, actions:1,drop(3),1`, "drop(3),1"],
    [
      `ufid:01112233-4455-6677-8899-aabbccddeeff, ${ARP}, packets:1, actions:trunc(1),1`,
      "trunc(1)",
    ],
    [`${ARP} 1,clone(2 pop_eth,push_vlan(vid=1,pcp=0))`, "push_vlan(vid=1"],
    [`${ARP} sample(sample=50%,actions(drop,drop(1),2))`, "drop,drop(1)"],
    [`${ARP} check_pkt_len(size=9,gt(1,trunc(2)),le(trunc(20),trunc(3)))`, "trunc(3)"],
    [`${ARP} check_pkt_len(size=9,gt(1,trunc(2)),le(trunc(20)))`, "trunc(2)"],
    [
      `${ARP} clone(1),clone(clone(1),sample(sample=1%,actions(dec_ttl(le_1(2,trunc(4))))))`,
      "trunc(4)",
    ],
    [`{"key":{"eth":{},"eth_type":"0x0800", "ipv4":{"proto":17}},"actions":[]}`, "17}"],
    [
      `{"key":{"eth":{},"eth_type":"0x0806","arp":{}},"actions":[{"clone":[{"output":1},{"trunc":3}]}]}`,
      '{"trunc":3}',
    ],
    [
      `{"key":{"eth":{},"eth_type":"0x0806","arp":{}},"actions":[{"trunc":20},{"sample":{"sample":1,"actions":[{"trunc":3}]}}]}`,
      '{"trunc":3}',
    ],
  ];
  test.each(cases)("of %s is at its place", async (line, at) => {
    for (const newline of ["\n", "\r\n"]) {
      const json = line.startsWith("{");
      const before = json ? '{"key":{"eth":{}},"actions":[]}' : "eth() 2";
      const [found] = await told(linesOf([before, line, before], newline));
      expect(found).toMatchObject({ line: 2, code: "FLOW_REFUSED", text: line });
      expect(line.slice((found?.column ?? 0) - 1)).toStartWith(at);
      expect(found?.caret).toBe((found?.column ?? 0) - 1);
    }
  });

  test("counts the column in bytes, and its caret in characters", async () => {
    const line = `{"flags":"ö漢","key":{"eth":{},"eth_type":"0x0806","arp":{}},"actions":[{"trunc":3}]}`;
    const [found] = await told(linesOf([line]));
    expect(found).toMatchObject({ text: line, caret: line.indexOf('{"trunc"') });
    expect(found?.column).toBe(line.indexOf('{"trunc"') + 4);
  });

  test("quotes its line, however far the input has been read by then", async () => {
    // A batch is longer than the buffer for lines; overlong lines are in between.
    const lines = Array.from({ length: 4000 }, (_, i) => {
      if (i % 1999 === 7) return `# ${"long ".repeat(250_000)}`;
      return i % 3 === 0 ? `${UDP_MISSING},${i} # ${"x".repeat(600)}` : sampleLine(i);
    });
    const pipe = new Blob([lines.join("\n")]).stream();
    for (const input of [linesOf(lines), streamSource("pipe", () => pipe)]) {
      const found = (await told(input)).filter(({ code }) => code === "FLOW_REFUSED");
      expect(found.length).toBeGreaterThan(1300);
      for (const { line, text } of found) expect(text).toBe(lines[line - 1] ?? "");
    }
  });

  test("shows the flow where the input has gone on too far for its line", async () => {
    const comments = "# a comment\n".repeat(300_000);
    const text = new TextEncoder().encode(`${UDP_MISSING}\n${comments}`);
    const [found] = await told(streamSource("pipe", () => new Blob([text]).stream()));
    expect(found).toMatchObject({ line: 1, column: 1 });
    expect(found?.text.slice(found.caret)).toStartWith("proto=17,frag=no), actions:2");
    // An input that can be read once more is.
    const [again] = await told(linesOf([UDP_MISSING, comments]));
    expect(again?.text).toBe(UDP_MISSING);
  });
});
