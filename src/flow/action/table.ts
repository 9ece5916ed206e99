import * as uapi from "../../uapi/openvswitch.ts";
import { be16, be32, mac, u16 } from "../text/field.ts";
import { FieldSet } from "../text/field-set.ts";
import { WordTable } from "../text/words.ts";
import { CHECK_PKT_LEN, CT, DEC_TTL, PSAMPLE, SAMPLE, USERSPACE } from "./members.ts";
import { NSH_FIELDS } from "./nsh.ts";
import type { ActionSpec } from "./spec.ts";

export type { ActionSpec } from "./spec.ts";

// The table of actions: parse, print, JSON, the rules and the reference follow from it.

const MPLS = [
  be32("label", 0, { about: "label", shift: 12, bits: 20 }),
  be32("tc", 0, { about: "traffic class", shift: 9, bits: 3 }),
  be32("ttl", 0, { about: "time to live", bits: 8 }),
  be32("bos", 0, { about: "bottom of the stack", shift: 8, bits: 1 }),
  be16("eth_type", 4, { about: "0x8847 or 0x8848", radix: "0xhex" }),
];

const SET_SYNTAX = "set(KEY)";
const FLAG = { kind: "flag" } as const;

/** Every action that a kernel knows, by its number. `set` is SET and SET_MASKED: text decides which. */
export const ACTIONS: readonly ActionSpec[] = [
  {
    name: "output",
    type: uapi.OVS_ACTION_ATTR_OUTPUT,
    form: { kind: "output" },
    payload: 4,
    since: "3.3",
    probe: "1",
    about:
      "Sends the packet to a port, given by its number or, where a datapath is at hand, by its name.",
    syntax: "N",
    examples: ["2", "1,2,3"],
  },
  {
    name: "userspace",
    type: uapi.OVS_ACTION_ATTR_USERSPACE,
    form: { kind: "nest", members: USERSPACE },
    payload: -1,
    since: "3.3",
    probe: "userspace(pid=1)",
    about: "Sends the packet to the netlink socket with the port id `pid`, with user data.",
    syntax: "userspace(pid=N[,COOKIE][,actions][,tunnel_out_port=N])",
    examples: [
      "userspace(pid=6633,userdata(0102030405060708))",
      "userspace(pid=6633,sFlow(vid=9,pcp=7,output=10),actions,tunnel_out_port=10)",
      "userspace(pid=9765,slow_path(cfm))",
      "userspace(pid=6633,ipfix(output_port=10))",
    ],
  },
  {
    name: "set",
    type: uapi.OVS_ACTION_ATTR_SET,
    form: { kind: "set" },
    payload: -1,
    since: "3.3",
    probe: "set(eth(dst=00:00:00:00:00:01))",
    about:
      "Writes fields of the packet or its metadata. All fields: SET; some of them, or some bits: SET_MASKED (4.0).",
    syntax: SET_SYNTAX,
    examples: ["set(ipv4(ttl=63))", "set(tcp(src=80,dst=8080))", "set(eth(dst=00:11:22:33:44:55))"],
  },
  {
    name: "push_vlan",
    type: uapi.OVS_ACTION_ATTR_PUSH_VLAN,
    form: {
      kind: "struct",
      fields: new FieldSet([
        be16("tpid", 0, {
          about: "0x8100 or 0x88a8",
          radix: "hex4",
          initial: 0x8100,
          hidden: true,
        }),
        be16("vid", 2, { about: "VLAN", bits: 12 }),
        be16("pcp", 2, { about: "priority", shift: 13, bits: 3, initial: 0 }),
        be16("cfi", 2, {
          about: "must be 1 for a kernel",
          shift: 12,
          bits: 1,
          initial: 1,
          hidden: true,
        }),
      ]),
    },
    payload: 4,
    since: "3.3",
    probe: "push_vlan(vid=1,pcp=0)",
    about: "Puts a VLAN tag before the packet's outermost one.",
    syntax: "push_vlan([tpid=0xN,]vid=N[,pcp=N][,cfi=N])",
    examples: ["push_vlan(vid=12,pcp=0)", "push_vlan(tpid=0x88a8,vid=12,pcp=3)"],
  },
  {
    name: "pop_vlan",
    type: uapi.OVS_ACTION_ATTR_POP_VLAN,
    form: FLAG,
    payload: 0,
    since: "3.3",
    probe: "pop_vlan",
    about: "Takes the outermost VLAN tag off.",
    syntax: "pop_vlan",
    examples: ["pop_vlan"],
  },
  {
    name: "sample",
    type: uapi.OVS_ACTION_ATTR_SAMPLE,
    form: { kind: "nest", members: SAMPLE },
    payload: -1,
    since: "3.3",
    probe: "sample(sample=1%,actions(drop))",
    about: "Does the actions for a share of the packets.",
    syntax: "sample(sample=P%,actions(ACTIONS))",
    examples: ["sample(sample=50.0%,actions(1,2))"],
  },
  {
    name: "recirc",
    type: uapi.OVS_ACTION_ATTR_RECIRC,
    form: { kind: "number", hex: true, about: "recirculation id" },
    payload: 4,
    since: "3.18",
    probe: "recirc(1)",
    about: "Looks the packet up once more, with another recirc_id.",
    syntax: "recirc(N)",
    examples: ["recirc(0x1)"],
  },
  {
    name: "hash",
    type: uapi.OVS_ACTION_ATTR_HASH,
    form: { kind: "hash" },
    payload: 8,
    since: "3.18",
    probe: "hash(l4(0))",
    about: "Computes dp_hash with a basis; sym_l4 (6.6) is the same for both directions.",
    syntax: "hash(l4(N)) or hash(sym_l4(N))",
    examples: ["hash(l4(0))", "hash(sym_l4(7))"],
  },
  {
    name: "push_mpls",
    type: uapi.OVS_ACTION_ATTR_PUSH_MPLS,
    form: { kind: "struct", fields: new FieldSet(MPLS) },
    payload: 8,
    since: "3.19",
    probe: "push_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x8847)",
    about: "Puts an MPLS label before the network header.",
    syntax: "push_mpls(label=N,tc=N,ttl=N,bos=N,eth_type=0xN)",
    examples: ["push_mpls(label=100,tc=0,ttl=64,bos=1,eth_type=0x8847)"],
  },
  {
    name: "pop_mpls",
    type: uapi.OVS_ACTION_ATTR_POP_MPLS,
    form: {
      kind: "struct",
      fields: new FieldSet([
        be16("eth_type", 0, { about: "ethertype of what is left", radix: "0xhex" }),
      ]),
    },
    payload: 2,
    since: "3.19",
    probe: "push_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x8847),pop_mpls(eth_type=0x800)",
    about: "Takes the outermost MPLS label off.",
    syntax: "pop_mpls(eth_type=0xN)",
    examples: ["pop_mpls(eth_type=0x800)"],
  },
  {
    name: "set",
    type: uapi.OVS_ACTION_ATTR_SET_MASKED,
    form: { kind: "set" },
    payload: -1,
    since: "4.0",
    probe: "set(eth(dst=00:00:00:00:00:01/00:00:00:00:00:ff))",
    about: "Writes the fields and bits that are given, and leaves the others.",
    syntax: SET_SYNTAX,
    examples: ["set(ipv4(tos=0x80/0xfc))"],
  },
  {
    name: "ct",
    type: uapi.OVS_ACTION_ATTR_CT,
    form: { kind: "nest", members: CT },
    payload: -1,
    since: "4.3",
    probe: "ct",
    about: "Sends the packet through connection tracking; nat since 4.6, timeout since 5.2.",
    syntax:
      "ct[([commit|force_commit][,zone=N][,mark=V/M][,label=V/M][,helper=NAME][,timeout=NAME][,nat[(NAT)]])]",
    examples: [
      "ct",
      "ct(commit,zone=5,mark=0xa0/0xf0)",
      "ct(commit,nat(src=10.0.0.240-10.0.0.254:32768-65535,random))",
    ],
  },
  {
    name: "trunc",
    type: uapi.OVS_ACTION_ATTR_TRUNC,
    form: { kind: "number", hex: false, about: "bytes, at least 14" },
    payload: 4,
    since: "4.8",
    probe: "trunc(14)",
    about: "Cuts the copy of the packet that the next output sends.",
    syntax: "trunc(N)",
    examples: ["trunc(100)"],
  },
  {
    name: "push_eth",
    type: uapi.OVS_ACTION_ATTR_PUSH_ETH,
    form: {
      kind: "struct",
      fields: new FieldSet([
        mac("src", 0, { about: "source address" }),
        mac("dst", 6, { about: "destination address" }),
      ]),
    },
    payload: 12,
    since: "4.10",
    probe: undefined,
    about: "Puts an Ethernet header before a packet that has none.",
    syntax: "push_eth(src=MAC,dst=MAC)",
    examples: ["push_eth(src=00:00:00:00:00:01,dst=00:00:00:00:00:02)"],
  },
  {
    name: "pop_eth",
    type: uapi.OVS_ACTION_ATTR_POP_ETH,
    form: FLAG,
    payload: 0,
    since: "4.10",
    probe: "pop_eth",
    about: "Takes the Ethernet header off.",
    syntax: "pop_eth",
    examples: ["pop_eth"],
  },
  {
    name: "ct_clear",
    type: uapi.OVS_ACTION_ATTR_CT_CLEAR,
    form: FLAG,
    payload: 0,
    since: "4.15",
    probe: "ct_clear",
    about: "Forgets what connection tracking knows of the packet.",
    syntax: "ct_clear",
    examples: ["ct_clear"],
  },
  {
    name: "push_nsh",
    type: uapi.OVS_ACTION_ATTR_PUSH_NSH,
    form: { kind: "nsh", fields: NSH_FIELDS },
    payload: -1,
    since: "4.15",
    probe: "push_nsh()",
    about: "Puts a network service header before the packet.",
    syntax:
      "push_nsh([flags=N][,ttl=N][,mdtype=N][,np=N][,spi=0xN][,si=N][,c1=0xN…c4=0xN|md2=0xHEX])",
    examples: [
      "push_nsh(flags=0,ttl=63,mdtype=1,np=3,spi=0x1,si=255,c1=0x1,c2=0x0,c3=0x0,c4=0x0)",
      "push_nsh(flags=0,ttl=63,mdtype=2,np=3,spi=0x1,si=255,md2=0x10203040)",
    ],
  },
  {
    name: "pop_nsh",
    type: uapi.OVS_ACTION_ATTR_POP_NSH,
    form: FLAG,
    payload: 0,
    since: "4.15",
    probe: undefined,
    about: "Takes the network service header off.",
    syntax: "pop_nsh()",
    examples: ["pop_nsh()"],
  },
  {
    name: "meter",
    type: uapi.OVS_ACTION_ATTR_METER,
    form: { kind: "number", hex: false, about: "id of the meter" },
    payload: 4,
    since: "4.15",
    probe: "meter(1)",
    about: "Drops what a meter does not let through; a meter that does not exist lets all through.",
    syntax: "meter(N)",
    examples: ["meter(3)"],
  },
  {
    name: "clone",
    type: uapi.OVS_ACTION_ATTR_CLONE,
    form: { kind: "actions" },
    payload: -1,
    since: "4.19",
    probe: "clone(drop)",
    about: "Does the actions to a copy of the packet.",
    syntax: "clone(ACTIONS)",
    examples: ["clone(push_vlan(vid=12,pcp=0),2)", "clone(drop)"],
  },
  {
    name: "check_pkt_len",
    type: uapi.OVS_ACTION_ATTR_CHECK_PKT_LEN,
    form: { kind: "nest", members: CHECK_PKT_LEN },
    payload: -1,
    since: "5.2",
    probe: "check_pkt_len(size=1,gt(drop),le(drop))",
    about: "Does one list of actions to packets longer than `size`, another to all others.",
    syntax: "check_pkt_len(size=N,gt(ACTIONS),le(ACTIONS))",
    examples: ["check_pkt_len(size=200,gt(4),le(5))", "check_pkt_len(size=200,gt(drop),le(5))"],
  },
  {
    name: "add_mpls",
    type: uapi.OVS_ACTION_ATTR_ADD_MPLS,
    form: {
      kind: "struct",
      fields: new FieldSet([
        ...MPLS,
        u16("tun_flags", 6, {
          about: "1: before the network header, not the packet",
          initial: 0,
          hidden: true,
        }),
      ]),
    },
    payload: 8,
    since: "5.6",
    probe: "add_mpls(label=1,tc=0,ttl=1,bos=1,eth_type=0x8847)",
    about:
      "Puts an MPLS label before the whole packet, or with tun_flags=1 before its network header.",
    syntax: "add_mpls(label=N,tc=N,ttl=N,bos=N,eth_type=0xN[,tun_flags=N])",
    examples: ["add_mpls(label=200,tc=7,ttl=64,bos=1,eth_type=0x8847)"],
  },
  {
    name: "dec_ttl",
    type: uapi.OVS_ACTION_ATTR_DEC_TTL,
    form: { kind: "nest", members: DEC_TTL },
    payload: -1,
    since: "5.7",
    probe: "dec_ttl(le_1(drop))",
    about: "Takes one off the TTL or hop limit; does the actions to a packet whose TTL was 1 or 0.",
    syntax: "dec_ttl(le_1(ACTIONS))",
    examples: ["dec_ttl(le_1(drop)),2"],
  },
  {
    name: "drop",
    type: uapi.OVS_ACTION_ATTR_DROP,
    form: { kind: "drop" },
    payload: 4,
    since: "6.7",
    probe: "drop(1)",
    about:
      "Alone and without a number: the empty list, which drops on every kernel. Else the action DROP with a reason; it must be the last.",
    syntax: "drop or drop(N)",
    examples: ["drop", "drop(2)"],
  },
  {
    name: "psample",
    type: uapi.OVS_ACTION_ATTR_PSAMPLE,
    form: { kind: "nest", members: PSAMPLE },
    payload: -1,
    since: "6.11",
    probe: "psample(group=1)",
    about: "Sends a sample of the packet to the kernel's psample group.",
    syntax: "psample(group=N[,cookie=0xHEX])",
    examples: ["psample(group=12)", "psample(group=12,cookie=0x0102)"],
  },
];

