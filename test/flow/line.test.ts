import { describe, expect, test } from "bun:test";
import { Flow } from "../../src/flow/flow.ts";
import { identitiesOf } from "../../src/flow/identity.ts";
import { FlowLineEncoder, type FlowLineOptions } from "../../src/flow/line.ts";
import { AttributeReader } from "../../src/netlink/attribute-reader.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import * as OVS from "../../src/uapi/openvswitch.ts";
import {
  contentOf,
  encoder as utf8,
  keyOf,
  normalized,
  syntaxError,
  textOf,
  ufidOf,
} from "./harness.ts";

const memory = new PinnedMemory(1 << 16);
const writer = new AttributeWriter(memory);

type Encoded = { written: boolean; verb: string; types: number[]; ufid: string; hex: string };

function encode(text: string, options: FlowLineOptions = { ufid: true }, line = 1): Encoded {
  const bytes = utf8.encode(text);
  const encoder = new FlowLineEncoder({ shapes: false, ...options });
  writer.reset(0, memory.size);
  const written = encoder.encode(bytes, 0, bytes.length, line, writer);
  const types: number[] = [];
  let ufid = "";
  const reader = new AttributeReader().reset(memory.u8, 0, writer.position);
  while (reader.next()) {
    types.push(reader.type);
    if (reader.type === OVS.OVS_FLOW_ATTR_UFID) {
      ufid = Buffer.from(memory.u8.subarray(reader.start, reader.start + reader.length)).toString(
        "hex",
      );
    }
  }
  expect(reader.malformed).toBe(false);
  const hex = Buffer.from(memory.u8.subarray(0, writer.position)).toString("hex");
  return { written, verb: encoder.verb, types, ufid, hex };
}

const UFID = OVS.OVS_FLOW_ATTR_UFID;
const KEY = OVS.OVS_FLOW_ATTR_KEY;
const MASK = OVS.OVS_FLOW_ATTR_MASK;
const ACTIONS = OVS.OVS_FLOW_ATTR_ACTIONS;
const UUID = "01020304-0506-0708-090a-0b0c0d0e0f10";
const UUID_BYTES = "04030201080706050c0b0a09100f0e0d";

