import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Datapath } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import * as OVS from "../../src/uapi/openvswitch.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";
import { corpusLines, underPort } from "./language/lines.ts";
import { MILLRACE, millrace, NO_DPCTL, TestDatapath, witness } from "./lab.ts";
import { sample } from "./loading.ts";
import { NetlinkTap } from "./netlink-tap.ts";
import { dpctl, fileOf, folder } from "./sets.ts";

setDefaultTimeout(limit(120));

/** Flows as millrace dumps them, sorted: ovs-dpctl cannot read all that a kernel holds. */
function dumped(name: string): string[] {
  const { stdout } = millrace(["dump", "--dp", name, "--no-stats"]);
  return stdout.trim().split("\n").toSorted();
}

testUnless(NO_DPCTL)(
  "snapshot, flush, restore, snapshot: the same file, of every flow that the kernel takes",
  () => {
    using dp = new TestDatapath("st5");
    // A flow set has no room for a shorter UFID.
    const isKept = (flow: string): boolean => !/ufid:(?![0-9a-f]{8}-)/.test(flow);
    const lines = corpusLines()
      .flatMap(({ flows }) => flows)
      .filter((flow) => isKept(flow))
      .map((flow, i) => underPort(flow, 10_000 + i));
    millrace(["load", fileOf("corpus.txt", lines.join("\n")), "--dp", dp.name]);
    witness("ovs-dpctl", "add-flow", dp.name, "in_port(1),eth(),eth_type(0x0806),arp()", "2");
    const held = dp.flows;
    expect(held).toBeGreaterThan(300);
    const before = dumped(dp.name);
    const [one, two] = [join(folder, "one.set"), join(folder, "two.set")];
    const taken = millrace(["snapshot", "--dp", dp.name, "-o", one, "--json"]);
    expect([taken.exitCode, JSON.parse(taken.stdout)]).toMatchObject([
      0,
      { flows: held, moving: 0 },
    ]);
    expect(millrace(["diff", one, `dp:${dp.name}`])).toMatchObject({ exitCode: 0, stdout: "" });
    expect(millrace(["flow", "flush", "--dp", dp.name]).exitCode).toBe(0);
    const refused = millrace(["restore", one, "--dp", dp.name]);
    expect([refused.exitCode, dp.flows]).toEqual([1, 0]);
    expect(refused.stderr).toContain("--userspace-pid");
    // Nothing stays of a datapath that was created for it.
    const foreign = fileOf("foreign.txt", "in_port(1),eth() userspace(pid=77)");
    const created = millrace(["restore", foreign, "--dp", "st50", "--create"]);
    expect(created.stderr).toContain("--userspace-pid");
    expect([created.exitCode, millrace(["dp", "list"]).stdout.includes("st50")]).toEqual([
      1,
      false,
    ]);
    const sent = millrace(["restore", one, "--dp", dp.name, "--userspace-pid", "4711", "--json"]);
    expect([sent.exitCode, JSON.parse(sent.stdout)]).toMatchObject([
      0,
      { added: held, differing: 0 },
    ]);
    const pids = (line: string): string =>
      line.replaceAll(/\bpid=(?!4294967295|0[,)])\d+/g, "pid=4711");
    expect(dumped(dp.name)).toEqual(before.map(pids).toSorted());
    expect(millrace(["snapshot", "--dp", dp.name, "-o", one]).exitCode).toBe(0);
    dp.channel.transact({
      family: OVS.OVS_FLOW_FAMILY,
      version: OVS.OVS_FLOW_VERSION,
      command: OVS.OVS_FLOW_CMD_DEL,
      datapath: dp.handle.index,
      doing: "flushing",
    });
    expect(millrace(["restore", one, "--dp", dp.name, "--userspace-pid", "4711"]).exitCode).toBe(0);
    expect(millrace(["snapshot", "--dp", dp.name, "-o", two]).exitCode).toBe(0);
    expect(readFileSync(two).equals(readFileSync(one))).toBe(true);
  },
);

