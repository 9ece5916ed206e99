import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { isAnyTag } from "../../../src/flow/key/any-tag.ts";
import { ufidSeed, writeUfid } from "../../../src/flow/key/ufid.ts";
import { KEYS } from "../../../src/flow/key/table.ts";
import { limit } from "../../runner/limit.ts";
import { decoded, encoded, keyOf, normalized, PROPERTY, ufidOf } from "../harness.ts";
import { keyText } from "./arbitrary.ts";
import { referenceUfid } from "./reference-ufid.ts";

const IPV4 = "in_port(1),eth(),eth_type(0x0800)";

/** These never change: flows in kernels are known by them. */
const GOLDEN: readonly (readonly [key: string, ufid: string])[] = [
  ["eth()", "856ccff344733a9bb99f643f00b0a860"],
  ["in_port(1),eth()", "37cf007a03c36f289f338e3311c7c1d0"],
  ["in_port(4294967295),eth()", "232d00020735bd996095d474bb8c7a06"],
  [
    "recirc_id(0x5),dp_hash(0x3/0xf),skb_priority(0x1234/0xff),skb_mark(0x1),eth()",
    "1c5f1edc71a466d754db236bcd7ed806",
  ],
  [
    "ct_state(+trk-new),ct_zone(5),ct_mark(0x1/0xf),ct_label(0x1/0xffff)," +
      `ct_tuple4(src=10.0.0.1,proto=17,tp_src=1),${IPV4},ipv4()`,
    "823e5d5706ed2ec50ad4e03034a610c2",
  ],
  [
    `${IPV4},ipv4(src=10.0.0.1,dst=192.168.0.100,proto=17,tos=0,ttl=64,frag=no),udp(src=10000,dst=53)`,
    "3d69b32d287ad0f166bca2d8704af282",
  ],
  [
    `${IPV4},ipv4(dst=10.0.0.0/8,proto=6),tcp(dst=80),tcp_flags(+syn-ack)`,
    "7ba9181ecf25b5a6309d4e32524ba2ab",
  ],
  [
    "eth(src=02:00:00:00:00:01/ff:00:00:00:00:00),eth_type(0/0xffff)",
    "f719d1dedb475f9e3a3359d786436af8",
  ],
  [
    "eth(),eth_type(0x86dd),ipv6(src=::1,label=0x5/0xff,proto=58),icmpv6(type=135),nd(target=::2)",
    "862672c3036ce704c99f0adee63520b4",
  ],
  [
    "eth(),eth_type(0x8847),mpls(label=1,tc=0,ttl=1,bos=0,label=2,tc=0,ttl=1,bos=1)",
    "bef8234a0b0e67a6b5d48cacd1676caa",
  ],
  ["eth_type(0x894f),nsh(mdtype=1,np=3,spi=0x7,si=255,c1=0x1)", "f28ab6ec082a8acea37300b9125b63de"],
  [
    "eth(),eth_type(0x88a8),vlan(vid=5,pcp=1),encap(eth_type(0x8100),vlan(vid=6,pcp=0)," +
      "encap(eth_type(0x0806),arp(sip=10.0.0.1,op=1)))",
    "25db33b584e66cfa1a49b5ed732d7e37",
  ],
  [
    "tunnel(tun_id=0x7,src=10.0.0.1,dst=10.0.0.2,ttl=64,flags(df|key)),eth()",
    "92869f118d28dc4f4bcdd0cbd241cc0c",
  ],
  ["tunnel(dst=10.0.0.2,ttl=0/0,flags(-key)),eth()", "9c7526470a54b29dc272c220df124d67"],
  [
    "tunnel(tun_id=0x7,ipv6_dst=::1,tos=0x8/0xf,ttl=64,tp_dst=6081," +
      "geneve({class=0x102,type=0x80,len=4,0x0a0b0c0d/0xff00ffff})),eth()",
    "e59694305db880fc8991134c2d00977c",
  ],
  [
    "tunnel(dst=10.0.0.2,ttl=64,vxlan(gbp(id=5,flags=1))),eth()",
    "d0a62275aa1b6348a39c68dbf4a65611",
  ],
  ["tunnel(dst=10.0.0.2,ttl=64,erspan(ver=1,idx=0x7)),eth()", "4c882f44d8e6c462f9461beb25d1bdc1"],
  ["eth(),key40(01 02 03/ff 0f ff)", "01989b224e8e830a8860d210729eb75d"],
];

describe("the UFID of", () => {
  test.each(GOLDEN)("%s", (key, ufid) => {
    const record = normalized(keyOf(key));
    expect(ufidOf(record)).toBe(ufid);
    expect(referenceUfid(encoded(record))).toBe(ufid);
  });
});

test("an owner has UFIDs of its own", () => {
  const record = normalized(keyOf(`${IPV4},ipv4()`));
  const of = (owner: string): string => {
    const words = new Int32Array(4);
    writeUfid(record, words, 0, ufidSeed(owner));
    return Buffer.from(words.buffer).toString("hex");
  };
  expect(of("")).toBe(ufidOf(record));
  expect([of("controller"), of("Zoë"), of("a\0")]).toEqual([
    "09b13c8c3e9e9764134647dcc608ea78",
    "b272d90b3e81d5940fc1055b4805b5c3",
    "6afd647543a56c1e69b1c9f46959a134",
  ]);
  expect(new Set(["", "a", "b", "a\0", "aaaa", "aaaaa"].map(of)).size).toBe(6);
});

test("it is what the kernel's attributes say, in ascending type", () => {
  fc.assert(
    fc.property(keyText, (text) => {
      const record = normalized(keyOf(text));
      // A tag of any type has its mask in another place.
      fc.pre(!isAnyTag(record, 0) && !isAnyTag(record, 1));
      expect(referenceUfid(encoded(record))).toBe(ufidOf(record));
      expect(ufidOf(normalized(decoded(encoded(record))))).toBe(ufidOf(record));
    }),
    PROPERTY,
  );
});

test(
  "it is the same whatever the slots of the keys are",
  () => {
    const { seed = Date.now() } = PROPERTY;
    const drawn = fc.sample(keyText, { numRuns: 200, seed });
    const keys = [...GOLDEN.map(([key]) => key), ...drawn];
    const wanted = keys.map((key) => ufidOf(normalized(keyOf(key))));
    const orders = new Set([KEYS.map(({ name }) => name).join()]);
    for (const which of ["1", "2", "3"]) {
      const run = Bun.spawnSync([process.execPath, `${import.meta.dir}/permuted-slots.ts`, which], {
        stdin: new TextEncoder().encode(keys.join("\n")),
      });
      const [order = "", ...found] = run.stdout.toString().trimEnd().split("\n");
      expect({ seed, found }).toEqual({ seed, found: wanted });
      orders.add(order);
    }
    expect(orders.size).toBe(4);
  },
  limit(10),
);
