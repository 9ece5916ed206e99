import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ACTIONS } from "../../../src/flow/action/table.ts";
import { UserspaceOnlyError } from "../../../src/flow/userspace-only.ts";
import { FlowSyntaxError } from "../../../src/flow/text/syntax-error.ts";
import * as uapi from "../../../src/uapi/openvswitch.ts";
import { actionsText, encodeActions, hex, thrownBy, unhex } from "./support.ts";
import { describeUnless } from "../../runner/skip.ts";

const ROOT = join(import.meta.dir, "../../..");
const CONFORMANCE = join(ROOT, "../shared/conformance");

function linesOf(path: string): readonly string[] {
  const text = readFileSync(path, "utf8");
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

const CORPUS = linesOf(join(ROOT, "test/flow/corpus/actions.txt"));

describe("the corpus", () => {
  test.each(CORPUS)("%s", (line) => {
    const bytes = encodeActions(line);
    expect(actionsText(bytes)).toBe(line);
    expect(hex(encodeActions(actionsText(bytes)))).toBe(hex(bytes));
  });

  test("covers every row of the table", () => {
    const names = new Set(ACTIONS.filter(({ name }) => name !== "output").map(({ name }) => name));
    for (const line of CORPUS) for (const name of line.match(/[a-z_]+/g) ?? []) names.delete(name);
    expect([...names]).toEqual([]);
  });

  test("so do the examples of the table", () => {
    for (const { examples } of ACTIONS) {
      for (const example of examples) expect(actionsText(encodeActions(example))).toBe(example);
    }
  });
});

describe("what is read but printed otherwise", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", "drop"],
    ["  \t", "drop"],
    ["DROP", "drop"],
    ["drop,", "drop"],
    ["0x10", "16"],
    ["output(3)", "3"],
    ["1 2\t3,,4", "1,2,3,4"],
    ["1,drop(0)", "1,drop"],
    ["clone()", "clone(drop)"],
    ["clone( drop )", "clone(drop)"],
    ["dec_ttl(le_1())", "dec_ttl(le_1(drop))"],
    ["recirc(1)", "recirc(0x1)"],
    ["recirc(0x1)", "recirc(0x1)"],
    ["pop_vlan()", "pop_vlan"],
    ["pop_nsh", "pop_nsh()"],
    ["ct()", "ct"],
    ["ct(zone=0)", "ct"],
    ["ct(commit,mark=10)", "ct(commit,mark=0x10/0xffffffff)"],
    ["ct(commit,mark=1/0)", "ct(commit)"],
    ["ct(commit,label=255)", "ct(commit,label=0xff)"],
    ["ct(nat(),commit)", "ct(commit,nat)"],
    ["ct(commit,nat(random,src=10.0.0.1-10.0.0.1:5-5))", "ct(commit,nat(src=10.0.0.1:5,random))"],
    ["push_vlan(pcp=1,vid=2)", "push_vlan(vid=2,pcp=1)"],
    ["push_vlan(cfi=1,vid=2,tpid=0x8100)", "push_vlan(vid=2,pcp=0)"],
    [
      "push_eth(dst=1:2:3:4:5:6,src=0:0:0:0:0:1)",
      "push_eth(src=00:00:00:00:00:01,dst=01:02:03:04:05:06)",
    ],
    ["userspace(pid=1)", `userspace(pid=1,userdata(${"00".repeat(48)}))`],
    ["userspace(pid=1,userdata(01 02))", "userspace(pid=1,userdata(0102000000000000))"],
    [
      "userspace(tunnel_out_port=1,actions,pid=2,ipfix(output_port=3))",
      "userspace(pid=2,ipfix(output_port=3),actions,tunnel_out_port=1)",
    ],
    ["userspace(pid=1,slow_path(cfm|match))", "userspace(pid=1,slow_path(cfm,match))"],
    ["userspace(pid=1,slow_path(ofp_in_port=65535,cfm))", "userspace(pid=1,slow_path(cfm))"],
    [
      "userspace(pid=1,controller(reason=1,dont_send=0x1,continuation=0,recirc_id=4,rule_cookie=5555,controller_id=0,max_len=1))",
      "userspace(pid=1,controller(reason=1,dont_send=1,continuation=0,recirc_id=4,rule_cookie=0x5555,controller_id=0,max_len=1))",
    ],
    ["sample(actions(1),sample=50%)", "sample(sample=50.0%,actions(1))"],
    ["check_pkt_len(le(1),gt(2),size=9)", "check_pkt_len(size=9,gt(2),le(1))"],
    [
      "push_nsh()",
      "push_nsh(flags=0,ttl=63,mdtype=1,np=3,spi=0x0,si=255,c1=0x0,c2=0x0,c3=0x0,c4=0x0)",
    ],
    [
      "push_nsh(mdtype=2,md2=0x0102030405)",
      "push_nsh(flags=0,ttl=63,mdtype=2,np=3,spi=0x0,si=255,md2=0x0102030405000000)",
    ],
    ["clone(push_vlan(vid=1,pcp=0)2)", "clone(push_vlan(vid=1,pcp=0),2)"],
    ["set(udp(src=81/0xff00))", "set(udp(src=0/0xff00))"],
    ["action7(05 00 00 00)", "recirc(0x5)"],
    // Of a packet_type, which text does not set.
    ["action3(08 00 1d 00 00 00 00 00)", "action3(08 00 1d 00 00 00 00 00)"],
  ];
  test.each(cases)("%s", (text, printed) => {
    expect(actionsText(encodeActions(text))).toBe(printed);
  });
});

