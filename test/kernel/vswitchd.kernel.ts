import { expect } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Datapath } from "../../src/index.ts";
import { IS_UML, millrace, TestDatapath, witness } from "./lab.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";
import { Random } from "../flow/rules/random.ts";
import { NO_VSWITCHD, Vswitchd } from "./vswitchd.ts";
import { GROUPS, METERS, OPTIONS, PORTS, randomRules, TABLES, TUNNELS } from "./vswitchd-rules.ts";

/*
 * Flows that a real ovs-vswitchd makes of OpenFlow rules and traffic: dpctl prints them as ovs-dpctl does, and a
 * dump of millrace brings them back, cookies and all.
 */

const OPENFLOW = [
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=1 actions=controller(reason=action,max_len=77),output:2",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=2 actions=sample(probability=32768,collector_set_id=1,obs_domain_id=5,obs_point_id=6),output:2",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=3 actions=mod_dl_src:02:00:00:00:00:99,dec_ttl,output:2",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=4 actions=push_vlan:0x8100,set_field:4105->vlan_vid,output:2",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=5 actions=push_mpls:0x8847,set_field:77->mpls_label,output:2",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=6 actions=check_pkt_larger(100)->NXM_NX_REG0[0],resubmit(,1)",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=7 actions=group:1",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=8 actions=ct(commit,exec(set_field:7->ct_mark)),output:2",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=9 actions=clone(set_field:9->nw_ttl,output:1),output:2",
  "priority=9,dl_type=0x0800,nw_proto=17,tp_dst=10 actions=output(port=2,max_len=60)",
  "priority=9,dl_vlan=7 actions=strip_vlan,output:2",
  "priority=1 actions=NORMAL",
  "table=1,reg0=1 actions=output:1",
  "table=1,reg0=0 actions=output:2",
];

/** An Ethernet frame with what follows the addresses. */
function frame(source: number, rest: string, destination = "020000000002"): Uint8Array {
  const hex = `${destination}02000000${source.toString(16).padStart(4, "0")}${rest}`;
  return Uint8Array.fromHex(hex.padEnd(120, "0"));
}

/** UDP to a port. */
function udp(source: number, port: number, before = ""): Uint8Array {
  const ports = `0001${port.toString(16).padStart(4, "0")}00080000`;
  return frame(source, `${before}08004500001c00000000401100000a0000010a000002${ports}`);
}

const FRAMES: readonly Uint8Array[] = [
  ...Array.from({ length: 10 }, (_, i) => udp(0x10 + i, i + 1)),
  udp(0x30, 1, "81000007"),
  udp(0x31, 50, "8100000a"),
  // An ARP request, a BPDU and a frame of CFM.
  frame(0x32, "080600010800060400010200000000320a0000010000000000000a000002", "ffffffffffff"),
  frame(
    0x33,
    "00264242030000000000800002000000003300000000800002000000003380010000140002000f00",
    "0180c2000000",
  ),
  frame(0x34, "890200010000", "0180c2000030"),
];

/** Lines by what they match and do, without counters and times. */
function lines(dump: string): string[] {
  return dump
    .trim()
    .split("\n")
    .map((line) => line.replace(/packets:\d+, bytes:\d+, used:[^,]*(, flags:[^,]*)?/, "statistics"))
    .toSorted();
}

const RULES = Number(process.env["MILLRACE_VSWITCHD_RULES"] ?? 100);
const isLong = process.env["MILLRACE_VSWITCHD_RULES"] !== undefined;
const SEED = Number(process.env["MILLRACE_PROPERTY_SEED"] ?? (isLong ? Date.now() & 0xffffff : 5));

const folder = mkdtempSync(join(tmpdir(), "vswitchd-"));

