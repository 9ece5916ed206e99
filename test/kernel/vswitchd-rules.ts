import type { Random } from "../flow/rules/random.ts";
import { hex, KINDS, TAGS } from "./vswitchd-kinds.ts";

/**
 * OpenFlow rules, each with its frame. The frame's source distinguishes a rule from all others, so
 * whatever else it matches, under any mask, becomes the match of its flow in the datapath.
 */

/** A rule for ovs-ofctl, and the packet that creates its flow. */
export type Ruled = {
  readonly rule: string;
  readonly packet: Uint8Array;
  /** Where the packet comes from: a port of {@link PORTS}, or a tunnel of {@link TUNNELS}. */
  readonly from: string;
  /** Key of the tunnel that it came through. */
  readonly tunnel?: string;
};

/** Ports of the bridge, by name, each with its OpenFlow number behind it: 1, 2, … */
export const PORTS: readonly string[] = ["own-p1", "own-p2"];

/** Tunnels, by their port in the datapath: the names that ovs-vsctl gives them, and how. Numbers go on from PORTS. */
export const TUNNELS: readonly { port: string; name: string; options: readonly string[] }[] = [
  { port: "vxlan_sys_4789", name: "own-vx", options: ["type=vxlan"] },
  {
    port: "vxlan_sys_4790",
    name: "own-gbp",
    options: ["type=vxlan", "options:dst_port=4790", "options:exts=gbp"],
  },
  { port: "genev_sys_6081", name: "own-gn", options: ["type=geneve"] },
  {
    port: "gre_sys",
    name: "own-gre",
    options: ["type=gre", "options:tos=inherit", "options:ttl=9", "options:df_default=false"],
  },
];

/** Groups for ovs-ofctl. */
export const GROUPS: readonly string[] = [
  "group_id=1,type=all,bucket=output:1,bucket=output:2",
  "group_id=2,type=select,selection_method=dp_hash,bucket=weight=1,output:1,bucket=weight=2,output:2",
  "group_id=3,type=indirect,bucket=set_field:02:00:00:00:00:77->eth_dst,output:2",
  "group_id=4,type=select,selection_method=hash,fields(eth_src,eth_dst),bucket=weight=1,output:1,bucket=weight=9,output:2",
  "group_id=5,type=ff,bucket=watch_port:1,output:1,bucket=watch_port:2,output:2",
];

/** Meters for ovs-ofctl. */
export const METERS: readonly string[] = [
  "meter=1,kbps,band=type=drop,rate=100000",
  "meter=2,pktps,burst,band=type=drop,rate=1000,burst_size=2000",
];

/** What the rules of the first table resubmit to. */
export const TABLES: readonly string[] = [
  "table=1,reg0=1 actions=output:1",
  "table=1,reg0=0 actions=output:2",
  "table=2,priority=9,ct_state=+trk+inv actions=drop",
  "table=2,priority=5,ct_state=+trk+new,ct_mark=0 actions=output:2",
  "table=2,priority=5,ct_state=+trk+est actions=output:1",
  "table=2,priority=1 actions=output:1,output:2",
  "table=3,priority=1 actions=NORMAL",
];

const TAGGED_ACTIONS: readonly [string, ...string[]] = [
  "pop_vlan",
  "set_field:4107->vlan_vid",
  "set_field:5->vlan_pcp",
  "pop_vlan,push_vlan:0x88a8,set_field:4200->vlan_vid",
];
const UNTAGGED_ACTIONS: readonly [string, ...string[]] = [
  "push_vlan:0x8100,set_field:4105->vlan_vid",
  "push_vlan:0x88a8,set_field:4300->vlan_vid,push_vlan:0x8100,set_field:4301->vlan_vid",
];

/** What may be done to any packet. */
const ANY: readonly [string, ...string[]] = [
  "set_field:02:00:00:00:00:99->eth_dst",
  "set_field:00:00:00:12:00:00/00:00:00:ff:00:00->eth_src",
  "set_field:7->pkt_mark",
  "set_queue:3",
  "load:0x1->NXM_NX_REG0[],resubmit(,1)",
  "check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,1)",
  "clone(set_field:02:00:00:00:00:98->eth_dst,output:1)",
  "learn(table=3,NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],output:NXM_OF_IN_PORT[])",
  "sample(probability=32768,collector_set_id=1,obs_domain_id=5,obs_point_id=6)",
  "sample(probability=65535,collector_set_id=1,obs_domain_id=1,obs_point_id=2,sampling_port=1,egress)",
  "controller(reason=action,max_len=77)",
  "multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[])",
  "note:01.02.03",
];

/** Where packets go in the end. */
const LAST: readonly [string, ...string[]] = [
  "output:1",
  "output:2",
  "in_port",
  "LOCAL",
  "NORMAL",
  "FLOOD",
  "group:1",
  "group:2",
  "group:3",
  "group:4",
  "group:5",
  "resubmit(,3)",
  "goto_table:3",
  "output(port=2,max_len=60)",
  "bundle(eth_src,50,hrw,ofport,members:1,2)",
  "set_field:0x7->tun_id,set_field:10.3.3.3->tun_dst,output:3",
  "set_field:0x7->tun_id,set_field:10.3.3.3->tun_dst,set_field:10.4.4.4->tun_src,output:3",
  "set_field:0x8->tun_id,set_field:fd00::33->tun_ipv6_dst,output:3",
  "set_field:0x9->tun_id,set_field:5->tun_gbp_id,set_field:10.3.3.4->tun_dst,output:4",
  "set_field:0xa->tun_id,set_field:10.3.3.5->tun_dst,set_field:0x1234->tun_metadata0,output:5",
  "set_field:0xb->tun_id,set_field:10.3.3.6->tun_dst,set_field:0x12->tun_metadata0,set_field:0x112233445566->tun_metadata1,output:5",
  "set_field:0xc->tun_id,set_field:10.3.3.7->tun_dst,output:6",
  "drop",
];

