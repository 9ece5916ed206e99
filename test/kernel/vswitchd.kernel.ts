import { expect } from "bun:test";
import { Datapath } from "../../src/index.ts";
import { millrace, TestDatapath, witness } from "./lab.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";
import { NO_VSWITCHD, Vswitchd } from "./vswitchd.ts";

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

testUnless(NO_VSWITCHD)(
  "what ovs-vswitchd made is printed as by ovs-dpctl, and loads again to the same",
  async () => {
    using daemon = new Vswitchd();
    for (const port of [1, 2]) {
      const name = `own-p${port}`;
      const wanted = [`type=internal`, `ofport_request=${port}`];
      daemon.configure("add-port", "own-br0", name, "--", "set", "Interface", name, ...wanted);
      witness("ip", "link", "set", name, "up");
    }
    const settings = [
      `--id=@s create sFlow agent=lo targets="127.0.0.1:6343" sampling=2`,
      `--id=@i create IPFIX targets="127.0.0.1:4739" sampling=3`,
      "set Bridge own-br0 sflow=@s ipfix=@i stp_enable=true",
      "--id=@b get Bridge own-br0",
      `--id=@c create IPFIX targets="127.0.0.1:4740"`,
      "create Flow_Sample_Collector_Set id=1 bridge=@b ipfix=@c",
      "set Interface own-p1 cfm_mpid=5",
      // Its threads leave the flows as they are: looking at them takes a while.
      "set Open_vSwitch . other_config:max-idle=3600000 other_config:max-revalidator=3600000",
    ];
    daemon.configure(...settings.flatMap((command) => ["--", ...command.split(" ")]));
    daemon.openflow("del-flows");
    daemon.openflow("add-group", "group_id=1,type=all,bucket=output:1,bucket=output:2");
    for (const rule of OPENFLOW) daemon.openflow("add-flow", rule);

    using theirs = Datapath.open("ovs-system");
    const port = theirs.ports().find(({ name }) => name === "own-p1")?.number ?? -1;
    const send = (): void => {
      for (const packet of FRAMES) {
        theirs.execute({ packet, key: `in_port(${port})` }, "recirc(0)");
      }
    };
    const wanted = ["controller(", "flow_sample(", "sFlow(", "ipfix(", "slow_path("];
    const read = (...args: readonly string[]): string[] =>
      lines(witness("ovs-dpctl", ...args, "ovs-system"));
    // Until there is one of each kind, and nothing moved between two looks.
    let compared = false;
    const deadline = performance.now() + limit(60);
    while (!compared && performance.now() < deadline) {
      send();
      await Bun.sleep(500);
      const before = read("dump-flows", "-m", "--no-names");
      if (!wanted.every((word) => before.some((line) => line.includes(word)))) continue;
      const dumps = [["-m", "--no-names"], ["-m"], []].map((style) => {
        const args = [...style, "dump-flows", "ovs-system"];
        return {
          own: lines(millrace(["dpctl", ...args]).stdout),
          theirs: read(...style, "dump-flows"),
        };
      });
      const text = millrace(["dump", "-m", "--no-stats", "--dp", "ovs-system"]).stdout;
      const after = read("dump-flows", "-m", "--no-names");
      if (!Bun.deepEquals(before, after)) continue;
      for (const { own, theirs: witnessed } of dumps) expect(own).toEqual(witnessed);
      // No cookie is bytes, and no flow is lost.
      expect(text).not.toContain("userdata(");
      using other = new TestDatapath("vs0");
      using opened = Datapath.open(other.name);
      const ports = theirs.ports();
      const numbers = text.replaceAll(/own-p[12]|own-br0|ovs-system/g, (name) =>
        String(ports.find((known) => known.name === name)?.number),
      );
      const result = await opened.load(numbers.trim().split("\n"));
      expect([result.rejected, result.refused]).toEqual([0, 0]);
      const again = witness("ovs-dpctl", "dump-flows", "-m", "--no-names", other.name);
      expect(lines(again)).toEqual(before);
      compared = true;
    }
    expect(compared).toBe(true);
  },
  600_000,
);
