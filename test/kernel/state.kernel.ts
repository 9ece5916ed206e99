import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
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

setDefaultTimeout(limit(120));

const folder = mkdtempSync(join(tmpdir(), "state-"));
afterAll(() => rmSync(folder, { recursive: true }));

const fileOf = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

/** Flows by ovs-dpctl, sorted, without statistics. */
function dpctl(name: string): string[] {
  return witness("ovs-dpctl", "dump-flows", name)
    .trim()
    .split("\n")
    .map((line) => line.replace(/ packets:.*used:\w+,/, ""))
    .toSorted();
}

/** Flows as millrace dumps them, sorted: ovs-dpctl cannot read all that a kernel holds. */
function dumped(name: string): string[] {
  const { stdout } = millrace(["dump", "--dp", name, "--no-stats"]);
  return stdout.trim().split("\n").toSorted();
}

function sync(...args: readonly string[]) {
  const { exitCode, stdout } = millrace(["sync", ...args, "--json"]);
  return { exitCode, report: JSON.parse(stdout) };
}

testUnless(NO_DPCTL)("a sync sends the difference alone, and a second one nothing", () => {
  using dp = new TestDatapath("st1");
  const lines = Array.from({ length: 2000 }, (_, i) => sampleLine(i));
  const first = fileOf("first.txt", lines.join("\n"));
  expect(sync(first, "--dp", dp.name).report).toMatchObject({ added: 2000, sent: 2000 });
  const changed = lines.map((line, i) => (i % 20 === 0 ? line.replace(/2$/, "1") : line));
  const wanted = [
    ...changed.slice(0, 1900),
    ...Array.from({ length: 100 }, (_, i) => sampleLine(5000 + i)),
  ];
  const second = fileOf("second.txt", wanted.join("\n"));
  const plan = millrace(["sync", second, "--dp", dp.name, "--dry-run"]);
  expect(plan.exitCode).toBe(0);
  expect(plan.stdout).toContain("295 requests planned, nothing sent");
  const before = dpctl(dp.name);
  expect(before).toHaveLength(2000);
  const diff = millrace(["diff", `dp:${dp.name}`, second]);
  expect([diff.exitCode, diff.stdout.split("\n").length - 1]).toEqual([1, 100 + 100 + 2 * 95]);
  expect(dpctl(dp.name)).toEqual(before);
  const { exitCode, report } = sync(second, "--dp", dp.name, "--verify");
  expect(exitCode).toBe(0);
  expect(report).toMatchObject({
    added: 100,
    changed: 95,
    deleted: 100,
    unchanged: 1805,
    sent: 295,
    failed: 0,
    differing: 0,
  });
  using other = new TestDatapath("st2");
  witness("sh", "-c", `ovs-dpctl add-flows ${other.name} ${second} >/dev/null`);
  expect(dpctl(dp.name)).toEqual(dpctl(other.name));
  expect(sync(second, "--dp", dp.name).report).toMatchObject({ sent: 0, unchanged: 2000 });
  expect(millrace(["diff", `dp:${dp.name}`, `dp:${other.name}`]).exitCode).toBe(0);
  expect(millrace(["verify", second, "--dp", other.name]).exitCode).toBe(0);
  expect(millrace(["verify", first, "--dp", other.name]).exitCode).toBe(1);
});