/** Options of Geneve that have names, for ovs-ofctl. */
export const OPTIONS =
  "{class=0x102,type=0x80,len=4}->tun_metadata0,{class=0x103,type=0x1,len=8}->tun_metadata1";

/** How a packet comes out of each of TUNNELS, and what of it may be matched. */
const THROUGH: readonly { key: string; matches: readonly [string, ...string[]] }[] = [
  {
    key: "flags(df|key)",
    matches: [
      "tun_id=0x5",
      "tun_id=0x4/0x6",
      "tun_src=10.2.0.1",
      "tun_dst=10.2.0.0/16",
      "tun_flags=-oam",
    ],
  },
  // OVS 3.1 matches the group in packets of Geneve as well, which no kernel takes: no rule matches it.
  {
    key: "vxlan(gbp(id=5,flags=0x8)),flags(csum|key)",
    matches: ["tun_id=0x5", "tun_src=10.2.0.1"],
  },
  {
    key: "geneve({class=0x102,type=0x80,len=4,0x1234}{class=0x103,type=0x1,len=8,0x1122334455667788}),flags(key)",
    matches: [
      "tun_metadata0=0x1234",
      "tun_metadata0=0x34/0xff",
      "tun_metadata0,tun_metadata1",
      "tun_id=0x5,tun_metadata1=0x1122334455667788",
    ],
  },
  {
    key: "flags(key)",
    matches: ["tun_id=0x5", "tun_src=10.2.0.0/16", "tun_id=0x5,tun_dst=10.2.0.2"],
  },
];

/**
 * Rules of every kind, each with a frame of its own: the same seed gives the same.
 * @param tracks ovs-vswitchd names a zone in each ct(), so that a kernel without zones takes none
 */
export function randomRules(random: Random, count: number, tracks: boolean): Ruled[] {
  const found: Ruled[] = [];
  while (found.length < count) {
    const ruled = randomRule(random, found.length);
    if (tracks || !/\bct[_(]/.test(ruled.rule.split(" ")[1] ?? "")) found.push(ruled);
  }
  return found;
}

function randomRule(random: Random, index: number): Ruled {
  const kind = random.of(KINDS);
  const source = `02000001${hex(index, 2)}`;
  const dotted = source.match(/../g)?.join(":") ?? "";
  const matches = [`dl_src=${dotted}`, kind.wants];
  if (random.chance(40))
    matches.push(
      random.of(["dl_dst=02:00:00:00:00:aa", "dl_dst=02:00:00:00:00:00/ff:ff:00:00:00:00"]),
    );
  const tag =
    kind.isUntagged !== true && random.chance(40) ? TAGS[random.below(TAGS.length)] : undefined;
  const [tags = "", ...ofTags] = tag ?? [];
  // Tags that a rule does not match it may not take off.
  if (tag !== undefined) matches.push(ofTags[random.below(ofTags.length)] ?? "");
  else if (random.chance(50)) matches.push("vlan_tci=0x0000/0x1fff");
  for (const field of kind.fields) {
    if (random.chance(35)) matches.push(random.of([...field]));
  }
  const tunnel = random.chance(30) ? random.below(TUNNELS.length) : -1;
  const through = THROUGH[tunnel];
  if (through !== undefined) matches.push(random.of(through.matches));
  const actions: string[] = [];
  // A meter comes first. Where ovs-vswitchd carries out a list itself, as for ARP and ND, and has met a meter in it,
  // it never ends when another list is nested in that one (`dpif_execute_helper_cb` of OVS 3.1).
  if (random.chance(10)) actions.push(`meter:${1 + random.below(METERS.length)}`);
  else {
    for (let i = random.below(3); i > 0; i--) {
      const action = kind.actions[random.below(kind.actions.length)];
      if (action !== undefined) actions.push(action);
      // Another kind of packet has other fields.
      if (/^(?:pop|push)_mpls/.test(action ?? "")) break;
    }
  }
  for (let i = random.below(3); i > 0; i--) actions.push(random.of(ANY));
  if (random.chance(40))
    actions.push(random.of(tag === undefined ? UNTAGGED_ACTIONS : TAGGED_ACTIONS));
  const last = random.of(LAST);
  if (last !== "drop" || actions.length === 0) actions.push(last);
  const from = tunnel < 0 ? random.of(["own-p1", "own-p2"]) : (TUNNELS[tunnel]?.port ?? "");
  return {
    rule: `priority=20,${matches.join(",")} actions=${actions.join(",")}`,
    packet: Uint8Array.fromHex(
      `0200000000aa${source}${tags}${kind.type}${kind.payload}`.padEnd(120, "0"),
    ),
    from,
    ...(through === undefined
      ? {}
      : { tunnel: `tunnel(tun_id=0x5,src=10.2.0.1,dst=10.2.0.2,tos=0,ttl=64,${through.key})` }),
  };
}