describe("attributes", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["drop", ""],
    ["2", "08000100 02000000"],
    ["drop(2)", "08001800 02000000"],
    ["push_vlan(vid=5,pcp=1)", "08000400 81003005"],
    ["set(tcp(src=80,dst=8080))", "0c000300 08000900 00501f90"],
    ["set(tcp(src=80))", "10000b00 0c000900 00500000 ffff0000"],
    [
      "set(ipv6(label=0))".replace("label=0", "hlimit=1"),
      `58000b00 54000800 ${"00000000 ".repeat(9)}00000100 ${"00000000 ".repeat(9)}0000ff00`,
    ],
    ["psample(group=1,cookie=0x0102)", "14001980 08000100 01000000 06000200 01020000"],
    // As ovs-dpctl prints bytes: without a leading zero.
    // As the kernel's own ovs-dpctl.py writes it.
    ["psample(group=1,cookie=0102)", "14001980 08000100 01000000 06000200 01020000"],
    ["psample(group=1,cookie=0x102)", "14001980 08000100 01000000 06000200 01020000"],
    [
      "check_pkt_len(size=5,gt(1),le(2))",
      "24001500 06000100 05000000 0c000300 08000100 02000000 0c000200 08000100 01000000",
    ],
    [
      "push_nsh(spi=0x1)",
      "28001100 24001c00 0c000100 003f0103 000001ff 14000200 00000000 00000000 00000000 00000000",
    ],
    ["hash(sym_l4(7))", "0c000800 01000000 07000000"],
    ["set(encap())", "08000300 04000100"],
  ];
  test.each(cases)("%s", (text, wanted) => {
    expect(hex(encodeActions(text))).toBe(hex(unhex(wanted)));
  });

  test("one cookie's words are where OVS's user_action_cookie has them", () => {
    const bytes = encodeActions("userspace(pid=9,sFlow(vid=9,pcp=7,output=10))");
    const cookie = `0100 0000 ffff 0000 ${"00".repeat(16)} f0090000 0a000000 ${"00".repeat(16)}`;
    expect(hex(bytes)).toBe(hex(unhex(`40000200 08000100 09000000 34000200 ${cookie}`)));
  });

  test("a cookie that text cannot say is printed as its bytes", () => {
    const text = "userspace(pid=9,slow_path(cfm))";
    const bytes = encodeActions(text);
    // What no member of the struct covers.
    bytes[4 + 8 + 4 + 2] = 0x77;
    const printed = actionsText(bytes);
    expect(printed).toStartWith("userspace(pid=9,userdata(0200");
    expect(hex(encodeActions(printed))).toBe(hex(bytes));
  });

  test("equal actions are byte-equal whatever the order of their members", () => {
    const one = encodeActions("ct(commit,zone=5,helper=ftp,nat(src=1.1.1.1,random))");
    const other = encodeActions("ct(nat(random,src=1.1.1.1),helper=ftp,zone=5,commit)");
    expect(hex(other)).toBe(hex(one));
  });

  test("left-over bytes are shown, and do no harm", () => {
    expect(actionsText(unhex("08000100 02000000 0102"))).toBe("2,***2 leftover bytes*** (0102)");
    expect(actionsText(unhex("01"))).toBe("<empty>,***1 leftover bytes*** (01)");
  });
});

