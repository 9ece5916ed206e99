import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { PROPERTY } from "../harness.ts";
import { UserspaceOnlyError } from "../../../src/flow/userspace-only.ts";
import { Flow } from "../../../src/flow/flow.ts";
import {
  FlowJsonEncoder,
  FlowJsonError,
  FlowJsonLineEncoder,
  flowJsonSchema,
  flowJsonToLine,
  type FlowJson,
  lineToFlowJson,
} from "../../../src/flow/json.ts";
import { FlowLineEncoder } from "../../../src/flow/line.ts";
import { FlowSyntaxError } from "../../../src/flow/text/syntax-error.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { AssertionError } from "../../../src/sys/errors.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";
import { actionList } from "../action/random.ts";
import { thrownBy } from "../action/support.ts";
import { schemaCheck } from "../../json-schema.ts";

const CORPUS = join(import.meta.dir, "../corpus");
const WRITER = new AttributeWriter(new PinnedMemory(1 << 18));
const errorsOf = schemaCheck(flowJsonSchema());

function linesOf(name: string): readonly string[] {
  const path = join(CORPUS, name);
  if (!existsSync(path)) return [];
  return readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** The attributes of a line of text. */
function bytesOfLine(line: string): string {
  const bytes = new TextEncoder().encode(line);
  WRITER.reset(0, WRITER.memory.size);
  new FlowLineEncoder({ ufid: true }).encode(bytes, 0, bytes.length, 1, WRITER);
  return WRITER.memory.u8.slice(0, WRITER.position).toHex();
}

/** The attributes of a flow in JSON. */
function bytesOfJson(json: unknown): string {
  WRITER.reset(0, WRITER.memory.size);
  new FlowJsonEncoder(new FlowLineEncoder({ ufid: true })).encode(json, 7, WRITER);
  return WRITER.memory.u8.slice(0, WRITER.position).toHex();
}

/** Prints a flow, turns it into JSON and back. */
function roundTrip(line: string): FlowJson {
  const printed = Flow.parse(line).toString({ verbose: true });
  const json: unknown = JSON.parse(JSON.stringify(lineToFlowJson(printed)));
  expect(errorsOf(json)).toEqual([]);
  expect(bytesOfJson(json)).toBe(bytesOfLine(printed));
  return lineToFlowJson(printed);
}

describe("text to JSON and back is the same flow", () => {
  test.each(linesOf("actions.txt"))("eth() %s", (actions) => {
    roundTrip(`in_port(1),eth() ${actions}`);
  });

  const keys: readonly string[] = [
    "recirc_id(0x5),dp_hash(0x1/0xf),skb_priority(0x1),skb_mark(0x2/0xff),in_port(3),eth(src=00:01:02:03:04:05,dst=00:00:00:00:00:00/01:00:00:00:00:00)",
    "ct_state(+new-est),ct_zone(0x5),ct_mark(0x1/0x3),ct_label(0x1/0xffff),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/255.0.0.0,frag=no)",
    "eth(),eth_type(0x8100),vlan(vid=5,pcp=1),encap(eth_type(0x0800),ipv4(proto=6,frag=no),tcp(src=1/0xff),tcp_flags(+syn-ack))",
    "eth(),eth_type(0x8847),mpls(label=1,tc=2,ttl=3,bos=0,label=4,tc=5,ttl=6,bos=1)",
    "eth(),eth_type(0x86dd),ipv6(src=2001:db8::/ffff:ffff::,label=0x1/0xf,proto=58,frag=no),icmpv6(type=135,code=0),nd(target=::3),key32(00 01/00 01)",
    "eth(),eth_type(0x894f),nsh(flags=0,ttl=63,mdtype=1,np=3,spi=0x7,si=255,c1=0x1,c2=0x2,c3=0x3,c4=0x4)",
    "tunnel(tun_id=0x7,src=10.0.0.1,dst=10.0.0.2,tos=0x8/0xff,ttl=64,tp_src=1,tp_dst=6081,geneve({class=0xffff,type=0x80,len=4,0xa}{class=0x1,type=0x2,len=0}),flags(df|key)),eth()",
    "tunnel(tun_id=0x7,ipv6_src=::1,ipv6_dst=::2,ttl=64,vxlan(gbp(id=10,flags=0x8)),flags(+df-csum+key)),eth()",
    "tunnel(tun_id=0x7,dst=10.0.0.2,ttl=64,erspan(ver=2,dir=1,hwid=0x1),flags(key)),eth()",
    "eth_type(0x0806),arp(sip=1.2.3.4,op=1)",
    "ct_tuple4(src=10.0.0.1,proto=17,tp_src=1),eth(),eth_type(0x0800),ipv4(frag=no)",
    "key40(00 01 02/ff 00 ff),eth()",
  ];
  test.each(keys)("%s", (key) => {
    roundTrip(`${key} 1`);
  });

  const corpus = linesOf("keys.txt").map((line) => line.split(" => ")[0] ?? line);
  test.each(corpus)("%s", (key) => {
    let line = `${key} 1`;
    try {
      line = Flow.parse(line).toString({ verbose: true });
    } catch (error) {
      // What only user space knows is no flow of a kernel.
      if (!(error instanceof UserspaceOnlyError)) throw error;
      return;
    }
    roundTrip(line);
  });

  test("random actions", () => {
    fc.assert(
      fc.property(actionList, (actions) => {
        roundTrip(`in_port(1),eth() ${actions}`);
      }),
      PROPERTY,
    );
  });
});

test("what it looks like", () => {
  const line =
    "ufid:01234567-89ab-cdef-0123-456789abcdef, in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/255.0.0.0,proto=17,frag=no),udp(dst=53), packets:3, bytes:180, used:1.500s, flags:S., actions:set(ipv4(ttl=63)),ct(commit,nat(src=1.1.1.1)),sample(sample=50.0%,actions(drop)),pop_vlan,2";
  expect(lineToFlowJson(line)).toEqual({
    ufid: "01234567-89ab-cdef-0123-456789abcdef",
    key: {
      in_port: 1,
      eth: {},
      eth_type: "0x0800",
      ipv4: { src: "10.0.0.0/255.0.0.0", proto: 17, frag: "no" },
      udp: { dst: 53 },
    },
    packets: 3,
    bytes: 180,
    used: 1.5,
    flags: "S.",
    actions: [
      { set: { ipv4: { ttl: 63 } } },
      { ct: { commit: true, nat: { src: "1.1.1.1" } } },
      { sample: { sample: 50, actions: [] } },
      { pop_vlan: true },
      { output: 2 },
    ],
  });
  expect(lineToFlowJson("modify in_port(1),eth()")).toEqual({
    verb: "modify",
    key: { in_port: 1, eth: {} },
  });
  expect(lineToFlowJson("in_port(eth0),eth() br-int,1,drop")).toEqual({
    key: { in_port: "eth0", eth: {} },
    actions: [{ output: "br-int" }, { output: 1 }, { drop: true }],
  });
  expect(flowJsonToLine({ key: { eth: {} }, actions: [] })).toBe("eth() drop");
  expect(flowJsonToLine({ verb: "delete", key: { eth: {}, in_port: 1 } })).toBe(
    "delete eth(),in_port(1) ",
  );
});

test.each([
  ["in_port(1),eth() x=y(", FlowSyntaxError],
  ["foo", FlowSyntaxError],
  ["", FlowSyntaxError],
  ["# in_port(1),eth() 2", FlowSyntaxError],
  ["in_port(1),eth() )", FlowSyntaxError],
  ["in_port(1),eth() 2)", FlowSyntaxError],
  ["in_port(1),eth(), packets:1", FlowSyntaxError],
  // A flow, but not as it is printed: nothing of it is dropped without a word.
  ["in_port(1)eth() 2", AssertionError],
])("text that no dump has is an error: %j", (text, error) => {
  expect(() => lineToFlowJson(text)).toThrow(error);
});

describe("an error names the path", () => {
  const flow = (actions: unknown): unknown => ({ key: { eth: {} }, actions });
  const cases: readonly (readonly [string, unknown, string])[] = [
    [".", 5, "a flow"],
    [".kye", { kye: {} }, "one of verb, ufid, key"],
    [".key", { actions: [] }, "a key"],
    [".ufid", { ufid: "x", key: {} }, "a UUID"],
    [".verb", { verb: "put", key: {} }, "add, modify or delete"],
    [".key.ip4", { key: { ip4: {} } }, "a key that is known"],
    [".key.ipv4", { key: { ipv4: 5 } }, "an object"],
    [".key.ipv4.tll", { key: { ipv4: { tll: 5 } } }, "one of src, dst, proto, tos, ttl, frag"],
    [".key.ipv4.ttl", { key: { eth: {}, ipv4: { ttl: 256 } }, actions: [] }, "255"],
    [".key.in_port", { key: { in_port: -1 } }, "a whole number"],
    [".key.in_port", { key: { in_port: "1),eth(" } }, "a whole number, or a string without"],
    [".key.mpls", { key: { mpls: {} } }, "a list of objects"],
    [".actions", flow({}), "a list of actions"],
    [".actions[1]", flow([{ output: 1 }, { output: 1, drop: 1 }]), "one member"],
    [".actions[0].push_vlan.vid", flow([{ push_vlan: { vid: 4096 } }]), "a number from 0 to 4095"],
    [".actions[0].push_vlan", flow([{ push_vlan: { pcp: 1 } }]), "vid= as well"],
    [".actions[0].pop_vlan", flow([{ pop_vlan: {} }]), "true"],
    [
      ".actions[0].clone[0].sample.sample",
      flow([{ clone: [{ sample: { sample: 101, actions: [] } }] }]),
      "from 0 to 100",
    ],
    [".actions[0].tnl_pop", flow([{ tnl_pop: 4 }]), "only OVS's userspace datapath knows tnl_pop"],
    [".actions[0].pop_vlna", flow([{ pop_vlna: true }]), 'did you mean "pop_vlan"?'],
    [".actions[0].constructor", flow([{ constructor: 1 }]), "an action that is known"],
    [".actions[0].br0", flow([{ br0: true }]), "an action that is known"],
    [".key.eht", { key: { eht: {} } }, 'did you mean "eth"?'],
    [".key.ipv4.scr", { key: { ipv4: { scr: "::1" } } }, 'did you mean "src"?'],
    [".pakets", { key: {}, pakets: 1 }, 'did you mean "packets"?'],
    [".packets", { key: {}, packets: -1 }, "a whole number"],
    [".bytes", { key: {}, bytes: 1.5 }, "a whole number"],
    [".used", { key: {}, used: "soon" }, "never"],
    [".flags", { key: {}, flags: 1 }, "a string"],
  ];
  test.each(cases)("%s of %j", (path, json, expected) => {
    const error = thrownBy(() => bytesOfJson(json));
    if (!(error instanceof FlowJsonError)) throw error;
    expect(error).toBeInstanceOf(FlowSyntaxError);
    expect(error.path).toBe(path);
    expect(error.message).toContain(expected);
    expect(error.line).toBe(7);
    expect(error.code).toBe("FLOW_JSON");
  });

  test("and draws the place in the JSON", () => {
    const json = {
      key: { eth: {}, eth_type: "0x0800", ipv4: { src: "10.0.0.1", dst: "10.0.0.2", ttl: 256 } },
      actions: [{ output: 2 }],
    };
    const error = thrownBy(() => bytesOfJson(json));
    if (!(error instanceof FlowJsonError)) throw error;
    const [shown = "", caret = ""] = error.caret().split("\n");
    expect(shown.slice(caret.indexOf("^"))).toBe('256}},"actions":[{"output":2}]}');
    expect(shown).toMatch(/^…[^ ]{60}256/);
    for (const [wrong, place] of [
      [{ key: { in_port: -1 } }, "-1}}"],
      [{ actions: [] }, '{"actions":[]}'],
      [{ key: {}, actions: [{ output: 1 }, {}] }, "{}]}"],
      ["x", '"x"'],
    ] as const) {
      const failed = thrownBy(() => bytesOfJson(wrong));
      if (!(failed instanceof FlowJsonError)) throw failed;
      expect(failed.text.slice(failed.caretAt)).toBe(place);
    }
  });

  test("lists in lists end somewhere", () => {
    let actions: unknown[] = [];
    for (let i = 0; i < 10_000; i++) actions = [{ clone: actions }];
    expect(thrownBy(() => bytesOfJson(flow(actions)))).toBeInstanceOf(FlowJsonError);
  });

  test("random JSON is a flow or an error", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (key, actions) => {
        for (const json of [key, { key, actions }, { key: { eth: key }, actions: [actions] }]) {
          try {
            bytesOfJson(json);
          } catch (error) {
            if (!(error instanceof FlowJsonError)) throw error;
          }
        }
      }),
    );
  });
});

