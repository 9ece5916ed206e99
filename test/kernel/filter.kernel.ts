import { describe, expect, test } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import { FlowFilter } from "../../src/flow/filter/filter.ts";
import { portNamesOf } from "../../src/flow/ports.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";
import { millrace, millraceProcess, NO_DPCTL, TestDatapath, witness } from "./lab.ts";
import { loadText } from "./loading.ts";
import { ping, TestNetwork } from "./net.ts";

const LINES: readonly string[] = [
  "in_port(1),eth(),eth_type(0x0800),ipv4(dst=10.1.0.0/16,proto=6,frag=no),tcp(dst=443),tcp_flags(0/0) 2",
  "in_port(1),eth(),eth_type(0x0800),ipv4(dst=10.2.0.1,proto=6,frag=no),tcp(dst=80),tcp_flags(0/0) ct(commit),2",
  "in_port(1),eth(),eth_type(0x0800),ipv4(dst=172.16.0.0/12,proto=17,frag=no),udp(dst=53) drop",
  "in_port(2),eth(),eth_type(0x86dd),ipv6(dst=fe80::/10,proto=17,frag=no),udp(dst=53) sample(sample=50%,actions(ct,1))",
  "in_port(2),eth(),eth_type(0x0806),arp(op=1) 1",
  "in_port(2),eth(),eth_type(0x8100),vlan(vid=7),encap(eth_type(0x0800),ipv4(dst=10.3.0.1,frag=no)) pop_vlan,1",
  "ct_state(+trk+est),in_port(2),eth(),eth_type(0x0800),ipv4(proto=1,frag=no),icmp(type=8) 1",
  "tunnel(tun_id=0x7,src=1.2.3.4,dst=5.6.7.8,ttl=0/0,flags(key)),in_port(2),eth(),eth_type(0x0800),ipv4(frag=no) 1",
];

