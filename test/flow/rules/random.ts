/** A small random number generator (mulberry32): the same seed gives the same flows. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** From 0 to below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  chance(percent: number): boolean {
    return this.next() * 100 < percent;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  of<T>(choices: readonly [T, ...T[]]): T {
    return choices[this.below(choices.length)] ?? choices[0];
  }

  /** Those of the parts that chance keeps, joined by commas. */
  some(percent: number, parts: readonly string[]): string {
    return parts.filter(() => this.chance(percent)).join(",");
  }
}

const TRANSPORT: { readonly [proto: string]: readonly string[] } = {
  "6": ["tcp", "tcp_flags"],
  "17": ["udp"],
  "132": ["sctp"],
  "1": ["icmp"],
  "58": ["icmpv6"],
};

/** A flow of the text `KEY ACTIONS` that a kernel takes, or nearly: one that breaks a rule or two. */
export function randomFlow(random: Random): string {
  return `${randomKey(random)} ${randomActions(random, 0)}`;
}

function randomKey(random: Random): string {
  const parts = [...metadata(random)];
  if (random.chance(92)) parts.push("eth()");
  parts.push(...inTags(random, 2));
  const key = parts.filter((part) => part !== "").join(",");
  return key === "" ? "eth()" : key;
}

function metadata(random: Random): readonly string[] {
  const parts: string[] = [];
  if (random.chance(80))
    parts.push(random.chance(97) ? `in_port(${random.below(9)})` : "in_port(65535)");
  if (random.chance(10))
    parts.push(
      random.of([
        "recirc_id(0x1)",
        "recirc_id(0/0)",
        "dp_hash(0x1/0xf)",
        "skb_priority(1)",
        "skb_mark(0x1/0x3)",
      ]),
    );
  if (random.chance(12)) parts.push(tunnel(random));
  if (random.chance(12))
    parts.push(
      random.of([
        "ct_state(+trk)",
        "ct_state(0/0xff)",
        "ct_zone(0x5)",
        "ct_mark(0x1/0x3)",
        "ct_label(0x1)",
        "ct_zone(0/0)",
      ]),
    );
  if (random.chance(10))
    parts.push(
      random.of(["ct_tuple4(src=1.1.1.1,proto=6)", "ct_tuple6(dst=::1)", "ct_tuple4(proto=0/0)"]),
    );
  if (random.chance(3))
    parts.push(random.of(["key33(00)", "key32(00 01/00 01)", "key32(00 00/00 00)"]));
  return parts;
}

function tunnel(random: Random): string {
  const address = random.of([
    "dst=1.1.1.1",
    "dst=1.1.1.1",
    "src=2.2.2.2,dst=1.1.1.1",
    "ipv6_dst=::1",
    "src=1.1.1.1",
    "src=1.1.1.1,ipv6_dst=::1",
    "dst=1.1.1.1/0.0.0.0",
    "dst=0.0.0.0",
    "",
  ]);
  const parts = [
    "tun_id=0x7",
    address,
    random.chance(85) ? "ttl=64" : "",
    random.some(15, ["tos=1/3", "tp_src=1", "tp_dst=2"]),
  ];
  if (random.chance(20))
    parts.push(
      random.of([
        "geneve({class=1,type=2,len=4,0xa})",
        "vxlan(gbp(id=1,flags=0))",
        "erspan(ver=1,idx=0x7)",
      ]),
    );
  if (random.chance(40))
    parts.push(random.of(["flags(df|key)", "flags(key)", "flags(+df-csum+key)", "flags(0)"]));
  return `tunnel(${parts.filter((part) => part !== "").join(",")})`;
}

function inTags(random: Random, left: number): readonly string[] {
  if (left === 0 || !random.chance(20 + 10 * (2 - left))) return packet(random);
  const inner = inTags(random, left - 1);
  const type = random.of(["0x8100", "0x8100", "0x88a8", "0x9100", "0x0800"]);
  const vlan = random.of([
    "vlan(vid=5)",
    "vlan(vid=5,pcp=1)",
    "vlan(vid=5/0xff)",
    "vlan(cfi=1)",
    "vlan(vid=0/0,cfi=1/0)",
    "vlan(vid=0,pcp=0,cfi=0)",
    "vlan(vid=1,cfi=0)",
  ]);
  const inside = random.chance(90) ? inner.join(",") : "";
  const parts = [`eth_type(${type})`, vlan, `encap(${inside})`];
  return parts.filter(() => random.chance(97));
}