/** A file for ovs-ofctl. */
function file(name: string, content: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${content.join("\n")}\n`);
  return path;
}

/** The daemon, with ports, tunnels, collectors, groups, meters and tables. */
function daemonWith(rules: readonly string[]): Vswitchd {
  for (const name of ["vxlan", "geneve", "ip_gre"]) witness("modprobe", name);
  const daemon = new Vswitchd();
  const ports = [
    ...PORTS.map((name) => ({ name, options: ["type=internal"] })),
    ...TUNNELS.map(({ name, options }) => ({
      name,
      options: [...options, "options:remote_ip=flow", "options:key=flow"],
    })),
  ];
  const settings = [
    "set Open_vSwitch . other_config:vlan-limit=2",
    ...ports.flatMap(({ name, options }, i) => [
      `add-port own-br0 ${name}`,
      `set Interface ${name} ${options.join(" ")} ofport_request=${i + 1}`,
    ]),
  ];
  daemon.configure(...settings.flatMap((command) => ["--", ...command.split(" ")]));
  for (const name of PORTS) witness("ip", "link", "set", name, "up");
  const collecting = [
    `--id=@s create sFlow agent=lo targets="127.0.0.1:6343" sampling=2`,
    `--id=@i create IPFIX targets="127.0.0.1:4739" sampling=3`,
    "set Bridge own-br0 sflow=@s ipfix=@i",
    "--id=@b get Bridge own-br0",
    `--id=@c create IPFIX targets="127.0.0.1:4740"`,
    "create Flow_Sample_Collector_Set id=1 bridge=@b ipfix=@c",
    "set Interface own-p1 cfm_mpid=5",
    // Its threads leave the flows as they are: looking at them takes a while.
    "set Open_vSwitch . other_config:max-idle=3600000 other_config:max-revalidator=3600000",
  ];
  daemon.configure(...collecting.flatMap((command) => ["--", ...command.split(" ")]));
  daemon.openflow("del-flows");
  daemon.openflow("add-tlv-map", OPTIONS);
  daemon.openflow("add-groups", file("groups", GROUPS));
  for (const meter of METERS) daemon.openflow("add-meter", meter);
  daemon.openflow("add-flows", file("rules", [...OPENFLOW, ...TABLES, ...rules]));
  return daemon;
}

/** Styles of ovs-dpctl; the first one tells all. */
const EXACT: readonly string[] = ["-m", "--no-names"];
const STYLES: readonly (readonly string[])[] = [EXACT, ["-m"], []];

/** A datapath's flows, as both print them. */
function dumps(style: readonly string[], name = "ovs-system"): { own: string[]; theirs: string[] } {
  const args = [...style, "dump-flows", name];
  return {
    own: lines(millrace(["dpctl", ...args]).stdout),
    theirs: lines(witness("ovs-dpctl", ...args)),
  };
}

/** Loads the text of a dump into a new datapath. @returns ovs-dpctl's dump of it */
async function reloaded(text: string, style: readonly string[]): Promise<string[]> {
  using other = new TestDatapath("vs0");
  using opened = Datapath.open(other.name);
  const result = await opened.load(text.trim().split("\n"));
  expect(result.report.errors.map(({ reason, text: line }) => `${reason}: ${line}`)).toEqual([]);
  return dumps(style, other.name).theirs;
}

/** Takes a snapshot, ends the daemon with its datapath, and restores. @param flows with names of ports */
function expectRestored(daemon: Vswitchd, flows: readonly string[]): void {
  const path = join(folder, "vswitchd.set");
  const snapshot = millrace(["snapshot", "--dp", "ovs-system", "-o", path]);
  expect([snapshot.exitCode, snapshot.stdout]).toEqual([0, expect.stringContaining("two equal")]);
  daemon[Symbol.dispose]();
  try {
    const restored = millrace(["restore", path, "--dp", "ovs-system", "--create"]);
    expect([restored.exitCode, restored.stderr]).toEqual([0, ""]);
    expect(dumps(["-m"]).theirs).toEqual([...flows]);
  } finally {
    millrace(["dp", "del", "ovs-system"]);
  }
}

testUnless(NO_VSWITCHD)(
  `what ovs-vswitchd made of ${RULES} rules is printed as by ovs-dpctl, and loads again to the same, seed ${SEED}`,
  async () => {
    const ruled = randomRules(new Random(SEED), RULES, !IS_UML);
    using daemon = daemonWith(ruled.map(({ rule }) => rule));
    using theirs = Datapath.open("ovs-system");
    const ports = theirs.ports();
    const numberOf = (name: string): string =>
      String(ports.find((port) => port.name === name)?.number);
    const send = (): void => {
      for (const packet of FRAMES) {
        theirs.execute({ packet, key: `in_port(${numberOf("own-p1")})` }, "recirc(0)");
      }
      for (const { packet, from, tunnel } of ruled) {
        const key = `${tunnel === undefined ? "" : `${tunnel},`}in_port(${numberOf(from)})`;
        theirs.execute({ packet, key }, "recirc(0)");
      }
    };
    const wanted = ["controller(", "flow_sample(", "sFlow(", "ipfix(", "slow_path("];
    const sources = ruled.map(
      ({ packet }) => `src=${packet.toHex().slice(12, 24).match(/../g)?.join(":")}`,
    );
    // A few rules may ask for what a kernel does not take: that is between it and the daemon.
    const isWhole = (dump: string): boolean =>
      wanted.every((word) => dump.includes(word)) &&
      sources.filter((source) => dump.includes(source)).length >= RULES * 0.95;
    const look = () => ({
      printed: STYLES.map((style) => dumps(style)),
      text: millrace(["dump", "-m", "--no-stats", "--dp", "ovs-system"]).stdout,
      plain: witness("ovs-dpctl", "dump-flows", "ovs-system"),
    });
    // Until all flows are there, and nothing moved between two looks.
    let [flows, seen]: [readonly string[], ReturnType<typeof look> | undefined] = [[], undefined];
    const deadline = performance.now() + limit(60);
    while (seen === undefined) {
      if (performance.now() > deadline) throw new Error(`no rest: ${flows.length} flows`);
      send();
      await Bun.sleep(500);
      flows = dumps(EXACT).theirs;
      if (!isWhole(flows.join("\n"))) continue;
      const looked = look();
      if (Bun.deepEquals(flows, dumps(EXACT).theirs)) seen = looked;
    }
    for (const { own, theirs: witnessed } of seen.printed) expect(own).toEqual(witnessed);
    // No cookie is bytes, and no flow is lost.
    expect(seen.text).not.toContain("userdata(");
    const names = ports.map(({ name }) => name).toSorted((a, b) => b.length - a.length);
    const numbers = seen.text.replaceAll(new RegExp(names.join("|"), "g"), numberOf);
    expect(await reloaded(numbers, EXACT)).toEqual([...flows]);
    // What ovs-dpctl prints without wildcards and UFIDs loads as well.
    expect(await reloaded(seen.plain, [])).toEqual(lines(seen.plain));
    // A snapshot brings datapath, ports, tunnels and flows back when the daemon is gone.
    const [, named = { theirs: [] }] = seen.printed;
    expectRestored(daemon, named.theirs);
  },
  3_600_000,
);
