import type { Random } from "../../flow/rules/random.ts";

/**
 * Keys that both millrace and ovs-dpctl read, with masks wherever possible: the headers that a
 * value requires often differ from those of the masked value.
 *
 * Left out is what millrace takes on purpose and ovs-dpctl refuses, since dumps have it: an empty
 * encap() behind a tag that is there, and a tunnel's destination of zeros.
 */

/** The headers that a protocol calls for. */
const TRANSPORT: { readonly [proto: number]: readonly string[] } = {
  1: ["icmp"],
  6: ["tcp", "tcp_flags"],
  17: ["udp"],
  58: ["icmpv6"],
  132: ["sctp"],
};

/** A key, with `recirc_id(id)` by which it stands apart from all others. */
export function randomKey(random: Random, id: number): string {
  const parts = [`recirc_id(${id})`, ...metadata(random)];
  const ethernet = random.chance(95);
  if (ethernet)
    parts.push(`eth(${some(random, 30, [field(random, "src", MAC), field(random, "dst", MAC)])})`);
  parts.push(...inTags(random, ethernet ? 2 : 0));
  return parts.join(",");
}

/** One way to write values of a kind, and masks of them. */
type Kind = {
  readonly value: (random: Random) => string;
  readonly mask: (random: Random) => string;
};

const hex = (random: Random, bits: number): string =>
  `0x${(random.below(2 ** bits) >>> 0).toString(16)}`;

function numbers(bits: number): Kind {
  const full = `0x${(2 ** bits - 1).toString(16)}`;
  return {
    value: (random) => hex(random, random.of([bits, bits, 3])),
    mask: (random) => random.of(["0", "0x1", full, hex(random, bits), hex(random, bits)]),
  };
}

const MAC: Kind = {
  value: (random) => random.of(["0:1:2:3:4:5", "1:0:5e:0:0:1", "ff:ff:ff:ff:ff:ff"]),
  mask: (random) => random.of(["0:0:0:0:0:0", "1:0:0:0:0:0", "ff:ff:ff:0:0:0"]),
};
const IPV4: Kind = {
  value: (random) => `10.${random.below(256)}.${random.below(3)}.${random.below(256)}`,
  mask: (random) => random.of(["0.0.0.0", "255.0.0.0", "255.255.255.0", "0.255.0.1"]),
};
const IPV6: Kind = {
  value: (random) => random.of(["::1", "2001:db8::5", "fe80::1:2", "ff02::1"]),
  mask: (random) => random.of(["::", "ffff::", "ffff:ffff:ffff:ffff::", "::ffff"]),
};

function field(random: Random, name: string, kind: Kind, masked = 40): string {
  const mask = random.chance(masked) ? `/${kind.mask(random)}` : "";
  return `${name}=${kind.value(random)}${mask}`;
}

function some(random: Random, percent: number, parts: readonly string[]): string {
  return parts.filter(() => random.chance(percent)).join(",");
}

function single(random: Random, name: string, kind: Kind): string {
  return `${name}(${field(random, "", kind).slice(1)})`;
}

function metadata(random: Random): readonly string[] {
  const parts = [
    single(random, "dp_hash", numbers(32)),
    single(random, "skb_priority", numbers(32)),
    single(random, "skb_mark", numbers(32)),
    random.of(["ct_state(+trk+new)", "ct_state(-est)", "ct_state(0x21/0x2f)", "ct_state(0/0)"]),
    single(random, "ct_mark", numbers(32)),
    single(random, "ct_label", numbers(16)),
    `in_port(${random.below(60000)}${random.of(["", "", "/0", "/0x1"])})`,
    tunnel(random),
  ];
  return parts.filter(() => random.chance(15));
}