test("a lone drop is the empty list, as in text; a number makes it the action", () => {
  for (const [json, line] of [
    [{ drop: true }, "eth() drop"],
    [{ drop: 0 }, "eth() drop(0)"],
    [{ clone: [{ drop: true }] }, "eth() clone(drop)"],
  ] as const)
    expect(bytesOfJson({ key: { eth: {} }, actions: [json] })).toBe(bytesOfLine(line));
});

test("each entry of a stack stays one, whatever it leaves out", () => {
  const field = (max: number): fc.Arbitrary<number> => fc.nat({ max });
  const entry = fc.record(
    { label: field(0xfffff), tc: field(7), ttl: field(255), bos: field(1) },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.array(entry, { minLength: 1, maxLength: 3 }), (mpls) => {
      const key = { eth: {}, eth_type: "0x8847", mpls };
      const text = mpls
        .map(
          ({ label = "0/0", tc = "0/0", ttl = "0/0", bos = "0/0" }) =>
            `label=${label},tc=${tc},ttl=${ttl},bos=${bos}`,
        )
        .join(",");
      expect(bytesOfJson({ key, actions: [] })).toBe(
        bytesOfLine(`eth(),eth_type(0x8847),mpls(${text}) drop`),
      );
    }),
    PROPERTY,
  );
});