function nested(depth: number): string {
  return "clone(".repeat(depth) + "1" + ")".repeat(depth);
}

function list(count: number): string {
  return Array.from({ length: count }, () => "set(encap())").join(",");
}

function data(bytes: number): string {
  return `userspace(pid=1,userdata(${"aa".repeat(bytes)}),actions)`;
}

const NO_MASKS = "no masks: set(tunnel(…)) writes whole fields";

describe("errors", () => {
  // The text, the column of the error, the expectation, the suggested word.
  const cases: readonly (readonly [string, number, string, ...string[]])[] = [
    ["1,,x", 4, "an action"],
    ["pop_vlna", 1, "an action", "pop_vlan"],
    ["1;2", 2, '"," or the end of the actions'],
    ["12pop_vlan", 3, '"," or the end of the actions'],
    ["-1", 1, "an action"],
    ["4294967296", 1, "a port number"],
    ["push_vlan(vid=4096,pcp=0)", 15, "a number from 0 to 4095"],
    ["push_vlan(vid=1,pcp=8)", 21, "a number from 0 to 7"],
    ["push_vlan(pcp=1)", 16, "vid= as well"],
    ["push_vlan(vid=1,vid=2)", 17, "vid only once"],
    ["push_vlan(vdi=1)", 11, "one of tpid, vid, pcp, cfi", "vid"],
    ["push_vlan", 10, '"(": push_vlan([tpid=0xN,]vid=N[,pcp=N][,cfi=N])'],
    ["push_vlan(vid=1", 16, '"," or ")"'],
    ["clone(1", 8, '")"'],
    ["sample(sample=101%,actions(1))", 15, "a percentage from 0 to 100"],
    ["sample(sample=5,actions(1))", 16, '"%"'],
    ["sample(sample=5%)", 7, "actions( as well"],
    [
      "ct(comit)",
      4,
      "one of commit, force_commit, zone, mark, label, helper, timeout, eventmask, nat",
      "commit",
    ],
    ["ct(commit,force_commit)", 11, "only one of commit, force_commit"],
    ["ct(zone=65536)", 9, "zone from 0 to 65535"],
    ["ct(commit,helper=sixteen-letters-)", 18, "a name of 1 to 15 letters"],
    ["ct(commit,nat(src,dst))", 19, "src or dst, not both"],
    ["ct(commit,nat(src=1.1.1.1,hash,random))", 32, "hash or random, not both"],
    ["ct(commit,nat(random))", 21, "src or dst as well"],
    ["ct(commit,nat(src=1.1.1.2-1.1.1.1))", 19, "a range that does not end before it starts"],
    ["ct(commit,nat(src=1.1.1.1:9-8))", 29, "a range that does not end before it starts"],
    ["ct(commit,nat(src=1.1.1.1-::1))", 19, "two addresses of one kind"],
    ["psample()", 8, "group= as well"],
    ["psample(group=1,group=2)", 17, "group only once"],
    ["psample(group=1,cookie=0x0102030405060708090a0b0c0d0e0f1011)", 24, "at most 16 bytes"],
    ["psample(group=1,cookie=0x)", 24, "0x and hexadecimal digits, or pairs of them alone"],
    ["psample(group=1,cookie=5)", 24, "0x and hexadecimal digits, or pairs of them alone"],
    ["psample(group=1,cookie=)", 24, "0x and hexadecimal digits, or pairs of them alone"],
    [`psample(group=1,cookie=${"01".repeat(17)})`, 24, "at most 16 bytes"],
    ["userspace(actions)", 10, "pid= as well"],
    ["userspace(pid=1,slow_path(x))", 27, "one of cfm, bfd, lacp, stp, lldp, action, match"],
    [
      "userspace(pid=1,userdata(01),ipfix(output_port=1))",
      30,
      "only one of sFlow, slow_path, flow_sample, ipfix, controller, userdata, exact_userdata, no_userdata",
    ],
    ["userspace(pid=1,userdata(0))", 26, "two hexadecimal digits a byte"],
    ["hash(l5(0))", 6, "l4(N) or sym_l4(N)"],
    ["push_nsh(mdtype=1,md2=0x01020304)", 23, "mdtype=2 with md2="],
    ["push_nsh(mdtype=3)", 9, "mdtype=1 or mdtype=2"],
    ["action16384(00)", 1, "an action number up to 16383"],
    ["set(ipv4(ttl=256))", 14, ""],
    ["set()", 5, "a key such as in_port(1)"],
    ["set(encap(eth_type(0x0800)))", 5, "nothing in encap()"],
    [
      "userspace(pid=1,controller(reason=0,dont_send=2,continuation=0,recirc_id=0,rule_cookie=0,controller_id=0,max_len=0))",
      47,
      "a number from 0 to 1",
    ],
    ["set(tunnel(tun_id=0x5/0xff,dst=1.1.1.1,ttl=64))", 22, NO_MASKS],
    ["set(tunnel(tun_id=5,dst=1.1.1.1/8,ttl=64))", 32, NO_MASKS],
    ["set(tunnel(dst=1.1.1.1,tos=4/0,ttl=64))", 29, NO_MASKS],
    ["set(tunnel(dst=1.1.1.1,ttl=64,flags(+df-csum)))", 5, NO_MASKS],
    ["set(tunnel(dst=1.1.1.1,ttl=64,vxlan(gbp(id=3/0xff,flags=4))))", 45, NO_MASKS],
    ["set(tunnel(dst=1.1.1.1,ttl=64,erspan(ver=1,idx=1/0xf)))", 49, NO_MASKS],
    ["set(tunnel(dst=1.1.1.1,ttl=64,geneve({class=1/0,type=2,len=4,0xa})))", 46, NO_MASKS],
    ["set(tunnel(dst=1.1.1.1,ttl=64,geneve({class=1,type=2,len=4,0xa/0xb})))", 63, NO_MASKS],
  ];
  test.each(cases.map((one) => [one[0], one] as const))("%s", (text, one) => {
    const [, column, expected, suggestion] = one;
    const error = thrownBy(() => encodeActions(text));
    if (!(error instanceof FlowSyntaxError)) throw error;
    expect(error.column).toBe(column);
    if (expected !== "") expect(error.expected).toBe(expected);
    expect(error.suggestion).toBe(suggestion);
    expect(error.code).toBe("FLOW_SYNTAX");
  });

  test.each([
    ["tnl_push(tnl_port(4))", "tnl_push", "an action"],
    ["1,tnl_pop(4)", "tnl_pop", "an action"],
    ["clone(lb_output(1))", "lb_output", "an action"],
    ["set(tunnel(dst=1.1.1.1,ttl=64,gtpu(flags=1,msgtype=255)))", "gtpu", "a field"],
    ["set(nd_ext(nd_reserved=1))", "nd_ext", "a key"],
    ["set(packet_type(ns=0,id=0))", "packet_type", "a key"],
  ])("%s is refused by name", (text, name, kind) => {
    const error = thrownBy(() => encodeActions(text));
    if (!(error instanceof UserspaceOnlyError)) throw error;
    expect(error.code).toBe("FLOW_USERSPACE_ONLY");
    expect(error.expected).toBe(`${kind} of a kernel: only OVS's userspace datapath knows ${name}`);
    expect(error.column).toBe(text.indexOf(name) + 1);
    expect(error.caret().split("\n")[1]).toBe(`${" ".repeat(text.indexOf(name))}^`);
  });

  test("a tunnel whose masks are all ones, or that leaves a field out, is set", () => {
    const whole =
      "set(tunnel(tun_id=0x5,dst=1.1.1.1,ttl=64,geneve({class=0,type=0x2,len=4,0xa}),flags(key)))";
    const masked =
      "set(tunnel(tun_id=5/0xffffffffffffffff,dst=1.1.1.1/32,ttl=64/0xff,tos=0/0,geneve({type=2,len=4,0xa/0xffffffff}),flags(8/15)))";
    expect(actionsText(encodeActions(masked))).toBe(whole);
  });

  test("lists nest 32 deep and no deeper", () => {
    expect(actionsText(encodeActions(nested(28)))).toBe(nested(28));
    expect(encodeActions(nested(32)).length).toBe(32 * 4 + 8);
    expect(thrownBy(() => encodeActions(nested(33)))).toBeInstanceOf(FlowSyntaxError);
    // Deeper than it is printed as such, the list is kept as bytes.
    const deep = encodeActions(nested(32));
    expect(hex(encodeActions(actionsText(deep)))).toBe(hex(deep));
  });

  test("actions hold 65,531 bytes and no more", () => {
    expect(encodeActions(list(8191)).length).toBe(65_528);
    expect(thrownBy(() => encodeActions(list(8192)))).toBeInstanceOf(FlowSyntaxError);
    expect(actionsText(encodeActions(data(65_508)))).toBe(data(65_508));
    expect(thrownBy(() => encodeActions(data(65_509)))).toBeInstanceOf(FlowSyntaxError);
  });
});

