/**
 * Records the kernel's messages for the tests of the decoders. In the lab, with ports and flows of
 * every kind:
 *
 *   millrace lab run --kernel uml -- sh -c 'for m in nf_conntrack_netlink vport-gre vport-vxlan
 *     vport-geneve veth; do modprobe $m; done; src/cli/bun test/ovs/record.ts' > test/ovs/recorded.ts
 *   src/cli/bun fmt test/ovs
 *
 * Another recording has other counters, times and numbers: the tests say what they expect of this
 * one.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { Datapath } from "../../src/index.ts";
import type { MessageReader } from "../../src/netlink/message.ts";
import { MulticastListener } from "../../src/netlink/multicast.ts";
import { OvsChannel, type OvsMessage, onMessage } from "../../src/ovs/channel.ts";
import type { PinnedMemory } from "../../src/sys/memory.ts";
import * as C from "../../src/uapi/conntrack.ts";
import { putWord } from "../../src/netlink/message.ts";
import { NETLINK_NETFILTER } from "../../src/uapi/netlink.ts";
import * as OVS from "../../src/uapi/openvswitch.ts";
import { FRAMES, LLC_FRAMES } from "../kernel/frames.ts";

const recorded = new Map<string, string[]>();

function keep(name: string, bytes: Uint8Array): void {
  const list = recorded.get(name) ?? [];
  list.push(bytes.toHex());
  recorded.set(name, list);
}

const attributes = (message: OvsMessage): Uint8Array =>
  message.bytes.slice(message.start, message.end);

function frame(name: string): Uint8Array {
  const found = [...FRAMES, ...LLC_FRAMES].find((each) => each.name === name);
  if (found === undefined) throw new Error(name);
  return found.packet;
}

const run = (...command: string[]): void => {
  if (Bun.spawnSync(command, { stdout: "ignore", stderr: "inherit" }).exitCode !== 0)
    throw new Error(command.join(" "));
};

using channel = new OvsChannel();
const group = (family: string, name: string): number =>
  channel.family(family).groups.get(name) ?? 0;
using changes = new MulticastListener(
  channel.openSocket(),
  [
    group(OVS.OVS_DATAPATH_FAMILY, OVS.OVS_DATAPATH_MCGROUP),
    group(OVS.OVS_VPORT_FAMILY, OVS.OVS_VPORT_MCGROUP),
    group(OVS.OVS_FLOW_FAMILY, OVS.OVS_FLOW_MCGROUP),
  ],
  (memory: PinnedMemory, message: MessageReader) => {
    const kind = [OVS.OVS_DATAPATH_FAMILY, OVS.OVS_VPORT_FAMILY, OVS.OVS_FLOW_FAMILY].find(
      (family) => channel.family(family).id === message.type,
    );
    // From the generic header on.
    keep(`${kind} event`, memory.u8.slice(message.payload, message.end));
    return message.type;
  },
);

// Frames of a test have no checksums.
for (const [name, value] of [
  ["checksum", "0"],
  ["acct", "1"],
] as const) {
  writeFileSync(`/proc/sys/net/netfilter/nf_conntrack_${name}`, value);
}
run("ip", "link", "add", "rec0v", "type", "veth", "peer", "name", "rec0w");
run("ip", "netns", "add", "rec0n");
const dp = Datapath.create("rec0", { features: ["vport-pids", "unaligned"], masksCacheSize: 512 });
dp.addPort("rec0i", { type: "internal", number: 3 });
dp.addPort("rec0v", { number: 7 });
dp.addPort("rec0x", {
  type: "vxlan",
  number: 9,
  tunnel: { destinationPort: 4790, groupPolicy: true },
});
dp.addPort("rec0g", { type: "geneve", number: 10 });
dp.addPort("rec0r", { type: "gre", number: 11 });
dp.addPort("rec0m", { type: "internal", number: 12 });
dp.movePort("rec0m", "rec0n");
for (const name of ["rec0i", "rec0v", "rec0w"]) run("ip", "link", "set", name, "up");
dp.put(
  "in_port(3),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/8,proto=6,frag=no),tcp(dst=80),tcp_flags(0/0) 7",
);
dp.put(
  "tunnel(tun_id=0x7,dst=10.0.0.2,ttl=64,flags(key)),in_port(9),eth(),eth_type(0x86dd),ipv6() 3,7",
);
dp.put("recirc_id(0x5),in_port(7),eth() drop");
await dp.load(new TextEncoder().encode("in_port(10),eth() 3\n"), { ufid: false });
dp.execute({ packet: frame("TCP"), key: "recirc_id(0),in_port(7)" }, "recirc(5)");
dp.execute({ packet: frame("TCP"), key: "in_port(7)" }, "recirc(5)");
dp.modify("recirc_id(0x5),in_port(7),eth() 3");
dp.put("in_port(11),eth() 3");
dp.remove("in_port(11),eth()");
{
  using upcalls = dp.upcalls();
  for (const [name, actions] of [
    ["UDP", "recirc(6)"],
    ["spanning tree", "recirc(6)"],
    ["two tags, UDP", "recirc(6)"],
    ["TCP", `trunc(40),userspace(pid=${upcalls.portId},userdata(0102030405060708),actions)`],
  ] as const) {
    dp.execute({ packet: frame(name), key: "in_port(7)" }, actions);
    const event = await upcalls.next({ timeoutMs: 5000 });
    if (event.kind === "lost") throw new Error("lost");
    keep(`${OVS.OVS_PACKET_FAMILY} ${event.kind}`, event.bytes.slice());
  }
}
for (const [family, version, command] of [
  [OVS.OVS_DATAPATH_FAMILY, OVS.OVS_DATAPATH_VERSION, OVS.OVS_DP_CMD_GET],
  [OVS.OVS_VPORT_FAMILY, OVS.OVS_VPORT_VERSION, OVS.OVS_VPORT_CMD_GET],
  [OVS.OVS_FLOW_FAMILY, OVS.OVS_FLOW_VERSION, OVS.OVS_FLOW_CMD_GET],
] as const) {
  const request = { family, version, command, datapath: dp.info().index, doing: "recording" };
  for (const message of channel.dump(request)) keep(family, attributes(message));
}
// Misses by CPU: an array in the datapath.
{
  using upcalls = dp.upcalls({ dispatch: "cpu" });
  if (upcalls.portId === 0) throw new Error("no socket");
  const request = {
    family: OVS.OVS_DATAPATH_FAMILY,
    version: OVS.OVS_DATAPATH_VERSION,
    command: OVS.OVS_DP_CMD_GET,
    datapath: 0,
    doing: "recording",
  };
  for (const message of channel.dump(request)) keep(OVS.OVS_DATAPATH_FAMILY, attributes(message));
}
dp.setMeter(4, { unit: "packets", bands: [{ rate: 1, burst: 1 }] });
dp.setMeter(5, { unit: "kilobits", bands: [] });
for (let i = 0; i < 9; i++) dp.execute({ packet: frame("UDP"), key: "in_port(7)" }, "meter(4),3");
for (const [command, id] of [
  [OVS.OVS_METER_CMD_FEATURES, undefined],
  [OVS.OVS_METER_CMD_GET, 4],
  [OVS.OVS_METER_CMD_GET, 5],
] as const) {
  const request = {
    family: OVS.OVS_METER_FAMILY,
    version: OVS.OVS_METER_VERSION,
    command,
    datapath: dp.info().index,
    doing: "recording",
    write: (w: { u32(type: number, value: number): void }) =>
      id === undefined ? undefined : w.u32(OVS.OVS_METER_ATTR_ID, id),
  };
  const name = `${OVS.OVS_METER_FAMILY}${id === undefined ? " features" : ""}`;
  channel.transact(
    request,
    onMessage((message) => keep(name, attributes(message))),
  );
}
dp.setCtLimits([
  { zone: "default", limit: 1000 },
  { zone: 0, limit: 7 },
]);
channel.transact(
  {
    family: OVS.OVS_CT_LIMIT_FAMILY,
    version: OVS.OVS_CT_LIMIT_VERSION,
    command: OVS.OVS_CT_LIMIT_CMD_GET,
    datapath: 0,
    doing: "recording",
  },
  onMessage((message) => keep(OVS.OVS_CT_LIMIT_FAMILY, attributes(message))),
);
for (const name of ["TCP", "UDP", "ICMP", "SCTP", "ICMPv6", "TCP over IPv6"]) {
  dp.execute({ packet: frame(name), key: "in_port(7)" }, "ct(commit,mark=5,label=0x9),3");
}
const request = {
  type: (C.NFNL_SUBSYS_CTNETLINK << 8) | C.IPCTNL_MSG_CT_GET,
  doing: "recording",
  write: (w: Parameters<typeof putWord>[0]) => putWord(w, 0),
};
for (const { memory, message } of channel.dumpWith(NETLINK_NETFILTER, request)) {
  keep("nf_conntrack", memory.u8.slice(message.payload, message.end));
}
dp.deletePort("rec0r");
dp.delete();
changes.read(1000);
run("ip", "link", "del", "rec0v");
run("ip", "netns", "del", "rec0n");

const kernel = readFileSync("/proc/sys/kernel/osrelease", "utf8").trim();
console.log(
  `// Recorded by record.ts on Linux ${kernel}: the attributes of messages, those of events and of`,
);
console.log("// connections from the header behind the one of netlink on.");
console.log("export const RECORDED: Readonly<Record<string, readonly string[]>> = {");
for (const [name, list] of recorded) {
  console.log(`${JSON.stringify(name)}: [${list.map((hex) => JSON.stringify(hex)).join(",")}],`);
}
console.log("};");