testUnless(NO_DPCTL)(
  "a snapshot goes into a datapath whose ports have other numbers, made where it is missing",
  () => {
    using dp = new TestDatapath("st6");
    using made = Datapath.open(dp.name);
    made.addPort("st6vx", { type: "vxlan", tunnel: { destinationPort: 4799 } });
    made.put("in_port(1),eth(),eth_type(0x0800),ipv4(frag=no) 2,3");
    made.put("in_port(0),eth(),eth_type(0x0800),ipv4(frag=no) 1");
    const file = join(folder, "ports.set");
    expect(millrace(["snapshot", "--dp", dp.name, "-o", file]).exitCode).toBe(0);
    const restore = ["restore", file, "--dp", "st7"];
    expect(millrace(restore).stderr).toContain("there is no datapath st7");
    made.delete();
    expect(millrace(["dp", "add", "st7"]).exitCode).toBe(0);
    try {
      expect(millrace(["port", "add", "st6p2", "--type", "internal", "--dp", "st7"]).exitCode).toBe(
        0,
      );
      expect(millrace(restore).stderr).toContain("lacks these ports: st6p1, st6vx");
      const { exitCode, stderr } = millrace([...restore, "--create"]);
      expect([exitCode, stderr]).toEqual([0, ""]);
      using restored = Datapath.open("st7");
      const ports = restored.ports().map(({ name, number, type }) => [name, number, type]);
      expect(ports).toEqual([
        ["st7", 0, "internal"],
        ["st6p2", 1, "internal"],
        ["st6p1", 2, "internal"],
        ["st6vx", 3, "vxlan"],
      ]);
      expect(restored.ports().at(-1)?.tunnel?.destinationPort).toBe(4799);
      const texts = [...restored.flows()].map(String).toSorted();
      expect(texts).toEqual([
        "in_port(0),eth(),eth_type(0x0800),ipv4(frag=no), actions:2",
        "in_port(2),eth(),eth_type(0x0800),ipv4(frag=no), actions:1,3",
      ]);
      expect(millrace(["diff", file, "dp:st7"]).exitCode).toBe(0);
    } finally {
      millrace(["dp", "del", "st7"]);
    }
  },
);

/** Requests of these commands change something, in each of Open vSwitch's families. */
const CHANGING: Readonly<Record<string, readonly number[]>> = {
  [OVS.OVS_DATAPATH_FAMILY]: [OVS.OVS_DP_CMD_NEW, OVS.OVS_DP_CMD_DEL, OVS.OVS_DP_CMD_SET],
  [OVS.OVS_VPORT_FAMILY]: [OVS.OVS_VPORT_CMD_NEW, OVS.OVS_VPORT_CMD_DEL, OVS.OVS_VPORT_CMD_SET],
  [OVS.OVS_FLOW_FAMILY]: [OVS.OVS_FLOW_CMD_NEW, OVS.OVS_FLOW_CMD_DEL, OVS.OVS_FLOW_CMD_SET],
  [OVS.OVS_PACKET_FAMILY]: [OVS.OVS_PACKET_CMD_EXECUTE],
  [OVS.OVS_METER_FAMILY]: [OVS.OVS_METER_CMD_SET, OVS.OVS_METER_CMD_DEL],
  [OVS.OVS_CT_LIMIT_FAMILY]: [OVS.OVS_CT_LIMIT_CMD_SET, OVS.OVS_CT_LIMIT_CMD_DEL],
};

test("what only looks sends no request that changes anything, as an interface that hears all netlink tells", () => {
  using dp = new TestDatapath("st8");
  const file = fileOf("look.txt", sample(50));
  millrace(["load", file, "--dp", dp.name]);
  const changing = new Set(
    Object.entries(CHANGING).flatMap(([name, commands]) =>
      commands.map((command) => `${dp.channel.family(name).id} ${command}`),
    ),
  );
  using tap = new NetlinkTap();
  const heard = (...args: readonly string[]): string[] => {
    tap.requests();
    const { exitCode } = millrace(args);
    expect([args, exitCode]).toEqual([args, 0]);
    const asked = tap.requests().map(({ family, command }) => `${family} ${command}`);
    expect([args[0], asked.length > 0]).toEqual([args[0], true]);
    return asked.filter((one) => changing.has(one));
  };
  const of = ["--dp", dp.name];
  for (const args of [
    ["dump", ...of],
    ["dump", ...of, "-m"],
    ["diff", file, `dp:${dp.name}`],
    ["snapshot", ...of, "-o", join(folder, "look.set"), "--ct-limits"],
    ["verify", file, ...of],
    ["sync", file, ...of, "--dry-run"],
    ["top", ...of, "--once", "--json", "--interval", "0.1"],
    ["dp", "show", dp.name],
    ["dp", "list"],
    ["port", "list", ...of],
    ["flow", "get", sampleLine(1).split(" ")[0] ?? "", ...of],
    ["monitor", ...of, "--duration", "0.2"],
    ["doctor"],
    ["dpctl", "show"],
    ["dpctl", "dump-flows", dp.name],
  ]) {
    expect([args, heard(...args)]).toEqual([args, []]);
  }
  // The tap hears what changes something: a load, and ovs-dpctl, which sets a datapath that it only shows.
  expect(heard("load", fileOf("more.txt", sample(1, 77)), ...of).length).toBeGreaterThan(0);
});