function packet(random: Random): readonly string[] {
  const type = random.of([
    "0x0800",
    "0x0800",
    "0x0800",
    "0x86dd",
    "0x86dd",
    "0x0806",
    "0x8035",
    "0x8847",
    "0x8848",
    "0x894f",
    "0x1234",
    "0x0500",
  ]);
  const parts: string[] = [];
  if (random.chance(95))
    parts.push(
      `eth_type(${type}${random.chance(6) ? random.of(["/0", "/0xff00", "/0xffff"]) : ""})`,
    );
  if (random.chance(92)) parts.push(...network(random, type));
  if (random.chance(6))
    parts.push(
      random.of([
        "ipv4()",
        "arp(op=1)",
        "arp()",
        "ipv6(src=::1)",
        "mpls(label=1)",
        "nsh()",
        "udp()",
        "tcp(src=1)",
      ]),
    );
  return distinct(parts);
}

function network(random: Random, type: string): readonly string[] {
  switch (type) {
    case "0x0800":
      return ip(random, "ipv4", ["src=1.1.1.1", "dst=10.0.0.0/255.0.0.0", "tos=1/3", "ttl=64"]);
    case "0x86dd":
      return ip(random, "ipv6", [
        "src=::1",
        "dst=::/ffff::",
        "label=5/0xff",
        "tclass=1",
        "hlimit=64",
      ]);
    case "0x8847":
    case "0x8848":
      return [
        random.of([
          "mpls(label=1,tc=0,ttl=64,bos=1)",
          "mpls(label=1,tc=0,ttl=64,bos=0,label=2,tc=0,ttl=64,bos=1)",
          "mpls(label=1/0xff,tc=0/0,ttl=0/0,bos=0/0)",
          "mpls()",
        ]),
      ];
    case "0x894f":
      return [
        random.of([
          "nsh(mdtype=1,np=1)",
          "nsh(mdtype=1,np=3,spi=0x1,c1=0x1)",
          "nsh(np=9)",
          "nsh(mdtype=2,np=1)",
          "nsh()",
        ]),
      ];
    case "0x0806":
    case "0x8035":
      return [random.of(["arp()", "arp(op=1)", "arp(sip=1.1.1.1,op=2/3)", "arp(op=3/0xffff)"])];
    default:
      return [];
  }
}

function ip(random: Random, name: string, fields: readonly string[]): readonly string[] {
  const proto = random.of(["6", "6", "17", "17", "132", "1", "58", "0", "47"]);
  const mask = random.chance(88) ? "" : random.of(["/0", "/0x0f", "/0xff"]);
  const frag = random.of(["frag=no", "frag=no", "frag=no", "frag=first", "frag=later", ""]);
  const inside = [random.some(25, fields), random.chance(90) ? `proto=${proto}${mask}` : "", frag];
  const parts = [`${name}(${inside.filter((part) => part !== "").join(",")})`];
  for (const transport of TRANSPORT[proto] ?? [])
    if (random.chance(93)) parts.push(transportKey(random, transport, parts));
  if (random.chance(6))
    parts.push(
      transportKey(
        random,
        random.of(["tcp", "tcp_flags", "udp", "sctp", "icmp", "icmpv6", "nd"]),
        parts,
      ),
    );
  return parts;
}

function transportKey(random: Random, name: string, parts: string[]): string {
  switch (name) {
    case "tcp_flags":
      return random.of(["tcp_flags(0/0)", "tcp_flags(+syn)", "tcp_flags(syn|ack)"]);
    case "icmp":
      return random.of(["icmp()", "icmp(type=8,code=0)", "icmp(type=8/0xf)"]);
    case "icmpv6": {
      const type = random.of([
        "icmpv6(type=135,code=0)",
        "icmpv6(type=136)",
        "icmpv6(type=135/0x87)",
        "icmpv6(type=1)",
        "icmpv6()",
      ]);
      if (/13[56]/.test(type) && random.chance(85))
        parts.push(random.of(["nd(target=::1)", "nd()"]));
      return type;
    }
    case "nd":
      return "nd(sll=1:1:1:1:1:1)";
    default:
      return `${name}(${random.some(40, ["src=5", "dst=6/0xff"])})`;
  }
}

/** A name once: twice would be an error of the language. */
function distinct(parts: readonly string[]): readonly string[] {
  const seen = new Set<string>();
  return parts.filter((part) => {
    const name = part.slice(0, part.indexOf("("));
    if (seen.has(name)) return false;
    seen.add(name);
    return true;
  });
}

function randomActions(random: Random, depth: number): string {
  const count = random.of([1, 1, 1, 2, 2, 3, 4]);
  return Array.from({ length: count }, () => randomAction(random, depth)).join(",");
}

const MPLS = "label=1,tc=0,ttl=64,bos=1";
const MAC = "1:1:1:1:1:1";