describe("what a line becomes", () => {
  test("the bytes of a plain flow", () => {
    const { hex } = encode("in_port(1),eth(),eth_type(0x1234/0xfff0) 2", { ufid: false });
    const nests = [
      "24000100 08000300 01000000 10000400 00000000 00000000 00000000 06000600 12340000",
      "14000700 08000300 ffffffff 06000600 ffff0000",
      "0c000200 08000100 02000000",
    ];
    expect(hex).toBe(nests.join("").replaceAll(" ", ""));
  });

  test("UFID, key, mask and actions, in this order", () => {
    const { types, ufid } = encode("in_port(1),eth() 2");
    expect(types).toEqual([UFID, KEY, MASK, ACTIONS]);
    expect(ufid).toBe(ufidOf(normalized(keyOf("in_port(1),eth()"))));
  });

  test("without a UFID if none is wanted", () => {
    expect(encode("in_port(1),eth() 2", { ufid: false }).types).toEqual([KEY, MASK, ACTIONS]);
  });

  test.each([
    [`ufid:${UUID},in_port(1),eth() 2`, true],
    [`ufid:${UUID}, in_port(1),eth() 2`, false],
    [`ufid:${UUID} in_port(1),eth() 2`, false],
    [`add ufid:${UUID} in_port(1),eth() 2`, false],
    [`ufid:${UUID}, in_port(1),eth(), packets:0, bytes:0, used:never, actions:2`, true],
  ])("%s has its own UFID", (text, ufid) => {
    const encoded = encode(text, { ufid });
    expect(encoded.ufid).toBe(UUID_BYTES);
    expect(encoded.types).toEqual([UFID, KEY, MASK, ACTIONS]);
  });

  test.each([
    ["0x0a", "0a"],
    ["0x0102030405060708090a0b0c0d0e0F", "0102030405060708090a0b0c0d0e0f"],
  ])("a UFID may be shorter than a UUID: %s", (text, bytes) => {
    // A line of the same form follows, which has another UFID.
    const bytesOf = (ufid: string): Uint8Array => utf8.encode(`ufid:${ufid},in_port(1),eth() 2`);
    const encoder = new FlowLineEncoder({ ufid: true });
    for (const [ufid, wanted] of [
      [text, bytes],
      [text, bytes],
      ["0xff", "ff"],
      [UUID, UUID_BYTES],
      [text, bytes],
    ] as const) {
      const line = bytesOf(ufid);
      writer.reset(0, memory.size);
      encoder.encode(line, 0, line.length, 1, writer);
      const flow = Flow.fromAttributes(memory.u8, 0, writer.position);
      const { bytes: own, ufid: at } = flow.parts;
      expect(own.slice(at.start, at.end).toHex()).toBe(wanted);
      expect(flow.ufid).toBe(ufid.toLowerCase());
      expect(flow.toString({ verbose: true })).toStartWith(`ufid:${ufid.toLowerCase()}, in_port`);
      expect(identitiesOf(`ufid:${ufid}`)).toEqual([{ ufid: Uint8Array.fromHex(wanted) }]);
    }
  });

  test.each(["0x", "0x1", "0x0102030405060708090a0b0c0d0e0f10", "0xgg", "0a"])(
    "ufid:%s is none",
    (ufid) => {
      const error = syntaxError(() => encode(`ufid:${ufid},in_port(1),eth() 2`));
      expect([error.column, error.expected]).toEqual([6, expect.stringContaining("UUID")]);
    },
  );

  test("flags with signs say that a tunnel has no id, flags without them do not", () => {
    // OVS_TUNNEL_KEY_ATTR_ID, in the mask alone.
    const NO_ID = "0c000000" + "00".repeat(8);
    for (const [flags, says, again] of [
      ["0", false, "-oam-df-csum"],
      ["oam|df|csum", false, "+oam+df+csum"],
      ["-oam-df-csum", false, "-oam-df-csum"],
      ["-oam-df-csum-key", true, "-oam-df-csum-key"],
      ["+oam+df+csum-key", true, "+oam+df+csum-key"],
      ["0/0xf", true, "-oam-df-csum-key"],
      ["-key", true, "-key"],
    ] as const) {
      const key = `tunnel(dst=1.1.1.1,ttl=64,flags(${flags})),in_port(1),eth()`;
      const record = normalized(keyOf(key));
      expect([flags, encode(`${key} 2`).hex.includes(NO_ID)]).toEqual([flags, says]);
      expect(textOf(record)).toContain(`flags(${again})`);
      expect(contentOf(normalized(keyOf(textOf(record))))).toEqual(contentOf(record));
    }
  });

  test("drop is an empty list, written", () => {
    expect(encode("in_port(1),eth() drop").hex.endsWith("04000200")).toBe(true);
  });

  test("a delete says what its flow matches: by its name alone it might be another one", () => {
    expect(encode("delete in_port(1),eth()").types).toEqual([UFID, KEY, MASK]);
    expect(encode("delete in_port(1),eth()", { ufid: false }).types).toEqual([KEY, MASK]);
    const text = "in_port(1),eth() 2";
    expect(encode(text, { ufid: true, mode: "delete" }).types).toEqual([UFID, KEY, MASK]);
  });

  test("a modify needs no actions; the others do", () => {
    expect(encode("modify in_port(1),eth()").types).toEqual([UFID, KEY, MASK]);
    expect(encode("modify in_port(1),eth() 2").types).toEqual([UFID, KEY, MASK, ACTIONS]);
    const error = syntaxError(() => encode("in_port(1),eth()", { ufid: true }, 7));
    expect([error.line, error.column, error.expected]).toEqual([7, 17, "actions, or drop"]);
  });

  test.each(["", "   \t", "# in_port(1) 2", "  # comment", "\r"])("%p is no flow", (text) => {
    expect(encode(text)).toMatchObject({ written: false, hex: "" });
  });

  test.each([
    ["a", "add"],
    ["ad", "add"],
    ["add", "add"],
    ["m", "modify"],
    ["mod", "modify"],
    ["modify", "modify"],
    ["d", "delete"],
    ["del", "delete"],
    ["delete", "delete"],
  ])("%s is %s", (word, verb) => {
    expect(encode(`  ${word}  in_port(1),eth() 2`).verb).toBe(verb);
  });

  test("a key may begin as a verb does", () => {
    expect(encode("dp_hash(1),eth() 2")).toMatchObject({ verb: "put" });
    expect(encode("arp(op=1),eth() 2")).toMatchObject({ verb: "put" });
    expect(syntaxError(() => encode("addd in_port(1),eth() 2")).found).toBe('"addd"');
  });

  test("what is after a # does not count", () => {
    const plain = encode("in_port(1),eth() 2").hex;
    for (const text of [
      "in_port(1),eth() 2 # two",
      "in_port(1),eth() 2#two",
      "in_port(1),eth() 2 \r",
    ]) {
      expect(encode(text).hex).toBe(plain);
    }
    expect(encode("modify in_port(1),eth()# 2").types).toEqual([UFID, KEY, MASK]);
    expect(encode("delete in_port(1),eth() # 2").types).toEqual([UFID, KEY, MASK]);
  });

  test("lines of a dump say the same as lines of add-flows", () => {
    const plain = encode("in_port(1),eth(),eth_type(0x0800),ipv4(frag=no) 2,3").hex;
    for (const between of [
      ", packets:0, bytes:0, used:never, actions:",
      ", packets:12, bytes:840, used:1.234s, flags:SFPR., actions:",
      ", packets:12, bytes:840, used:1.234s, offloaded:yes, dp:ovs, actions:",
      ", actions:",
    ]) {
      expect(encode(`in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)${between}2,3`).hex).toBe(
        plain,
      );
    }
    const extra = ", packets:0, bytes:0, used:never, actions:2,3, dp-extra-info:x(1)";
    expect(encode(`in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)${extra}`).hex).toBe(plain);
  });
});

