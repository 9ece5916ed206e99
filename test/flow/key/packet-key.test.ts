import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { identitiesOf } from "../../../src/flow/identity.ts";
import { normalize } from "../../../src/flow/key/normal-form.ts";
import { decodePacketKey } from "../../../src/flow/key/packet-key.ts";
import { printKey } from "../../../src/flow/key/print.ts";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";
import { PROPERTY } from "../harness.ts";

const ETH = "in_port(1),eth(src=02:00:00:00:00:01,dst=02:00:00:00:00:02)";

/** The payload of a key, as a flow's text has it: every field exact. */
function keyBytes(text: string): Uint8Array {
  const identity = identitiesOf(text).at(-1);
  if (identity === undefined || !("key" in identity)) throw new Error("a key");
  return identity.key;
}

function flowOf(bytes: Uint8Array): string {
  const record = new KeyRecord();
  if (!decodePacketKey(bytes, 0, bytes.length, record)) throw new Error("no key");
  normalize(record);
  const out = new TextSink(512);
  printKey(record, out, { verbose: false });
  return out.toString();
}

test.each([
  // The kernel leaves out the type of 802.2, and the port of a packet that came from none.
  [ETH, `${ETH},eth_type(0/0xffff)`],
  [
    `${ETH},eth_type(0x8100),vlan(vid=5,pcp=0),encap()`,
    `${ETH},eth_type(0x8100),vlan(vid=5,pcp=0),encap(eth_type(0/0xffff))`,
  ],
  ["eth(),eth_type(0x88b5)", "eth(),eth_type(0x88b5),in_port(4294967295)"],
  // A tunnel without an id.
  [
    `tunnel(src=10.0.0.1,dst=10.0.0.2,tos=0,ttl=64),${ETH},eth_type(0x88b5)`,
    `tunnel(src=10.0.0.1,dst=10.0.0.2,tos=0,ttl=64,tp_src=0,tp_dst=0,flags(-df-csum-key)),${ETH},eth_type(0x88b5)`,
  ],
  // A packet without an Ethernet header has a type always.
  ["in_port(1),eth_type(0x88b5)", "in_port(1),eth_type(0x88b5)"],
])("what is left out of a key is matched: %s", (key, flow) => {
  expect(flowOf(keyBytes(key))).toBe(
    flow.replace("eth(),", "eth(src=00:00:00:00:00:00,dst=00:00:00:00:00:00),"),
  );
});

const ND = (code: number): string =>
  `${ETH},eth_type(0x86dd),ipv6(src=fd00::1,dst=fd00::2,label=0,proto=58,tclass=0,hlimit=255,frag=no),` +
  `icmpv6(type=135,code=${code}),nd(target=fd00::3,sll=00:00:00:00:00:01,tll=00:00:00:00:00:00)`;

test("nd() is matched where the code is 0, and is not in the packet where it is not", () => {
  expect(flowOf(keyBytes(ND(0)))).toBe(ND(0));
  expect(flowOf(keyBytes(ND(1)))).toEndWith("icmpv6(type=135,code=1),nd()");
});

test("what is not set of a truncated IPv6 header is not matched", () => {
  const cut = "ipv6(src=::,dst=::,label=0xabcde,proto=0,tclass=0,hlimit=0,frag=no),key32(12 34)";
  const bytes = keyBytes(`${ETH},eth_type(0x86dd),${cut}`);
  // The label is 20 bits of a word that is not set at all.
  const at = bytes.findIndex((byte, i) => byte === 0x0a && bytes[i + 1] === 0xbc);
  expect(at).toBeGreaterThan(0);
  bytes[at - 1] = 0xff;
  expect(flowOf(bytes)).toBe(
    `${ETH},eth_type(0x86dd),ipv6(src=::,dst=::,proto=0,tclass=0,hlimit=0,frag=no)`,
  );
  const whole = cut.replace("hlimit=0", "hlimit=1");
  expect(flowOf(keyBytes(`${ETH},eth_type(0x86dd),${whole}`))).toEndWith(whole);
});

const KEYS: readonly Uint8Array[] = [
  ND(1),
  `${ETH},eth_type(0x8847),mpls(label=1,tc=0,ttl=64,bos=1)`,
  `${ETH},eth_type(0x88a8),vlan(vid=5,pcp=0),encap(eth_type(0x8100),vlan(vid=6,pcp=0),encap())`,
  `tunnel(dst=10.0.0.1,ttl=64),${ETH}`,
].map(keyBytes);

test("of bytes that are changed or cut, none is looked at that is not the key's", () => {
  const bytes = fc
    .tuple(
      fc.constantFrom(...KEYS),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 4 }),
      fc.nat(),
    )
    .map(([key, changes, end]) => {
      const changed = key.slice(0, end % 3 === 0 ? end % key.length : key.length);
      for (const [at, byte] of changes) if (changed.length > 0) changed[at % changed.length] = byte;
      return changed;
    });
  fc.assert(
    fc.property(bytes, fc.nat({ max: 40 }), (key, before) => {
      const around = new Uint8Array(before + key.length + 40).fill(0xff);
      around.set(key, before);
      const [record, other] = [new KeyRecord(), new KeyRecord()];
      const known = decodePacketKey(key, 0, key.length, record);
      expect(decodePacketKey(around, before, before + key.length, other)).toBe(known);
      expect(other.bytes).toEqual(record.bytes);
      if (known) normalize(record);
    }),
    PROPERTY,
  );
});