function tunnel(random: Random): string {
  const six = random.chance(25);
  const address = six ? IPV6 : IPV4;
  const [src, dst] = six ? ["ipv6_src", "ipv6_dst"] : ["src", "dst"];
  const parts = [
    random.chance(70) ? `tun_id=${hex(random, 24)}${random.of(["", "/0", "/0xff"])}` : "",
    random.chance(50) ? field(random, src, address) : "",
    field(random, dst, address),
    random.chance(30) ? field(random, "tos", numbers(8)) : "",
    random.chance(90) ? field(random, "ttl", numbers(8)) : "",
    random.chance(20) ? field(random, "tp_src", numbers(16)) : "",
    random.chance(30) ? field(random, "tp_dst", numbers(16)) : "",
    random.chance(40) ? tunnelOptions(random) : "",
    random.of(["", "flags(df|key)", "flags(-df+csum)", "flags(+key)", "flags(csum)", "flags(oam)"]),
  ];
  return `tunnel(${parts.filter((part) => part !== "").join(",")})`;
}

function tunnelOptions(random: Random): string {
  return random.of([
    "geneve({class=0x102,type=0x80,len=4,0x10002/0x7fffffff})",
    "geneve({class=0,type=0/0x1,len=4,0xa/0xff}{class=1/0,type=0x2,len=8,0x1122334455667788})",
    `vxlan(gbp(id=${random.below(9)}/0xf,flags=0x8))`,
    `erspan(ver=1,idx=${hex(random, 20)}${random.of(["", "/0xff"])})`,
    // ovs-dpctl reads masks of these, and sends others.
    `erspan(ver=2,dir=${random.below(2)},hwid=${hex(random, 4)})`,
  ]);
}

function inTags(random: Random, left: number): readonly string[] {
  if (left === 0 || !random.chance(20)) return packet(random);
  const vid = `vid=${random.below(4096)}${random.of(["", "", "/0xfff", "/0x12c", "/0"])}`;
  const pcp = random.of(["", ",pcp=3", ",pcp=5/0x4", ",pcp=1/0"]);
  const tag = random.chance(96)
    ? `vlan(${vid}${pcp})`
    : random.of(["vlan(vid=1,cfi=0)", "vlan(vid=5,cfi=1/0)", "vlan(vid=0,pcp=0,cfi=0)"]);
  const type = random.of(["0x8100", "0x8100", "0x88a8", "0x9100"]);
  const parts = [`eth_type(${type})`, tag, `encap(${inTags(random, left - 1).join(",")})`];
  // A tag of zero means that the packet ends in it.
  if (tag.includes("vid=0,pcp=0,cfi=0") && random.chance(70)) parts[2] = "encap()";
  return parts.filter(() => random.chance(98));
}

function packet(random: Random): readonly string[] {
  const type = random.of([0x0800, 0x0800, 0x0800, 0x86dd, 0x86dd, 0x0806, 0x8035, 0x8847, 0x1234]);
  const mask = random.chance(90) ? "" : random.of(["/0", "/0xff00", "/0xffff"]);
  return [
    `eth_type(0x${type.toString(16).padStart(4, "0")}${mask})`,
    ...network(random, type, mask),
  ];
}

function network(random: Random, type: number, mask: string): readonly string[] {
  // What is behind a type that is not matched cannot be matched either.
  const matched = mask !== "/0" || random.chance(15);
  if (random.chance(3)) return [];
  switch (type) {
    case 0x0800:
      return matched ? ip(random, "ipv4", IPV4, "tos", "ttl") : ["ipv4()"];
    case 0x86dd:
      return matched ? ip(random, "ipv6", IPV6, "tclass", "hlimit") : ["ipv6()"];
    case 0x0806:
    case 0x8035: {
      const parts = [
        field(random, "sip", IPV4),
        field(random, "tip", IPV4),
        field(random, "op", numbers(8)),
        field(random, "sha", MAC),
      ];
      return [`arp(${matched ? some(random, 40, parts) : ""})`];
    }
    case 0x8847: {
      const one = (bos: number): string =>
        `label=${random.below(1 << 20)}/${hex(random, 20)},tc=${random.below(8)}/7,ttl=${random.below(256)}/0xff,bos=${bos}/1`;
      return [`mpls(${random.chance(70) ? one(1) : `${one(0)},${one(1)}`})`];
    }
    default:
      return [];
  }
}