testUnless(NO_DPCTL)(
  "a load takes back exactly what it did, where a flow fails; changed actions are put back",
  () => {
    using dp = new TestDatapath("st9");
    const mine = Array.from({ length: 100 }, (_, i) => sampleLine(i));
    millrace(["load", fileOf("mine.txt", mine.join("\n")), "--dp", dp.name]);
    // By its key, with bits that are not matched: it has to have that name again.
    const keyed = "in_port(2),eth(),eth_type(0x0800),ipv4(src=10.1.2.3/255.0.0.0,frag=no)";
    witness("ovs-dpctl", "add-flow", dp.name, keyed, "2");
    // The load deletes this one, and has to put it back without a UFID.
    const deleted = "in_port(3),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/255.0.0.0,frag=no)";
    witness("ovs-dpctl", "add-flow", dp.name, deleted, "2");
    const before = dpctl(dp.name, "-m");
    const lines = [
      ...mine.slice(0, 50).map((line) => line.replace(/2$/, "1")),
      ...Array.from({ length: 50 }, (_, i) => sampleLine(1000 + i)),
      `delete ${mine[70]?.split(" ")[0]}`,
      `delete ${deleted}`,
      // Covered by a flow that is there.
      "in_port(2),eth(),eth_type(0x0800),ipv4(src=10.9.0.0/16,frag=no) 1",
      sampleLine(5000),
    ];
    const file = fileOf("half.txt", lines.join("\n"));
    const load = ["load", file, "--dp", dp.name, "--batch-flows", "10", "--json"];
    const { exitCode, stdout } = millrace([...load, "--on-error", "rollback"]);
    const report = JSON.parse(stdout);
    expect([exitCode, report.ended, report.rolledBack.failed]).toEqual([1, "stopped", 0]);
    expect(report.rolledBack.sent).toBeGreaterThanOrEqual(103);
    expect(dpctl(dp.name, "-m")).toEqual(before);
    // Without it what was done stays.
    expect(millrace([...load, "--on-error", "stop"]).exitCode).toBe(1);
    expect(dpctl(dp.name, "-m")).not.toEqual(before);
  },
);

test("load --verify tells what the datapath has, and lacks, by a dump", () => {
  using dp = new TestDatapath("st10");
  const file = fileOf("verified.txt", sample(200));
  const load = ["load", file, "--dp", dp.name, "--verify"];
  const first = millrace(load);
  expect([first.exitCode, first.stdout]).toEqual([
    0,
    expect.stringContaining("verified by a dump: 200 of 200 flows found with their actions"),
  ]);
  // A line that puts the same flow once more is what counts.
  const twice = fileOf("twice.txt", `${sample(200)}${sampleLine(3).replace(/2$/, "1")}\n`);
  expect(millrace(["load", twice, "--dp", dp.name, "--verify"]).exitCode).toBe(0);
  const { exitCode, stdout } = millrace([
    ...load,
    "--mode",
    "add",
    "--tolerate",
    "EEXIST",
    "--json",
  ]);
  expect([exitCode, JSON.parse(stdout).verification]).toMatchObject([
    1,
    { equal: 199, different: 1 },
  ]);
  expect(millrace(load, "").exitCode).toBe(0);
  // One flow goes, and one more comes.
  const gone = sampleLine(7).split(" ")[0] ?? "";
  expect(millrace(["flow", "del", gone, "--dp", dp.name]).exitCode).toBe(0);
  millrace(["load", "-", "--dp", dp.name], sample(1, 900_000));
  const verified = millrace(["verify", file, "--dp", dp.name, "--json"]);
  expect([verified.exitCode, JSON.parse(verified.stdout)]).toMatchObject([
    1,
    { wanted: 200, held: 200, equal: 199, missing: 1, different: 0, extra: 1 },
  ]);
  const piped = millrace(["load", "-", "--dp", dp.name, "--verify"], sample(1));
  expect([piped.exitCode, piped.stderr]).toEqual([2, expect.stringContaining("give a file")]);
});