testUnless(NO_DPCTL)("flows of others stay, unless --all or --previous says otherwise", () => {
  using dp = new TestDatapath("st3");
  // Found by its key, with bits that are not matched: only the key as the kernel has it names it.
  const foreign = "in_port(2),eth(),eth_type(0x0800),ipv4(src=10.1.2.3/255.0.0.0,frag=no)";
  witness("ovs-dpctl", "add-flow", dp.name, foreign, "2");
  const file = fileOf("own.txt", sample(10, 1_000_000));
  expect(sync(file, "--dp", dp.name, "--owner", "a").report).toMatchObject({
    added: 10,
    foreign: 1,
  });
  const other = fileOf("others.txt", sample(5, 2_000_000));
  expect(sync(other, "--dp", dp.name, "--owner", "b").report).toMatchObject({
    added: 5,
    deleted: 0,
  });
  expect(dp.flows).toBe(16);
  // The kernel has one flow for one match: that of another owner is not changed.
  const taken = fileOf("taken.txt", sample(10, 1_000_000).replaceAll(/ 2$/gm, " 1"));
  const refused = sync(taken, "--dp", dp.name, "--owner", "b", "--max-change", "100");
  expect([refused.exitCode, refused.report.sent, refused.report.conflicts.length]).toEqual([
    1, 0, 10,
  ]);
  const wide = fileOf(
    "wide.txt",
    "in_port(2),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/8,frag=no) 1",
  );
  const conflict = sync(wide, "--dp", dp.name, "--owner", "c");
  expect([conflict.exitCode, conflict.report.conflicts[0]?.why]).toEqual([1, "taken"]);
  const previous = fileOf("previous.txt", `${foreign} 2`);
  const done = sync(
    wide,
    "--dp",
    dp.name,
    "--owner",
    "c",
    "--previous",
    previous,
    "--max-change",
    "100",
  );
  expect([done.exitCode, done.report.changed]).toEqual([0, 1]);
  expect(dpctl(dp.name).find((line) => line.includes("10.1.2.3"))).toEndWith("actions:1");
  const empty = fileOf("empty.txt", "");
  expect(sync(file, "--dp", dp.name, "--owner", "a").report.sent).toBe(0);
  expect(millrace(["sync", empty, "--dp", dp.name, "--owner", "a"]).stderr).toContain("no flow");
  const few = fileOf("few.txt", sample(4, 1_000_000));
  const much = millrace(["sync", few, "--dp", dp.name, "--owner", "a"]);
  expect([much.exitCode, dp.flows]).toEqual([1, 16]);
  expect(much.stderr).toContain("6 of the owner's 10 flows");
  const all = sync(empty, "--dp", dp.name, "--all", "--allow-empty", "--max-change", "100");
  expect([all.exitCode, all.report.deleted, dp.flows]).toEqual([0, 16, 0]);
});

testUnless(NO_DPCTL)(
  "a wide flow that is wanted, too, keeps a narrow one out: nothing is sent, or a gap is allowed",
  () => {
    using dp = new TestDatapath("st4");
    const wide = "in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/8,frag=no) 1\n";
    const narrow = "in_port(1),eth(),eth_type(0x0800),ipv4(src=10.1.0.0/16,frag=no) 2\n";
    expect(sync(fileOf("w.txt", wide), "--dp", dp.name).exitCode).toBe(0);
    const both = fileOf("wn.txt", wide + narrow);
    const { exitCode, report } = sync(both, "--dp", dp.name);
    expect([exitCode, report.sent, dp.flows]).toEqual([1, 0, 1]);
    expect(report.conflicts).toMatchObject([{ why: "gap" }]);
    expect(report.conflicts[0].wanted).toContain("10.1.0.0");
    expect(report.conflicts[0].held).toContain("10.0.0.0");
    const allowed = sync(both, "--dp", dp.name, "--allow-gap", "--max-change", "100", "--verify");
    expect([allowed.exitCode, allowed.report.differing, dp.flows]).toEqual([0, 0, 2]);
    expect(sync(both, "--dp", dp.name).report.sent).toBe(0);
  },
);

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
    expect(refused.stderr).toContain("pid=");
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
    millrace(args);
    const asked = tap.requests().map(({ family, command }) => `${family} ${command}`);
    // A monitor listens, and asks nothing.
    expect([args[0], asked.length > 0]).toEqual([args[0], args[0] !== "monitor"]);
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
    const before = dpctl(dp.name);
    const lines = [
      ...mine.slice(0, 50).map((line) => line.replace(/2$/, "1")),
      ...Array.from({ length: 50 }, (_, i) => sampleLine(1000 + i)),
      `delete ${mine[70]?.split(" ")[0]}`,
      // Covered by a flow that is there.
      "in_port(2),eth(),eth_type(0x0800),ipv4(src=10.9.0.0/16,frag=no) 1",
      sampleLine(5000),
    ];
    const file = fileOf("half.txt", lines.join("\n"));
    const load = ["load", file, "--dp", dp.name, "--batch-flows", "10", "--json"];
    const { exitCode, stdout } = millrace([...load, "--on-error", "rollback"]);
    const report = JSON.parse(stdout);
    expect([exitCode, report.ended, report.rolledBack.failed]).toEqual([1, "stopped", 0]);
    expect(report.rolledBack.sent).toBeGreaterThanOrEqual(101);
    expect(dpctl(dp.name)).toEqual(before);
    // Without it what was done stays.
    expect(millrace([...load, "--on-error", "stop"]).exitCode).toBe(1);
    expect(dpctl(dp.name)).not.toEqual(before);
  },
);