function ip(
  random: Random,
  name: string,
  address: Kind,
  tos: string,
  ttl: string,
): readonly string[] {
  const known = random.of([1, 6, 17, 58, 132, 6, 17]);
  const value = random.chance(60) ? known : random.below(256);
  const mask = random.chance(50)
    ? 0xff
    : random.of([
        0,
        0,
        1 << random.below(8),
        known,
        value,
        random.below(256),
        0xff ^ (1 << random.below(8)),
      ]);
  const frag = random.of(["no", "no", "no", "first", "later", ""]);
  const parts = [
    some(random, 25, [
      field(random, "src", address),
      field(random, "dst", address),
      field(random, tos, numbers(8)),
      field(random, ttl, numbers(8)),
    ]),
    random.chance(95)
      ? `proto=${value}${mask === 0xff ? random.of(["", "/0xff"]) : `/${mask}`}`
      : "",
    frag === "" ? "" : `frag=${frag}`,
  ];
  const headers = [`${name}(${parts.filter((part) => part !== "").join(",")})`];
  // What the value calls for, what is left of it under the mask, or what nothing calls for.
  const wanted = random.chance(80) ? value : random.chance(70) ? value & mask : known;
  const [matched] = [mask === 0xff ? 40 : 5];
  for (const header of TRANSPORT[wanted] ?? []) {
    if (random.chance(95)) headers.push(...transport(random, header, matched));
  }
  return headers;
}

function transport(random: Random, name: string, matched: number): readonly string[] {
  const ports = [field(random, "src", numbers(16)), field(random, "dst", numbers(16))];
  switch (name) {
    case "tcp_flags":
      return [
        random.chance(matched)
          ? random.of(["tcp_flags(+syn-ack)", "tcp_flags(fin|syn)", "tcp_flags(0/0x7)"])
          : "tcp_flags(0/0)",
      ];
    case "icmp":
      return [`icmp(${some(random, matched, [field(random, "type", numbers(8)), "code=0"])})`];
    case "icmpv6":
      return icmpv6(random, matched);
    default:
      return [`${name}(${some(random, matched, ports)})`];
  }
}

function icmpv6(random: Random, matched: number): readonly string[] {
  const value = random.of([135, 136, 135, 255, 128, 143, 1, random.below(256)]);
  const mask = random.of([0xff, 0xff, 0, 0x87, 0x88, 0xf0, 0xfe, random.below(256)]);
  const shown = random.chance(matched)
    ? `type=${value}${mask === 0xff ? "" : `/${mask}`}`
    : `type=${value}/0`;
  const header = `icmpv6(${random.of([shown, shown, `${shown},code=0`, ""])})`;
  const wanted = random.chance(80) ? value : value & mask;
  if (header === "icmpv6()" || (wanted & 0xfe) !== (wanted === 135 ? 134 : 136)) return [header];
  if (wanted !== 135 && wanted !== 136) return [header];
  const nd = [field(random, "target", IPV6), field(random, "sll", MAC)];
  return random.chance(95) ? [header, `nd(${some(random, matched, nd)})`] : [header];
}

/** Actions that a kernel takes with any key, and some that depend on what is matched. */
export function randomActions(random: Random): string {
  if (random.chance(60)) return String(random.below(9));
  return Array.from({ length: 1 + random.below(3) }, () =>
    random.of([
      "1",
      "set(eth(src=0:1:2:3:4:5))",
      "set(ipv4(ttl=7))",
      "set(ipv6(hlimit=7))",
      "set(tcp(src=5))",
      "set(udp(dst=5))",
      "set(skb_mark(0x5))",
      "push_vlan(vid=5,pcp=0)",
      "pop_vlan",
      "recirc(7)",
      "ct(commit)",
      "trunc(100)",
      "meter(1)",
      "sample(sample=50.0%,actions(1))",
      "userspace(pid=5,slow_path(action))",
    ]),
  ).join(",");
}