testUnless(NO_DPCTL)(
  "a snapshot is compared with what names its ports by number, whatever other datapaths call them",
  () => {
    using dp = new TestDatapath("st16");
    const numbered = fileOf("numbered.txt", sample(20));
    millrace(["load", numbered, "--dp", dp.name]);
    const set = join(folder, "numbers.set");
    expect(millrace(["snapshot", "--dp", dp.name, "-o", set]).exitCode).toBe(0);
    const piped = `cat ${set} | ${MILLRACE} diff - ${numbered}`;
    expect(witness("sh", "-c", piped)).toBe("");
    writeFileSync(`${set}.gz`, Bun.gzipSync(readFileSync(set)));
    for (const files of [
      [set, numbered],
      [numbered, set],
      [`${set}.gz`, numbered],
      [set, set],
    ]) {
      const diff = millrace(["diff", ...files]);
      expect([files, diff.exitCode, diff.stdout + diff.stderr]).toEqual([files, 0, ""]);
    }
    // A name that the snapshot does not have is some other port.
    const named = fileOf("named.txt", sample(20).replace("in_port(1)", "in_port(nowhere)"));
    const lines = millrace(["diff", set, named]).stdout.trim().split("\n");
    expect(lines.map((line) => /^.{2}in_port\(\w+\)/.exec(line)?.[0])).toEqual([
      "+ in_port(nowhere)",
      "- in_port(st16p1)",
    ]);
    // The kernel keeps the flows of a port that is gone: the snapshot knows its number.
    expect(millrace(["port", "del", "st16p1", "--dp", dp.name]).exitCode).toBe(0);
    expect(dpctl(dp.name)[0]).toStartWith("in_port(1)");
    expect(millrace(["diff", set, `dp:${dp.name}`])).toMatchObject({ exitCode: 0, stdout: "" });
    expect(millrace(["verify", set, "--dp", dp.name]).exitCode).toBe(0);
    const wanted = fileOf("wanted.txt", "in_port(2),eth(),eth_type(0x0806),arp() 2");
    const of = ["--dp", dp.name, "--max-change", "100"];
    millrace(["sync", wanted, ...of, "--previous", set, "--all"]);
    expect(dp.flows).toBe(1);
    // A number that another port has by now is not the old port's.
    expect(
      millrace(["port", "add", "st16p3", "--type", "internal", "--number", "1", "--dp", dp.name])
        .exitCode,
    ).toBe(0);
    millrace(["load", numbered, "--dp", dp.name]);
    const verified = millrace(["verify", set, "--dp", dp.name]);
    expect([verified.exitCode, verified.stdout.split("\n")[0]]).toEqual([
      1,
      `${set} in st16: 0 of 20 flows found with their actions, 20 missing, 21 more of the owner's`,
    ]);
    expect(verified.stdout).toContain("\n  missing    in_port(st16p1),");
  },
);

test("verify names the first flows that are not as wanted: ten, and a hundred in JSON", () => {
  using dp = new TestDatapath("st17");
  const lines = Array.from({ length: 300 }, (_, i) => sampleLine(i));
  millrace(["load", fileOf("held.txt", lines.slice(5).join("\n")), "--dp", dp.name]);
  const wanted = lines.slice(0, 290).map((line, i) => (i === 7 ? line.replace(/2$/, "1") : line));
  const file = fileOf("asked.txt", wanted.join("\n"));
  const verify = ["verify", file, "--dp", dp.name];
  const { exitCode, stdout } = millrace(verify);
  const told = stdout.trimEnd().split("\n");
  expect(exitCode).toBe(1);
  expect(told.map((line) => line.slice(0, 12).trim())).toEqual([
    expect.any(String),
    ...Array.from({ length: 5 }, () => "missing"),
    "different",
    "but has",
  ]);
  expect(told[1]).toContain("ipv4(src=10.0.0.0,");
  expect([told[6], told[7]].map((line) => line?.split("actions:")[1])).toEqual([
    "st17p1",
    "st17p2",
  ]);
  // Flows that are not wanted count with --exact alone.
  const exact = millrace([...verify, "--exact"])
    .stdout.trimEnd()
    .split("\n");
  expect(exact.at(-1)).toBe(`  … and 6 more: 'millrace diff ${file} dp:st17' shows all`);
  expect(exact.filter((line) => line.startsWith("  extra      in_port(st17p1)"))).toHaveLength(4);
  const few = fileOf("few-asked.txt", lines.slice(5, 10).join("\n"));
  const found = JSON.parse(millrace(["verify", few, "--dp", dp.name, "--exact", "--json"]).stdout);
  expect([found.isAsWanted, found.extra, found.differences.length]).toEqual([false, 290, 100]);
  expect(found.differences[0]).toMatchObject({ what: "extra", held: { actions: [{ output: 2 }] } });
});