test("the schema refuses what is not a flow", () => {
  expect(errorsOf({ key: {}, actions: [{ push_vlan: { pcp: 1 } }] })).not.toEqual([]);
  expect(errorsOf({ key: { ip4: {} } })).not.toEqual([]);
  expect(errorsOf({ key: { in_port: [] } })).not.toEqual([]);
  expect(errorsOf({ key: {}, actions: [{ pop_vlan: {} }] })).not.toEqual([]);
  expect(errorsOf({ actions: [] })).not.toEqual([]);
});

test("the schema knows ranges, addresses and words", () => {
  for (const key of [
    { ipv4: { ttl: 256 } },
    { ipv4: { ttl: "-1" } },
    { ipv4: { src: "10.0.0" } },
    { ipv4: { src: 10 } },
    { ipv4: { frag: "maybe" } },
    { arp: { op: 256 } },
    { eth: { src: "00:01" } },
    { eth_type: 65536 },
    { tcp_flags: "+syyn" },
    { tcp_flags: 4096 },
    { vlan: { vid: 4096 } },
    { tunnel: { flags: "dff" } },
  ])
    expect([key, errorsOf({ key })]).not.toEqual([key, []]);
  for (const action of [
    { recirc: 2 ** 32 },
    { push_vlan: { vid: 4096 } },
    { ct: { zone: 65536 } },
    { trunc: "x" },
    { push_eth: { src: "x", dst: "x" } },
  ])
    expect([action, errorsOf({ key: {}, actions: [action] })]).not.toEqual([action, []]);
});

