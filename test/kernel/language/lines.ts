import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const CORPUS = join(import.meta.dir, "../../flow/corpus");
const CONFORMANCE = join(import.meta.dir, "../../../../shared/conformance");

/** A line of a corpus, and the whole flows that are made of it: a kernel takes some of these. */
type SourceLine = { readonly source: string; readonly flows: readonly string[] };

/** What has to stand before and after a key for a kernel to take it. */
const AROUND_KEY: readonly (readonly [string, string])[] = [
  ["", ""],
  ["in_port(1),eth(),", ""],
  ["", ",eth()"],
  ["", ",eth(),eth_type(0x0800),ipv4(proto=0)"],
  ["", ",eth(),eth_type(0x86dd),ipv6(proto=0)"],
  ["", ",ipv4(proto=0)"],
  ["eth(),eth_type(0x0800),", ""],
  ["eth(),eth_type(0x86dd),", ""],
  ["eth(),eth_type(0x86dd),", ",icmpv6()"],
  ["eth(),eth_type(0x0800),", ",udp()"],
  ["eth(),eth_type(0x0806),", ""],
  ["eth(),eth_type(0x8847),", ""],
  ["eth(),eth_type(0x894f),", ""],
  ["eth(),eth_type(0x0800),ipv4(proto=6),", ""],
  ["eth(),eth_type(0x0800),ipv4(proto=6),tcp(),", ""],
  ["eth(),eth_type(0x86dd),ipv6(proto=6),tcp(),", ""],
  ["eth(),eth_type(0x0800),ipv4(proto=17),", ""],
  ["eth(),eth_type(0x0800),ipv4(proto=132),", ""],
  ["eth(),eth_type(0x0800),ipv4(proto=1),", ""],
  ["eth(),eth_type(0x86dd),ipv6(proto=58),", ""],
  ["eth(),eth_type(0x86dd),ipv6(proto=58),", ",nd(target=::1)"],
  ["eth(),eth_type(0x86dd),ipv6(proto=58),icmpv6(type=135),", ""],
  ["eth_type(0x0800),", ""],
];

/** Keys under which actions are tried: each list wants some kind of packet. */
const UNDER_KEY: readonly string[] = [
  "in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(),tcp_flags(0/0)",
  "in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp()",
  "in_port(1),eth(),eth_type(0x0800),ipv4(proto=132,frag=first),sctp()",
  "in_port(1),eth(),eth_type(0x86dd),ipv6(proto=6,frag=no),tcp(),tcp_flags(0/0)",
  "in_port(1),eth(),eth_type(0x8847),mpls(label=100,tc=3,ttl=64,bos=1)",
  "in_port(1),eth(),eth_type(0x894f),nsh(mdtype=1,np=3)",
  "in_port(1),eth(),eth_type(0x8100),vlan(vid=5),encap(eth_type(0x0800),ipv4(frag=no))",
  "in_port(1),eth_type(0x0800),ipv4(proto=17,frag=no),udp()",
  "in_port(1),eth(),eth_type(0x0800),ipv4(proto=5,frag=no)",
  "in_port(1),eth(),eth_type(0x86dd),ipv6(proto=10,frag=later)",
];

/** Ranges of nat() that have no text, as they end before they begin, or at zero: a kernel takes them from others. */
const ODD_RANGES: readonly string[] = [
  "action12(04 00 01 00 18 00 06 00 04 00 01 00 08 00 03 00 0a 00 00 0f 08 00 04 00 0a 00 00 09)",
  "action12(04 00 01 00 18 00 06 00 04 00 01 00 08 00 03 00 0a 00 00 01 08 00 04 00 00 00 00 00)",
  "action12(04 00 01 00 20 00 06 00 04 00 02 00 08 00 03 00 0a 00 00 01 06 00 05 00 ff ff 00 00 06 00 06 00 78 56 00 00)",
  "action12(04 00 01 00 20 00 06 00 04 00 02 00 08 00 03 00 0a 00 00 01 06 00 05 00 34 12 00 00 06 00 06 00 00 00 00 00)",
  "action12(04 00 01 00 30 00 06 00 04 00 02 00 14 00 03 00 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 0f 14 00 04 00 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 09)",
  "action12(04 00 01 00 30 00 06 00 04 00 02 00 14 00 03 00 00 fd 00 00 00 00 00 00 00 00 00 00 00 00 00 01 14 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00)",
];

function linesOf(path: string): readonly string[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.filter((line) => line !== "" && !line.startsWith("#"));
}

/**
 * What a key may lack for a kernel: the flags of TCP, the type of what is in a tag; and without a
 * zone, for a kernel that has none.
 */
function completed(key: string): readonly string[] {
  const whole = key
    .replaceAll(/,tcp\([^)]*\)(?!,tcp_flags)/g, "$&,tcp_flags(0/0)")
    .replaceAll("encap()", "encap(eth_type(0/0xffff))")
    .replaceAll(/,nd_ext\([^)]*\)/g, "");
  const zoneless = whole.replaceAll(/,?ct_zone\([^)]*\)/g, "");
  const variants = [key, whole, zoneless, zoneless.replace(/,ct_tuple[46]\([^)]*\)/, "")];
  return [...new Set(variants)];
}

function fromKey(key: string): SourceLine {
  // What has an Ethernet header is whole, but for what `completed` adds.
  const around = key.includes("eth(") ? AROUND_KEY.slice(0, 1) : AROUND_KEY;
  const flows = completed(key).flatMap((whole) =>
    around.map(([before, after]) => `${before}${whole}${after} 2`),
  );
  return { source: key, flows };
}

/** Every line of the project's corpora, and of Open vSwitch's own tests where somebody put them beside it. */
export function corpusLines(): readonly SourceLine[] {
  const keys = linesOf(join(CORPUS, "keys.txt")).map((line) => line.split(" => ")[0] ?? "");
  const conformance = [
    ...linesOf(join(CONFORMANCE, "wc_keys.txt")),
    ...linesOf(join(CONFORMANCE, "keys_valid.txt")),
    ...linesOf(join(CONFORMANCE, "parse_keys.tsv")).flatMap((line) =>
      line.split("\t").map((key) => key.replace(/^ODP_FIT_[A-Z_]+: /, "")),
    ),
  ];
  const actions = [
    ...linesOf(join(CORPUS, "actions.txt")),
    ...linesOf(join(CONFORMANCE, "actions.txt")),
  ];
  return [
    ...linesOf(join(CORPUS, "flows.txt")).map((flow) => ({ source: flow, flows: [flow] })),
    ...[...keys, ...conformance].map(fromKey),
    ...actions.map((list) => ({
      source: list,
      flows: UNDER_KEY.map((key) => `${key} ${list}`),
    })),
  ];
}

/** The flow under another port, by which it stands apart from all others. */
export function underPort(flow: string, port: number): string {
  const named = flow.replace(/(?<=^|[,) ])in_port\([^)]*\)/, `in_port(${port})`);
  return named === flow ? `in_port(${port}),${flow}` : named;
}

/** Flows with odd ranges of nat(), from a port on. A kernel that has zones of conntrack adds the zone. */
export function oddRanges(port: number): readonly string[] {
  return ODD_RANGES.map((list, i) => {
    const type = list.includes("14 00 03 00") ? "0x86dd),ipv6" : "0x0800),ipv4";
    return `in_port(${port + i}),eth(),eth_type(${type}(frag=no) ${list}`;
  });
}