describe("errors", () => {
  test.each([
    ["in_port(1),eth(),ipv5() 2", 18, "ipv4"],
    ["in_port(1),eth(), pakets:0, actions:2", 19, "packets"],
    ["in_port(1),eth(), packets:0", 28, "actions:"],
    ["ufid:0102 in_port(1),eth() 2", 6, "a UUID such as 12345678-1234-1234-1234-123456789abc"],
    [`ufid:${UUID}in_port(1),eth() 2`, 42, "a comma or a space"],
  ])("%s", (text, column, expected) => {
    writer.reset(0, memory.size);
    const error = syntaxError(() => encode(text));
    expect([error.column, error.suggestion ?? error.expected]).toEqual([column, expected]);
    expect(writer.position).toBe(0);
  });

  test.each([
    ["in_port(1),eth(),nd_ext(nd_reserved=0x0,nd_options_type=2) 2", "nd_ext"],
    ["in_port(1),eth(),packet_type(ns=1,id=0x800) 2", "packet_type"],
    ["tunnel(dst=1.1.1.1,ttl=64,gtpu(flags=0x30,msgtype=255)),in_port(1),eth() 2", "gtpu"],
  ])("%s is refused by name", (text, name) => {
    const error = syntaxError(() => encode(text));
    expect(error.code).toBe("FLOW_USERSPACE_ONLY");
    expect(error.found).toBe(`"${name}"`);
    expect(text.slice(error.column - 1)).toStartWith(name);
  });

  test("a packet type that an Ethernet type can say is taken", () => {
    const plain = encode("in_port(1),eth_type(0x0800),ipv4() 2").hex;
    expect(encode("in_port(1),packet_type(ns=1,id=0x800),ipv4() 2").hex).toBe(plain);
    expect(encode("packet_type(ns=0,id=0),in_port(1),eth() 2").hex).toBe(
      encode("in_port(1),eth() 2").hex,
    );
  });

  test("actions that are wrong leave nothing behind", () => {
    writer.reset(0, memory.size);
    syntaxError(() => encode("in_port(1),eth() 2,nonsense(3)"));
    expect(writer.position).toBe(0);
  });
});

describe("names of ports", () => {
  const ports = {
    numberOf: (name: string): number | undefined => (name === "eth-0.1" ? 7 : undefined),
    nameOf: (): undefined => undefined,
  };
  test("in keys and in actions", () => {
    expect(encode("in_port(eth-0.1),eth() eth-0.1", { ufid: true, ports }).hex).toBe(
      encode("in_port(7),eth() 7").hex,
    );
  });
  test("that are not there", () => {
    const error = syntaxError(() => encode("in_port(eth1),eth() 2", { ufid: true, ports }));
    expect([error.column, error.expected]).toEqual([
      9,
      "a port number, or the name of a port of the datapath",
    ]);
  });
  test("with a mask behind them", () => {
    const error = syntaxError(() => encode("in_port(eth-0.1/0xff),eth() 2", { ufid: true, ports }));
    expect([error.column, error.expected]).toEqual([16, "no mask after a port's name"]);
  });
});

test("a delete by a key of which nothing is matched names no flow", () => {
  for (const [text, mode] of [
    ["delete skb_mark(0/0)", "put"],
    ["skb_mark(0/0x0),ct_mark(1/0) 2", "delete"],
  ] as const) {
    const { expected } = syntaxError(() => encode(text, { ufid: false, mode }));
    expect(expected).toBe("a key that names a flow: nothing of this one is matched");
    // By UFID it does, and a writer without room is something else.
    expect(encode(text, { ufid: true, mode }).types).toEqual([UFID, KEY, MASK]);
    writer.reset(0, 4);
    const bytes = utf8.encode("delete in_port(1),eth()");
    new FlowLineEncoder({ ufid: false }).encode(bytes, 0, bytes.length, 1, writer);
    expect(writer.failed).toBe(true);
  }
});