test("an error in a line of JSON has its column there, in bytes", () => {
  const encoder = new FlowJsonLineEncoder(new FlowLineEncoder({ ufid: true }));
  for (const [line, at] of [
    ['{"key":{"in_port":1, "ipv4": {"ttl":  300}}}', "300}"],
    ['  {"key":{"eth":{}, "ip4":{}}}', '"ip4"'],
    ['{"key":{"eth":{}},"actions":[{"output":1},{"push_vlan":{"vid":4096}}]}', "4096}"],
    ['{"key":{"eth":{}},"actions":[{"output":1}, {"push_vlan":{"pcp":1}}]}', '{"pcp":1}'],
    ['{"flags":"ö", "key":{"eth":{}},"packets":-1}', "-1}"],
    ['{"actions":[]}', '{"actions"'],
    ["nonsense", "nonsense"],
    ["{]", "{]"],
    ['[{"key":}', "[{"],
  ] as const) {
    const bytes = new TextEncoder().encode(`xx${line}`);
    WRITER.reset(0, WRITER.memory.size);
    const error = thrownBy(() => encoder.encode(bytes, 2, bytes.length, 3, WRITER));
    if (!(error instanceof FlowJsonError)) throw error;
    expect(
      Buffer.from(line)
        .subarray(error.column - 1)
        .toString(),
    ).toStartWith(at);
    expect(error.text.slice(error.caretAt)).toStartWith(at);
  }
});
