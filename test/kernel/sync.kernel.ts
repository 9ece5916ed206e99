import { expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { Datapath } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { deleteDatapath } from "../../src/ovs/datapath.ts";
import * as OVS from "../../src/uapi/openvswitch.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";
import { MILLRACE, millrace, NO_DPCTL, TestDatapath, witness } from "./lab.ts";
import { sample } from "./loading.ts";
import { NetlinkTap } from "./netlink-tap.ts";
import { dpctl, fileOf } from "./sets.ts";

setDefaultTimeout(limit(120));

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

async function until(isSo: () => boolean): Promise<void> {
  for (const end = performance.now() + limit(30); !isSo() && performance.now() < end;) {
    await Bun.sleep(50);
  }
  expect(isSo()).toBe(true);
}

test("sync --watch goes on where its file changes, and where somebody else changes a flow", async () => {
  using dp = new TestDatapath("st11");
  const file = fileOf("watched.txt", sample(50));
  const args = ["sync", file, "--dp", dp.name, "--watch", "--max-change", "100"];
  const child = Bun.spawn([MILLRACE, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
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

test("sync --watch ends when its datapath is deleted, and says so", async () => {
  using dp = new TestDatapath("st14");
  const file = fileOf("deleted.txt", sample(50));
  const args = ["sync", file, "--dp", dp.name, "--watch"];
  // So that no change of a flow makes it look.
  millrace(["load", file, "--dp", dp.name]);
  const child = Bun.spawn([MILLRACE, ...args, "--verify-every", "3600"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const stderr = readerOf(child.stderr);
  while (!stderr.text.includes("watching")) await Bun.sleep(20);
  // Others come and go meanwhile.
  using other = new TestDatapath("st15");
  deleteDatapath(other.channel, other.name);
  await Bun.sleep(500);
  expect(child.exitCode).toBeNull();
  const deletedAt = performance.now();
  deleteDatapath(dp.channel, dp.name);
  expect(await child.exited).toBe(3);
  expect(performance.now() - deletedAt).toBeLessThan(limit(3));
  expect(stderr.text).toEndWith("millrace: the datapath st14 was deleted: the watch ends\n");
});

/** What comes from a stream, as far as it came. */
function readerOf(stream: ReadableStream<Uint8Array>): { readonly text: string } {
  const read = { text: "" };
  const decoder = new TextDecoder();
  void (async () => {
    for await (const piece of stream) read.text += decoder.decode(piece, { stream: true });
  })();
  return read;
}

test("sync --watch does not do and take back the same thing over and over", async () => {
  using dp = new TestDatapath("st13");
  const flow = (source: string): string =>
    `in_port(1),eth(),eth_type(0x0800),ipv4(src=${source},frag=no) 1`;
  // The kernel never holds the first two together.
  const refused = ["10.0.0.0/8", "10.0.0.0/16", "11.0.0.1"].map(flow).join("\n");
  const file = fileOf("refused.txt", refused);
  const args = ["sync", file, "--dp", dp.name, "--watch", "--on-error", "rollback"];
  const child = Bun.spawn([MILLRACE, ...args], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let said = "";
  const reading = (async (): Promise<void> => {
    for await (const piece of child.stderr) said += new TextDecoder().decode(piece);
  })();
  await until(() => said.includes("watching"));
  await Bun.sleep(1500);
  writeFileSync(file, flow("11.0.0.1"));
  await until(() => dp.flows === 1);
  // The signal is the normal end also while the file is read: here, a pipe that is waited for.
  rmSync(file);
  witness("busybox", "mkfifo", file);
  await Bun.sleep(1500);
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  await reading;
  expect(said).toContain("the file changed");
  expect(said).not.toContain("flows changed");
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

test("a changed flow, and a deleted one, cost one request each, as an interface that hears all netlink tells", () => {
  using dp = new TestDatapath("st13");
  const lines = Array.from({ length: 500 }, (_, i) => sampleLine(i));
  millrace(["load", fileOf("all.txt", lines.join("\n")), "--dp", dp.name]);
  const wanted = lines.slice(40).map((line, i) => (i % 10 === 0 ? line.replace(/2$/, "1") : line));
  const file = fileOf("fewer.txt", wanted.join("\n"));
  const { id } = dp.channel.family(OVS.OVS_FLOW_FAMILY);
  using tap = new NetlinkTap();
  tap.requests();
  const { exitCode, report } = sync(file, "--dp", dp.name);
  const counts = new Map<number, number>();
  for (const { family, command } of tap.requests()) {
    if (family === id) counts.set(command, (counts.get(command) ?? 0) + 1);
  }
  expect([exitCode, report.changed, report.deleted, report.sent]).toEqual([0, 46, 40, 86]);
  // One dump, and nothing read again.
  const heard = [OVS.OVS_FLOW_CMD_SET, OVS.OVS_FLOW_CMD_DEL, OVS.OVS_FLOW_CMD_GET];
  expect(heard.map((command) => counts.get(command))).toEqual([46, 40, 1]);
  expect(counts.size).toBe(3);
});