function randomAction(random: Random, depth: number): string {
  if (depth < 3 && random.chance(12)) return nested(random, depth + 1);
  if (random.chance(25)) return `${random.below(10)}`;
  if (random.chance(25)) return set(random);
  if (random.chance(15)) return ct(random);
  return random.of([
    "pop_vlan",
    "push_vlan(vid=1,pcp=0)",
    "push_vlan(tpid=0x88a8,vid=1,pcp=0)",
    random.of(["push_vlan(tpid=0x9100,vid=1,pcp=0)", "push_vlan(vid=1,pcp=0,cfi=0)", "65535"]),
    `push_mpls(${MPLS},eth_type=0x8847)`,
    `push_mpls(${MPLS},eth_type=${random.of(["0x8848", "0x800"])})`,
    `pop_mpls(eth_type=${random.of(["0x800", "0x8847", "0x6558", "0x0"])})`,
    `add_mpls(${MPLS},eth_type=0x8847)`,
    `add_mpls(${MPLS},eth_type=${random.of(["0x8848", "0x800"])},tun_flags=1)`,
    `push_eth(src=${MAC},dst=${MAC})`,
    "pop_eth",
    random.of([
      "push_nsh()",
      "push_nsh(np=1)",
      "push_nsh(mdtype=2,md2=0x01020304)",
      "push_nsh(mdtype=2)",
    ]),
    "pop_nsh()",
    "ct_clear",
    "recirc(0x5)",
    "meter(1)",
    random.of(["trunc(14)", "trunc(13)", "trunc(100)"]),
    random.of(["hash(l4(0))", "hash(sym_l4(1))", "action8(02 00 00 00 00 00 00 00)"]),
    random.of(["drop(0)", "drop(5)"]),
    random.of([
      "psample(group=1)",
      "psample(group=1,cookie=0x0102)",
      "action25(08 00 01 00 01 00 00 00)",
    ]),
    random.of([
      "userspace(pid=1)",
      "userspace(pid=0)",
      "userspace(pid=1,no_userdata,actions)",
      "action2(08 00 01 00)",
    ]),
    random.of(["action999(00)", "action1(01 02)", "action30", "action5(00)"]),
  ]);
}

function nested(random: Random, depth: number): string {
  const list = random.chance(15) ? "drop" : randomActions(random, depth);
  switch (random.below(4)) {
    case 0:
      return `clone(${list})`;
    case 1:
      return `sample(sample=50%,actions(${list}))`;
    case 2:
      return `dec_ttl(le_1(${list}))`;
    default:
      return `check_pkt_len(size=${random.chance(95) ? 100 : 0},gt(${list}),le(${randomActions(random, depth)}))`;
  }
}

function set(random: Random): string {
  return random.of([
    `set(eth(src=${MAC}))`,
    `set(eth(src=${MAC},dst=${MAC}))`,
    "set(ipv4(ttl=1))",
    "set(ipv4(ttl=1,frag=no))",
    "set(ipv4(src=1.1.1.1,dst=1.1.1.1,proto=6,tos=0,ttl=1,frag=no))",
    "set(ipv6(hlimit=1))",
    "set(ipv6(label=0x5/0xff))",
    "set(ipv6(src=::1,dst=::1,label=1,proto=17,tclass=0,hlimit=1,frag=no))",
    "set(tcp(src=1))",
    "set(tcp(src=1,dst=2))",
    "set(udp(dst=1))",
    "set(sctp(src=1,dst=2))",
    "set(mpls(label=1,tc=0,ttl=1,bos=1))",
    "set(mpls(label=1))",
    "set(skb_mark(1))",
    "set(skb_priority(0x1/0x3))",
    "set(ct_mark(1))",
    "set(ct_label(0x1/0x3))",
    "set(in_port(1))",
    "set(icmp(type=1))",
    "set(eth_type(0x0800))",
    "set(encap())",
    `set(${tunnel(random)
      .replace(/\/[0-9.]+/, "")
      .replace("/3", "")
      .replace("+df-csum+key", "df|key")})`,
  ]);
}

function ct(random: Random): string {
  const nat = random.of([
    "nat",
    "nat(src)",
    "nat(dst=1.1.1.1)",
    "nat(src=1.1.1.1-1.1.1.5:80-90,random)",
    "nat(src=::1)",
    "nat(src=:80)",
  ]);
  const parts = [
    random.chance(55) ? random.of(["commit", "force_commit"]) : "",
    random.chance(25) ? "zone=5" : "",
    random.chance(20) ? "mark=0x1/0x3" : "",
    random.chance(15) ? "label=0x1" : "",
    random.chance(10) ? "timeout=none-such" : "",
    random.chance(10) ? "eventmask=0x1" : "",
    random.chance(35) ? nat : "",
  ];
  const inside = parts.filter((part) => part !== "").join(",");
  return inside === "" ? "ct" : `ct(${inside})`;
}
