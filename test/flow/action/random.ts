import * as fc from "fast-check";

const uint = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
const u32 = fc.oneof(uint(16), uint(0xffff_ffff));
const byte = uint(255);
const mac = fc
  .array(byte, { minLength: 6, maxLength: 6 })
  .map((bytes) => bytes.map((one) => one.toString(16).padStart(2, "0")).join(":"));
const ipv4 = fc.array(byte, { minLength: 4, maxLength: 4 }).map((bytes) => bytes.join("."));
const ipv6 = fc
  .array(uint(0xffff), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((one) => one.toString(16)).join(":"));
const hexOf = (min: number, max: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: min, maxLength: max }).map((bytes) => bytes.toHex());
const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,13}$/);
const optional = (text: fc.Arbitrary<string>): fc.Arbitrary<string> => fc.option(text, { nil: "" });

/** Parts joined by commas, those that are empty left out, in any order. */
function members(...parts: readonly fc.Arbitrary<string>[]): fc.Arbitrary<string> {
  return fc
    .tuple(fc.tuple(...parts), fc.boolean())
    .map(([all, turned]) =>
      (turned ? [...all].reverse() : all).filter((one) => one !== "").join(","),
    );
}

const mpls = members(
  uint(0xf_ffff).map((n) => `label=${n}`),
  uint(7).map((n) => `tc=${n}`),
  byte.map((n) => `ttl=${n}`),
  uint(1).map((n) => `bos=${n}`),
  fc.constantFrom("eth_type=0x8847", "eth_type=0x8848"),
);

const port = fc.oneof(uint(8), uint(65_534));
const l4 = fc.constantFrom("tcp", "udp", "sctp");
const maskedPort = fc
  .tuple(uint(0xffff), fc.option(uint(0xffff), { nil: undefined }))
  .map(([value, mask]) =>
    mask === undefined ? `${value}` : `${value & mask}/0x${mask.toString(16)}`,
  );

const sets = fc.oneof(
  u32.map((n) => `set(skb_priority(0x${n.toString(16)}))`),
  fc.tuple(u32, u32).map(([a, b]) => `set(skb_mark(${(a & b) >>> 0}/${b}))`),
  members(
    mac.map((a) => `src=${a}`),
    optional(mac.map((a) => `dst=${a}`)),
  ).map((t) => `set(eth(${t}))`),
  fc.tuple(l4, maskedPort, maskedPort).map(([p, a, b]) => `set(${p}(src=${a},dst=${b}))`),
  members(
    ipv4.map((a) => `dst=${a}`),
    byte.map((n) => `ttl=${n}`),
  ).map((t) => `set(ipv4(${t}))`),
  members(
    ipv6.map((a) => `src=${a}`),
    uint(0xf_ffff).map((n) => `label=${n}`),
  ).map((t) => `set(ipv6(${t}))`),
  fc
    .tuple(u32, ipv4, byte)
    .map(([id, dst, ttl]) => `set(tunnel(tun_id=${id},dst=${dst},ttl=${ttl},flags(df|key)))`),
);

const range = fc.oneof(
  fc.constant(""),
  ipv4.map((a) => `=${a}`),
  fc.tuple(ipv4, uint(65_000)).map(([a, p]) => `=${a}:${p}-${p + 500}`),
  fc.tuple(ipv6, uint(0xffff)).map(([a, p]) => `=[${a}]:${p}`),
  ipv6.map((a) => `=${a}`),
);
const nat = fc.oneof(
  fc.constant("nat"),
  fc
    .tuple(
      fc.constantFrom("src", "dst"),
      range,
      fc.constantFrom("", ",random", ",hash"),
      fc.boolean(),
    )
    .map(([side, what, how, keep]) => `nat(${side}${what}${keep ? ",persistent" : ""}${how})`),
);
const ct = members(
  fc.constantFrom("", "commit", "force_commit"),
  optional(uint(0xffff).map((n) => `zone=${n}`)),
  optional(fc.tuple(u32, u32).map(([a, b]) => `mark=0x${a.toString(16)}/0x${b.toString(16)}`)),
  optional(fc.tuple(hexOf(1, 16), hexOf(1, 16)).map(([a, b]) => `label=0x${a}/0x${b}`)),
  optional(word.map((name) => `helper=${name}`)),
  optional(word.map((name) => `timeout=${name}`)),
  optional(u32.map((n) => `eventmask=${n}`)),
  optional(nat),
).map((text) => (text === "" ? "ct" : `ct(${text})`));