describe("names of ports", () => {
  const names = new Map([
    ["eth0", 1],
    ["br-int", 2],
    ["eth0.100", 3],
    ["10g0", 4],
    ["drop", 5],
    ["pop_vlan", 6],
    ["vxlan_sys_4789", 7],
  ]);
  const ports = {
    numberOf: (name: string): number | undefined => names.get(name),
    nameOf: (number: number): string | undefined =>
      [...names].find(([, value]) => value === number)?.[0],
  };

  test("are read and printed", () => {
    const text = "eth0,br-int,eth0.100,vxlan_sys_4789,8";
    expect(actionsText(encodeActions(text, ports), ports)).toBe(text);
    expect(actionsText(encodeActions(text, ports))).toBe("1,2,3,7,8");
    expect(actionsText(encodeActions("clone(eth0)", ports), ports)).toBe("clone(eth0)");
    const cookie = "userspace(pid=1,ipfix(output_port=eth0),tunnel_out_port=br-int)";
    expect(actionsText(encodeActions(cookie, ports), ports)).toBe(cookie);
  });

  test("that are words of the language are printed as ports", () => {
    const text = "10g0,output(drop),output(pop_vlan)";
    expect(actionsText(encodeActions("4,5,6"), ports)).toBe(text);
    expect(actionsText(encodeActions(text, ports))).toBe("4,5,6");
    expect(actionsText(encodeActions("10g0", ports))).toBe("4");
  });

  test("that are unknown are errors", () => {
    expect(thrownBy(() => encodeActions("eth7", ports))).toBeInstanceOf(FlowSyntaxError);
    expect(thrownBy(() => encodeActions("eth7.1", ports))).toBeInstanceOf(FlowSyntaxError);
    expect(thrownBy(() => encodeActions("eth0"))).toBeInstanceOf(FlowSyntaxError);
  });
});