test("load --verify tells what the datapath has, and lacks, by a dump", () => {
  using dp = new TestDatapath("st10");
  const file = fileOf("verified.txt", sample(200));
  const load = ["load", file, "--dp", dp.name, "--verify"];
  const first = millrace(load);
  expect([first.exitCode, first.stdout]).toEqual([
    0,
    expect.stringContaining("verified by a dump: 200 of 200 flows there, with their actions"),
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
  const piped = millrace(["load", "-", "--dp", dp.name, "--verify"], sample(1));
  expect([piped.exitCode, piped.stderr]).toEqual([2, expect.stringContaining("give a file")]);
});

test("sync --watch goes on where its file changes, and where somebody else changes a flow", async () => {
  using dp = new TestDatapath("st11");
  const file = fileOf("watched.txt", sample(50));
  const args = ["sync", file, "--dp", dp.name, "--watch", "--max-change", "100"];
  const child = Bun.spawn([MILLRACE, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const until = async (isSo: () => boolean): Promise<void> => {
    for (const end = performance.now() + limit(30); !isSo() && performance.now() < end;) {
      await Bun.sleep(50);
    }
    expect(isSo()).toBe(true);
  };
  await until(() => dp.flows === 50);
  writeFileSync(file, sample(80));
  await until(() => dp.flows === 80);
  // A file that is not one for a moment does not end it, and changes nothing.
  writeFileSync(file, "in_port(1),eth() x\n");
  await Bun.sleep(1000);
  expect(dp.flows).toBe(80);
  writeFileSync(file, sample(60));
  await until(() => dp.flows === 60);
  using by = Datapath.open(dp.name);
  by.remove(sampleLine(7));
  by.modify(sampleLine(8).replace(/2$/, "1"));
  await until(() => by.get(sampleLine(7)) !== undefined);
  await until(() => by.get(sampleLine(8))?.toString().endsWith("actions:2") === true);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
});

test("two syncs at once, and a load beside them, end and say what they did; the next sync converges", async () => {
  using dp = new TestDatapath("st12");
  const files = [0, 1500].map((first, i) => fileOf(`at-once-${i}.txt`, sample(3000, first)));
  const [one = "", two = ""] = files;
  const start = (...args: readonly string[]) =>
    Bun.spawn([MILLRACE, ...args, "--dp", dp.name, "--json"], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  const children = [
    start("sync", one, "--max-change", "100"),
    start("sync", two, "--max-change", "100"),
    start("load", two),
  ];
  for (const child of children) {
    const report = JSON.parse(await new Response(child.stdout).text());
    // One may find gone what another has deleted.
    expect([report.ended, (await child.exited) <= 1]).toEqual(["complete", true]);
  }
  const last = sync(one, "--dp", dp.name, "--max-change", "100", "--verify");
  expect([last.exitCode, last.report.differing, dp.flows]).toEqual([0, 0, 3000]);
  expect(millrace(["verify", one, "--dp", dp.name, "--exact"]).exitCode).toBe(0);
});