/** The newest action of a kernel: each new action got a greater type than all before it. */
export const NEWEST_ACTION: number = Math.max(...ACTIONS.map(({ type }) => type));

/** The actions that only OVS's userspace datapath (dpif-netdev) knows. None is sent to a kernel. */
export const USERSPACE_ACTIONS: readonly string[] = ["tnl_push", "tnl_pop", "lb_output"];

/** The row of an action's number, or undefined. */
export const ACTION_OF_TYPE: readonly (ActionSpec | undefined)[] = byType();

/** The words that begin an action. */
export const ACTION_WORDS: WordTable = new WordTable(wordList());

/** The row of each word, by its index in {@link ACTION_WORDS}. */
export const ACTION_OF_WORD: readonly ActionSpec[] = ACTION_WORDS.words.map(
  (word) => ACTIONS.find((action) => action.name === word) ?? fail(word),
);

/** Whether a word in a list of actions means something other than the port of that name. */
export function isActionWord(name: string): boolean {
  return (
    ACTION_WORDS.words.includes(name) ||
    USERSPACE_ACTIONS.includes(name) ||
    /^action[0-9]+$|^drop$/i.test(name)
  );
}

function byType(): readonly (ActionSpec | undefined)[] {
  const rows: (ActionSpec | undefined)[] = [];
  for (const action of ACTIONS) rows[action.type] = action;
  return rows;
}

function wordList(): readonly string[] {
  return [...new Set(ACTIONS.map((action) => action.name))];
}

function fail(word: string): never {
  throw new Error(`no action is called ${word}`);
}
