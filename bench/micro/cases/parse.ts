import { Flow } from "../../../src/flow/flow.ts";
import { FlowLineEncoder, type FlowLineOptions } from "../../../src/flow/line.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { Arena, type MicroCase } from "./case.ts";

// Text to netlink bytes, by form of the lines.

const NEWLINE = 10;

/** Lines of common forms, `count` of each. */
function forms(count: number): readonly (readonly [string, (i: number) => string])[] {
  const port = (i: number): number => i % 60_000;
  const ip = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;
  const flows = Array.from({ length: Math.min(count, 64) }, (_, i) => Flow.parse(sampleLine(i)));
  return [
    ["sample", (i) => sampleLine(i * 7919)],
    ["dump", (i) => flows[i % flows.length]?.toString({ verbose: true, statistics: true }) ?? ""],
    ["delete", (i) => `delete ${sampleLine(i * 7919)}`],
    [
      "VLAN",
      (i) =>
        `in_port(1),eth(),eth_type(0x8100),vlan(vid=${i % 4096},pcp=${i % 8}),` +
        `encap(eth_type(0x0800),ipv4(src=${ip(i)})) 2`,
    ],
    [
      "tunnel",
      (i) =>
        `tunnel(tun_id=0x${(i + 1).toString(16)},src=${ip(i + 1)},dst=10.0.0.2,ttl=64,flags(df|key)),` +
        `in_port(3),eth(dst=02:00:00:00:00:02),eth_type(0x0800),ipv4(dst=${ip(i)}) ${port(i) % 9}`,
    ],
    ["ports", (i) => sampleLine(i * 7919).replace(/ 2$/, ` ${port(i)},${port(i + 1)},${i % 7}`)],
    [
      "twelve forms of",
      (i) =>
        sampleLine(i * 7919).replace("tos=0", `tos=${i % 12}/0x${((i % 12) + 3).toString(16)}`),
    ],
  ];
}

const OPTIONS: readonly (readonly [string, FlowLineOptions])[] = [
  ["UFID", { ufid: true }],
  ["no UFID", { ufid: false }],
];

/** Cases of text to netlink bytes: lines that share a shape, and lines parsed individually. */
export function parseCases(count: number): MicroCase[] {
  const cases: MicroCase[] = [];
  for (const [form, line] of forms(count)) {
    const text = Array.from({ length: count }, (_, i) => `${line(i)}\n`).join("");
    const bytes = new TextEncoder().encode(text);
    for (const [name, options] of OPTIONS) {
      cases.push(parseCase(`${form} lines, ${name}`, bytes, count, options));
      if (form !== "sample") continue;
      const alone = { ...options, shapes: false };
      cases.push(parseCase(`${form} lines, ${name}, each on its own`, bytes, count, alone));
    }
  }
  return cases;
}

function parseCase(
  name: string,
  text: Uint8Array,
  count: number,
  options: FlowLineOptions,
): MicroCase {
  const encoder = new FlowLineEncoder(options);
  const arena = new Arena();
  const run = (): number => {
    let start = 0;
    let line = 0;
    for (;;) {
      const end = text.indexOf(NEWLINE, start);
      if (end < 0) return arena.take();
      encoder.encode(text, start, end, ++line, arena.writer);
      arena.next();
      start = end + 1;
    }
  };
  return { group: "parse and encode", name, unit: "flow", count, run };
}