/** Filters, and words by which ovs-dpctl's own text of the flows tells which are meant. */
const FILTERS: readonly (readonly [filter: string, isMeant: (line: string) => boolean])[] = [
  ["ipv4.dst in 10.0.0.0/8 and tcp", (line) => /ipv4\(dst=10\..*tcp\(/.test(line)],
  ["udp.dst = 53", (line) => line.includes("udp(dst=53)")],
  ["actions has ct", (line) => /[:,(]ct[(,]/.test(line)],
  ["actions has drop", (line) => line.includes("actions:drop")],
  ["output = filter0p2", (line) => /actions:(.*,)?2$/.test(line)],
  ["in_port = filter0p1 and not tcp.dst = 80", (l) => /in_port\(1\)/.test(l) && !/dst=80/.test(l)],
  ["vlan.vid = 7", (line) => line.includes("vlan(vid=7")],
  ["eth_type in 0x0800 or encap.eth_type = 0x0800", (line) => line.includes("eth_type(0x0800)")],
  ["ct_state in +est", (line) => line.includes("+est")],
  ["tunnel.tun_id = 7", (line) => line.includes("tun_id=0x7")],
  ["arp.op <= 1", (line) => line.includes("arp(op=1)")],
  ["packets = 0 and used = never", () => true],
  ["packets > 0", () => false],
];

function dpctl(dp: TestDatapath): string[] {
  return witness("ovs-dpctl", "dump-flows", dp.name)
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .toSorted();
}

testUnless(NO_DPCTL)(
  "a dump prints the flows that a filter means, flow del leaves the others, as ovs-dpctl tells",
  async () => {
    using dp = new TestDatapath("filter0");
    for (const [filter, isMeant] of FILTERS) {
      await loadText(dp, LINES.join("\n"));
      const all = dpctl(dp);
      expect(all.length).toBe(LINES.length);
      const meant = all.filter(isMeant);
      const where = ["--dp", dp.name, "--where", filter];
      const dump = millrace(["dump", ...where]);
      expect([filter, dump.exitCode, dump.stderr]).toEqual([filter, 0, ""]);
      // ovs-dpctl leaves out headers of which nothing is matched: these are counted, and told by number.
      expect(dump.stdout.split("\n").length - 1).toBe(meant.length);
      const dry = millrace(["flow", "del", ...where, "--dry-run"]);
      expect(dry.stdout.split("\n").length - 1).toBe(meant.length);
      expect(dry.stderr).toContain(`${meant.length} flow${meant.length === 1 ? "" : "s"} would be`);
      expect(dpctl(dp)).toEqual(all);
      const del = millrace(["flow", "del", ...where, "--json"]);
      expect([del.exitCode, del.stderr]).toEqual([0, ""]);
      expect(JSON.parse(del.stdout)).toMatchObject({ deleted: meant.length, gone: 0, failed: 0 });
      expect([filter, dpctl(dp)]).toEqual([filter, all.filter((line) => !isMeant(line))]);
    }
  },
  limit(120),
);

testUnless(NO_DPCTL)("flows are deleted by what names them, whoever put them", async () => {
  using dp = new TestDatapath("filter1");
  // By key, by a UFID of their own, by the hash of their key.
  const other = "in_port(7),eth(),eth_type(0x0806),arp()";
  witness("ovs-dpctl", "add-flow", dp.name, other, "1");
  await loadText(dp, `${LINES.slice(0, 2).join("\n")}\n`, { ufid: false });
  await loadText(dp, `ufid:00000000-0000-0000-0000-000000000001, ${LINES[2]}\n${LINES[3]}\n`);
  expect(dp.flows).toBe(5);
  expect(millrace(["flow", "del", "--dp", dp.name, "--where", "eth_type != 0x0806"]).stdout).toBe(
    "4 flows deleted\n",
  );
  expect(dpctl(dp).map((line) => line.split(", ")[0])).toEqual([
    "in_port(7),eth(),eth_type(0x0806)",
  ]);
});

test(
  "more flows than are held at a time are deleted in rounds",
  async () => {
    using dp = new TestDatapath("filter2");
    using datapath = Datapath.open(dp.name);
    const count = 70_000;
    const lines = Array.from({ length: count }, (_, i) => sampleLine(i));
    expect((await datapath.load(lines)).applied).toBe(count);
    await datapath.load(["in_port(9),eth(),eth_type(0x0806),arp() 1"]);
    const { removed, gone, failed, unknown, ended } = await datapath.removeWhere("udp");
    expect({ removed, gone, failed, unknown, ended }).toEqual({
      removed: count,
      gone: 0,
      failed: 0,
      unknown: 0,
      ended: "complete",
    });
    expect(dp.flows).toBe(1);
  },
  limit(120),
);

test("a signal that is aborted deletes nothing more", async () => {
  using dp = new TestDatapath("filter3");
  using datapath = Datapath.open(dp.name);
  await datapath.load(LINES);
  const result = await datapath.removeWhere("eth", { signal: AbortSignal.abort() });
  expect(result).toMatchObject({ removed: 0, ended: "interrupted" });
  expect(dp.flows).toBe(LINES.length);
});

describe("the library", () => {
  test("gives the flows that a filter means, whole and terse", async () => {
    using dp = new TestDatapath("filter4");
    using datapath = Datapath.open(dp.name);
    await datapath.load(LINES);
    for (const [filter] of FILTERS) {
      const where = filter.replaceAll("filter0", dp.name);
      const ports = portNamesOf(datapath.ports());
      const parsed = FlowFilter.parse(where, { ports });
      const ufids = (flows: Iterable<{ readonly ufid: string | undefined }>): string[] =>
        Array.from(flows, ({ ufid = "" }) => ufid).toSorted();
      const wanted = ufids([...datapath.flows()].filter((flow) => parsed.matches(flow)));
      for (const given of [where, parsed]) {
        expect(ufids(datapath.flows({ where: given }))).toEqual(wanted);
        expect(ufids(datapath.flows({ where: given, terse: true }))).toEqual(wanted);
      }
    }
    expect(() => [...datapath.flows({ where: "tcp.port = 1" })]).toThrow("a field such as");
  });
});

testUnless(NO_DPCTL)(
  "groups count the flows and the packets that the kernel counts",
  async () => {
    using net = new TestNetwork("filter5", 2);
    net.connect();
    expect(await ping(net.machines[0] ?? "", "10.77.0.2", 3)).toBe(3);
    const group = (...args: readonly string[]): string =>
      millrace(["dump", "--dp", net.name, ...args]).stdout;
    // ovs-dpctl reads the counters after the dump: nothing sends any more.
    const told = witness("ovs-dpctl", "dump-flows", net.name).trim().split("\n");
    const sum = (of: RegExp, counter: string): number =>
      told
        .filter((line) => of.test(line))
        .reduce((n, line) => n + Number(new RegExp(`${counter}:(\\d+)`).exec(line)?.[1]), 0);
    const rows = group("--group-by", "eth_type", "--sum", "packets,bytes", "--json")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    const wanted = ["0x0800", "0x0806"].map((type) => ({
      eth_type: type,
      flows: 2,
      packets: sum(new RegExp(type), "packets"),
      bytes: sum(new RegExp(type), "bytes"),
    }));
    expect(rows).toEqual(wanted.toSorted((a, b) => b.packets - a.packets));
    expect(rows[0].packets).toBeGreaterThan(5);
    expect(group("--sum", "packets", "--where", "ipv4").trim().split(/\s+/)).toEqual([
      "FLOWS",
      "PACKETS",
      "2",
      `${sum(/0x0800/, "packets")}`,
    ]);
    const table = group("--group-by", "in_port,ipv4.dst,actions", "--names", "--where", "ipv4");
    expect(table.trim().split("\n").toSorted()).toEqual([
      expect.stringMatching(/^filter5v1 +- +filter5v2 +1$/),
      expect.stringMatching(/^filter5v2 +- +filter5v1 +1$/),
      expect.stringMatching(/^in_port +ipv4.dst +actions +FLOWS$/),
    ]);
    // Their last packet was not long ago.
    expect(group("--where", "used < 60").trim().split("\n").length).toBe(4);
    expect(group("--where", "used > 60 or used = never")).toBe("");
    const top = millrace(["top", "--dp", net.name, "--once", "--json", "--where", "arp"]);
    expect(JSON.parse(top.stdout)).toMatchObject({ flows: 4, busiest: [] });
  },
  limit(60),
);

test("groups are told by size, without a sum by that of their flows", async () => {
  using dp = new TestDatapath("filter8");
  await loadText(dp, LINES.join("\n"));
  const { stdout } = millrace(["dump", "--dp", dp.name, "--group-by", "in_port"]);
  const rows = stdout.trim().split("\n");
  expect(rows.map((row) => row.trim().split(/ +/))).toEqual([
    ["in_port", "FLOWS"],
    ["2", "5"],
    ["1", "3"],
  ]);
});

test("what is no filter is exit status 2, with a caret; nothing is deleted", async () => {
  using dp = new TestDatapath("filter6");
  await loadText(dp, LINES.join("\n"));
  for (const command of [["dump"], ["flow", "del"], ["flow", "del", "--dry-run"], ["top"]]) {
    const args = [
      ...command,
      "--dp",
      dp.name,
      "--where",
      "tcp.dst = 443 and ipv44.dst in 10.0.0.0/8",
    ];
    const { exitCode, stdout, stderr } = millrace(args);
    expect([command, exitCode, stdout]).toEqual([command, 2, ""]);
    expect(stderr).toContain('did you mean "ipv4.dst"?');
    expect(stderr.split("\n")[2]).toBe(`    ${" ".repeat(18)}^`);
  }
  const { exitCode, stderr } = millrace(["dump", "--dp", dp.name, "--group-by", "in_port,tcp"]);
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining("a field of tcp")]);
  expect(dp.flows).toBe(LINES.length);
});

test("flows are deleted by who may: exit status 3 with the remedy", async () => {
  using dp = new TestDatapath("filter7");
  await loadText(dp, LINES.join("\n"));
  const program = `${process.cwd()}/src/cli/millrace flow del --dp ${dp.name} --where eth`;
  const child = Bun.spawnSync(["busybox", "su", "-s", "/bin/sh", "nobody", "-c", program]);
  expect([child.exitCode, child.stderr.toString()]).toEqual([
    3,
    expect.stringContaining("CAP_NET_ADMIN"),
  ]);
  expect(dp.flows).toBe(LINES.length);
  // In a process of its own, as a user starts it.
  const own = millraceProcess(["flow", "del", "--dp", dp.name, "--where", "eth"]);
  expect([own.exitCode, own.stdout]).toEqual([0, `${LINES.length} flows deleted\n`]);
});