/** What ovs-vswitchd says of each cookie. */
const origin = members(
  optional(u32.map((n) => `ofp_in_port=${n}`)),
  optional(fc.uuid().map((uuid) => `ofproto_uuid=${uuid}`)),
);
const cookie = fc.oneof(
  fc.constant(""),
  fc.constant("no_userdata"),
  hexOf(0, 60).map((text) => `userdata(${text})`),
  hexOf(0, 7).map((text) => `exact_userdata(${text})`),
  fc
    .tuple(uint(4095), uint(7), u32, origin)
    .map(([v, p, o, from]) => `sFlow(vid=${v},pcp=${p},output=${o},${from})`),
  fc
    .tuple(fc.subarray(["cfm", "bfd", "lacp", "match"]), origin)
    .map(([all, from]) => `slow_path(${all.join(",")},${from})`),
  fc.tuple(u32, origin).map(([n, from]) => `ipfix(output_port=${n},${from})`),
  fc
    .tuple(uint(0xffff), u32, u32, u32, u32, fc.constantFrom("", ",ingress", ",egress"))
    .map(
      ([p, c, d, o, n, way]) =>
        `flow_sample(probability=${p},collector_set_id=${c},obs_domain_id=${d},obs_point_id=${o},output_port=${n}${way})`,
    ),
  fc
    .tuple(uint(0xffff), uint(1), uint(1), u32, hexOf(1, 8), uint(0xffff), uint(0xffff), origin)
    .map(
      ([reason, d, c, r, rule, id, max, from]) =>
        `controller(reason=${reason},dont_send=${d},continuation=${c},recirc_id=${r},rule_cookie=0x${rule},controller_id=${id},max_len=${max},${from})`,
    ),
);
const userspace = members(
  u32.map((n) => `pid=${n}`),
  cookie,
  fc.constantFrom("", "actions"),
  optional(u32.map((n) => `tunnel_out_port=${n}`)),
).map((text) => `userspace(${text})`);

const nsh = members(
  optional(byte.map((n) => `flags=${n}`)),
  optional(byte.map((n) => `ttl=${n}`)),
  optional(uint(0xff_ffff).map((n) => `spi=0x${n.toString(16)}`)),
  optional(u32.map((n) => `c2=0x${n.toString(16)}`)),
).map((text) => `push_nsh(${text})`);

const leaf = fc.oneof(
  port.map(String),
  sets,
  ct,
  userspace,
  nsh,
  fc.constantFrom("pop_vlan", "pop_eth", "pop_nsh()", "ct_clear", "pop_mpls(eth_type=0x800)"),
  members(
    uint(4095).map((n) => `vid=${n}`),
    uint(7).map((n) => `pcp=${n}`),
    fc.constantFrom("", "cfi=0"),
    fc.constantFrom("", "tpid=0x88a8"),
  ).map((t) => `push_vlan(${t})`),
  mpls.map((text) => `push_mpls(${text})`),
  mpls.map((text) => `add_mpls(${text})`),
  u32.map((n) => `recirc(0x${n.toString(16)})`),
  u32.map((n) => `trunc(${n})`),
  u32.map((n) => `meter(${n})`),
  u32.map((n) => `drop(${n})`),
  fc.tuple(fc.constantFrom("l4", "sym_l4"), u32).map(([a, n]) => `hash(${a}(${n}))`),
  fc.tuple(mac, mac).map(([a, b]) => `push_eth(src=${a},dst=${b})`),
  fc
    .tuple(u32, optional(hexOf(1, 16).map((text) => `,cookie=0x${text}`)))
    .map(([n, c]) => `psample(group=${n}${c})`),
  fc
    .tuple(fc.integer({ min: 26, max: 16_383 }), hexOf(1, 9))
    .map(([n, text]) => `action${n}(${text})`),
);

const { list } = fc.letrec<{ list: string; action: string }>((tie) => ({
  list: fc.oneof(
    { weight: 1, arbitrary: fc.constant("drop") },
    {
      weight: 6,
      arbitrary: fc
        .array(tie("action"), { minLength: 1, maxLength: 4 })
        .map((all) => all.join(",")),
    },
  ),
  action: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    tie("list").map((inner) => `clone(${inner})`),
    tie("list").map((inner) => `dec_ttl(le_1(${inner}))`),
    fc
      .tuple(uint(100_000_000), tie("list"))
      .map(([p, inner]) => `sample(sample=${(p / 1e6).toFixed(6)}%,actions(${inner}))`),
    fc
      .tuple(uint(0xffff), tie("list"), tie("list"))
      .map(([n, gt, le]) => `check_pkt_len(size=${n},gt(${gt}),le(${le}))`),
  ),
}));

/** Lists of actions, as text; not always as it is printed. */
export const actionList: fc.Arbitrary<string> = list;