const ABSENT = existsSync(CONFORMANCE) ? undefined : `there is no ${CONFORMANCE}`;

describeUnless(ABSENT)("the lines of OVS's own tests", () => {
  const lines = existsSync(CONFORMANCE) ? linesOf(join(CONFORMANCE, "actions.txt")) : [];
  const known = lines.filter((line) => !/^(tnl_push|tnl_pop|lb_output)\(/.test(line));

  test.each(known)("%s", (line) => {
    const bytes = encodeActions(line);
    const printed = actionsText(bytes);
    // A kernel takes no value with bits outside its mask: of a masked set() they are dropped.
    if (/set\(.*\//.test(line)) expect(hex(encodeActions(printed))).toBe(hex(bytes));
    else expect(printed).toBe(line);
  });

  test("those of the userspace datapath are refused by name", () => {
    const refused = lines.filter((line) => !known.includes(line));
    expect(refused.length).toBeGreaterThan(0);
    for (const line of refused)
      expect(thrownBy(() => encodeActions(line))).toBeInstanceOf(UserspaceOnlyError);
  });

  test("invalid ones are errors", () => {
    for (const line of linesOf(join(CONFORMANCE, "actions_invalid.txt")))
      expect(thrownBy(() => encodeActions(line))).toBeInstanceOf(FlowSyntaxError);
  });
});

test("the table has every action of linux/openvswitch.h once", () => {
  const types = Object.entries(uapi).filter(([name]) => name.startsWith("OVS_ACTION_ATTR_"));
  const numbers = types.map(([, type]) => Number(type)).sort((a, b) => a - b);
  expect(ACTIONS.map(({ type }) => type)).toEqual(numbers);
});
