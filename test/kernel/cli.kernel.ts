import { describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sampleLine, writeSample } from "../../src/format/sample.ts";
import { flushFlows } from "../../src/ovs/flow.ts";
import { HAS_DPCTL, millrace, millraceProcess, TestDatapath, witness } from "./lab.ts";
import { limit } from "../runner/limit.ts";

const folder = mkdtempSync(join(tmpdir(), "cli-"));
// An ordinary user must be able to read it too.
chmodSync(folder, 0o755);
const program = join(import.meta.dir, "../../src/cli/millrace");

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe("millrace load", () => {
  test("3 bad lines of 10,000: 9,997 load, the 3 are named, exit 1", () => {
    using dp = new TestDatapath("cli0");
    const lines = Array.from({ length: 10_000 }, (_, i) => sampleLine(i));
    lines[9] = lines[9]?.replace("ipv4(", "ipv44(") ?? "";
    lines[4000] = lines[4000]?.replace("192.168", "192.999") ?? "";
    lines[9999] = lines[9999]?.replace("udp(", "tcp(") ?? "";
    const bad = file("bad.txt", lines.join("\n"));
    const errors = join(folder, "errors.jsonl");
    const args = ["load", bad, "--dp", dp.name, "--errors", errors];
    const { exitCode, stdout } = millraceProcess(args);
    expect(exitCode).toBe(1);
    expect(dp.flows).toBe(9997);
    expect(stdout).toContain("9,997 applied, 1 rejected, 2 refused of 10,000 lines");
    expect(stdout).toMatch(/^line 10, column \d+: refused .*ipv44.*did you mean "ipv4"/m);
    expect(stdout).toMatch(/^line 4001, column \d+: refused/m);
    const column = (lines[9999]?.indexOf("proto=17") ?? 0) + 1;
    expect(stdout).toContain(`line 10000, column ${column}: rejected (EINVAL): udp() is missing`);
    const streamed = readFileSync(errors, "utf8").trim().split("\n");
    const told = streamed.map((line: string) => JSON.parse(line));
    expect(told.map(({ line }) => line)).toEqual([10, 4001, 10_000]);
    expect(told[2]).toMatchObject({ column, caret: column - 1, text: lines[9999] });
  });

  test("gives one JSON document with the report", () => {
    using dp = new TestDatapath("cli1");
    const { exitCode, stdout, stderr } = millrace(
      ["load", "-", "--dp", dp.name, "--json"],
      `${sampleLine(1)}\n# comment\n${sampleLine(2)}\nnonsense\n`,
    );
    expect([exitCode, stderr]).toEqual([1, ""]);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      applied: 2,
      rejected: 0,
      refused: 1,
      lines: 4,
      ended: "complete",
    });
    expect(report.reconciled).toEqual({ present: 0, absent: 0, contrary: 0 });
    expect(Object.keys(report.batchLatencyMicroseconds)).toEqual([
      "p50",
      "p90",
      "p99",
      "p999",
      "max",
    ]);
    // One batch tells no such percentile.
    expect(report.batchLatencyMicroseconds).toMatchObject({ p99: null, p999: null });
    expect(report.peakResidentBytes).toBeGreaterThan(1 << 20);
    expect(report.peakResidentBytes).toBeLessThan(1 << 30);
    expect(report.errors[0]).toMatchObject({ line: 4, column: 1, state: "refused", errno: 0 });
  });

  test("tells no time per flow where none was applied", () => {
    using dp = new TestDatapath("cli2none");
    const line = sampleLine(1).replace("udp(", "tcp(");
    const { exitCode, stdout } = millrace(["load", "-", "--dp", dp.name], line);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^  rate     none applied \(\d/m);
  });

  test("tells people how many sockets sent", () => {
    using dp = new TestDatapath("cli11");
    // Of the second one so many, so slowly, that its thread has started before the end.
    for (const [workers, sockets, count] of [
      ["0", "1 socket", 1000],
      ["2", "2 sockets", 60_000],
    ] as const) {
      flushFlows(dp.handle);
      const flows = Array.from({ length: count }, (_, i) => sampleLine(i)).join("\n");
      const args = ["load", file("sockets.txt", flows), "--dp", dp.name, "--workers", workers];
      const { exitCode, stdout } = millrace([...args, "--max-rate", "20000"]);
      expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`, by ${sockets}; latency`)]);
    }
  });

  test("says in one line what it cannot read, exit 2", () => {
    using dp = new TestDatapath("cli2");
    const empty = millrace(["load", file("empty.txt", ""), "--dp", dp.name]);
    expect(empty.exitCode).toBe(0);
    const binary = file("binary", "a\u0000b");
    for (const [path, reason] of [
      [join(folder, "missing"), "there is no such file"],
      [folder, "it is a folder"],
      [binary, "it is a binary file"],
    ] as const) {
      const { exitCode, stdout, stderr } = millrace(["load", path, "--dp", dp.name]);
      expect([path, exitCode, stdout]).toEqual([path, 2, ""]);
      expect(stderr).toStartWith(`millrace: cannot read ${path}: ${reason}`);
      expect(stderr.trim().split("\n").length).toBe(1);
    }
    expect(millrace(["load", "--dp", dp.name, "--nonsense"]).exitCode).toBe(2);
    expect(millrace(["nonsense"]).exitCode).toBe(2);
    expect(millrace(["load", empty.stdout, "--dp", dp.name, "--batch-flows", "0"]).exitCode).toBe(
      2,
    );
  });

  test("no right, no datapath: exit 3, with the remedy", () => {
    using dp = new TestDatapath("cli3");
    const flows = file("one.txt", `${sampleLine(1)}\n`);
    const none = millrace(["load", flows, "--dp", "absent"]);
    expect(none.exitCode).toBe(3);
    expect(none.stderr).toContain("'millrace dp add absent' creates it");
    const child = Bun.spawnSync(
      [
        "busybox",
        "su",
        "-s",
        "/bin/sh",
        "nobody",
        "-c",
        `${program} load ${flows} --dp ${dp.name} --json`,
      ],
      { stdout: "pipe", stderr: "pipe" },
    );
    const { ended, endReason } = JSON.parse(child.stdout.toString());
    expect(ended).toBe("fatal");
    expect(endReason).toStartWith("the kernel requires CAP_NET_ADMIN");
    expect(child.stderr.toString()).toBe(`millrace: ${endReason}\n`);
    expect(child.exitCode).toBe(3);
  });

  test("SIGINT stops it within a second, reports what was applied, exit 4", async () => {
    using dp = new TestDatapath("cli4");
    const many = join(folder, "many.txt");
    const FLOWS = 150_000;
    writeSample(many, FLOWS);
    const child = Bun.spawn([program, "load", many, "--dp", dp.name, "--json"], {
      stdout: "pipe",
      stderr: "pipe",
    });
    while (dp.flows === 0) await Bun.sleep(5);
    const killedAt = performance.now();
    // The launcher has replaced itself by Bun: the signal reaches the load.
    child.kill("SIGINT");
    expect(await child.exited).toBe(4);
    expect(performance.now() - killedAt).toBeLessThan(limit(1));
    const report = JSON.parse(await new Response(child.stdout).text());
    expect(report.ended).toBe("interrupted");
    expect(report.applied).toBe(dp.flows);
    expect(report.applied).toBeGreaterThan(0);
    expect(report.applied).toBeLessThan(FLOWS);
  });

  test("SIGINT ends a load that waits for its input; what came was sent meanwhile", async () => {
    using dp = new TestDatapath("cli9");
    const fifo = join(folder, "fifo");
    witness("busybox", "mkfifo", fifo);
    for (const from of ["-", fifo]) {
      const command =
        from === "-"
          ? `${program} load - --dp cli9 < ${fifo}`
          : `${program} load ${fifo} --dp cli9`;
      const child = Bun.spawn(["sh", "-c", `exec ${command}`], { stdout: "pipe", stderr: "pipe" });
      const writer = Bun.spawn([
        "sh",
        "-c",
        `exec 3>${fifo}; echo '${sampleLine(1)}' >&3; sleep 60`,
      ]);
      const due = performance.now() + limit(20);
      while (dp.flows < 1 && performance.now() < due) await Bun.sleep(50);
      expect([from, dp.flows]).toEqual([from, 1]);
      const killedAt = performance.now();
      child.kill("SIGINT");
      expect([from, await child.exited]).toEqual([from, 4]);
      expect(performance.now() - killedAt).toBeLessThan(limit(1));
      writer.kill();
      flushFlows(dp.handle);
    }
  });

  test("a rate is kept, and a reader that goes away does not hide a failure", () => {
    using dp = new TestDatapath("cli10");
    const flows = file(
      "rate.txt",
      Array.from({ length: 1000 }, (_, i) => sampleLine(i)).join("\n"),
    );
    const { stdout } = millrace(["load", flows, "--dp", dp.name, "--max-rate", "1000", "--json"]);
    const { flowsPerSecond, seconds } = JSON.parse(stdout);
    expect(flowsPerSecond).toBeLessThan(1300);
    expect(flowsPerSecond * seconds).toBeCloseTo(1000, 0);
    const bad = file("bad.txt", "nonsense\n");
    const shell = `{ { ${program} load ${bad} --dp ${dp.name}; echo $? >&3; } | true; } 3>&1`;
    expect(witness("sh", "-c", shell).trim()).toBe("1");
    expect(millrace(["load", bad, "--dp", dp.name, "--errors", bad]).exitCode).toBe(2);
  });

  test("what gzip or zstd have compressed is loaded; a cut file says so, exit 2", () => {
    using dp = new TestDatapath("cli12");
    const text = Buffer.from(Array.from({ length: 500 }, (_, i) => `${sampleLine(i)}\n`).join(""));
    for (const [name, bytes] of [
      ["flows.gz", Bun.gzipSync(text)],
      ["flows.zst", Bun.zstdCompressSync(text)],
    ] as const) {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      for (const args of [
        ["load", path, "--dp", dp.name],
        ["dpctl", "add-flows", dp.name, path],
      ]) {
        flushFlows(dp.handle);
        expect([args, millrace(args).exitCode, dp.flows]).toEqual([args, 0, 500]);
      }
      writeFileSync(path, bytes.subarray(0, bytes.length - 1));
      const { exitCode, stderr } = millrace(["load", path, "--dp", dp.name]);
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining("its end is missing\n")]);
      expect(stderr).toStartWith(`millrace: cannot read ${path}: it is compressed by `);
    }
  });

  test("a sample of flows is loaded whole", () => {
    using dp = new TestDatapath("cli13");
    const path = join(folder, "sample");
    expect(millrace(["sample", "3000", "-o", path]).exitCode).toBe(0);
    expect(millrace(["load", path, "--dp", dp.name]).exitCode).toBe(0);
    expect(dp.flows).toBe(3000);
  });

  test("a dry run sends nothing", () => {
    using dp = new TestDatapath("cli5");
    const flows = file("dry.txt", `${sampleLine(1)}\n${sampleLine(2)} nonsense\n`);
    const { exitCode, stdout } = millrace(["load", flows, "--dp", dp.name, "--dry-run"]);
    expect(exitCode).toBe(1);
    expect(stdout).toContain("1 valid");
    expect(dp.flows).toBe(0);
  });
});

test("MILLRACE_TRACE=netlink tells every message, and changes nothing else", () => {
  using dp = new TestDatapath("cli9");
  const lines = [1, 2, 3].map(sampleLine).join("\n");
  const run = (trace: string): Bun.SyncSubprocess<"pipe", "pipe"> =>
    Bun.spawnSync([program, "load", "-", "--dp", dp.name, "--mode", "add"], {
      stdin: Buffer.from(lines),
      env: { ...process.env, MILLRACE_TRACE: trace },
      stdout: "pipe",
      stderr: "pipe",
    });
  const traced = run("netlink");
  expect(traced.exitCode).toBe(0);
  expect(dp.flows).toBe(3);
  const told = traced.stderr.toString();
  const put =
    /^netlink \d+ > ovs_flow NEW \(request.* excl create\), seq \d+, version 1, datapath \d+, \d+ bytes$/gm;
  expect(told.match(put)).toHaveLength(3);
  expect(told).toMatch(/^ {2}KEY\n( {4}\S.*\n)* {4}IPV4 /m);
  expect(told).toMatch(/^ {2}ACTIONS\n {4}OUTPUT 02 00 00 00$/m);
  expect(told).toMatch(/^netlink \d+ < ack, seq \d+$/m);
  const again = run("");
  expect([again.exitCode, again.stderr.toString()]).toEqual([1, ""]);
});

describe("millrace dump", () => {
  test("prints what ovs-dpctl prints, and loads again", () => {
    using dp = new TestDatapath("cli6");
    using again = new TestDatapath("cli7");
    const flows = file(
      "sample.txt",
      Array.from({ length: 300 }, (_, i) => sampleLine(i)).join("\n"),
    );
    expect(millrace(["load", flows, "--dp", dp.name]).exitCode).toBe(0);
    const { stdout } = millrace(["dump", "--dp", dp.name]);
    const dump = stdout.trim().split("\n").toSorted();
    expect(dump.length).toBe(300);
    if (HAS_DPCTL) {
      expect(dump).toEqual(
        witness("ovs-dpctl", "dump-flows", dp.name).trim().split("\n").toSorted(),
      );
      const verbose = millrace(["dump", "--dp", dp.name, "-m"])
        .stdout.trim()
        .split("\n")
        .toSorted();
      const theirs = witness("ovs-dpctl", "dump-flows", "-m", dp.name)
        .trim()
        .split("\n")
        .toSorted();
      expect(verbose).toEqual(theirs);
    }
    expect(millrace(["load", "-", "--dp", again.name], stdout).exitCode).toBe(0);
    const copy = millrace(["dump", "--dp", again.name, "--no-stats"]).stdout;
    const first = millrace(["dump", "--dp", dp.name, "--no-stats"]).stdout;
    expect(copy.split("\n").toSorted()).toEqual(first.split("\n").toSorted());
  });

  test("tells the masks, as many as the kernel says, those that most flows share first", () => {
    using dp = new TestDatapath("cli12");
    const many = Array.from({ length: 300 }, (_, i) => sampleLine(i));
    const few = Array.from({ length: 5 }, (_, i) =>
      sampleLine(i + 300).replace(/dst=192[\d.]+/, `dst=192.168.1.0/255.255.255.${i}`),
    );
    const flows = file("masks.txt", [...few, ...many].join("\n"));
    expect(millrace(["load", flows, "--dp", dp.name]).exitCode).toBe(0);
    const { stdout } = millrace(["dump", "--dp", dp.name, "--summary", "--json"]);
    const summary: { flows: number; masks: { flows: number; like: string }[] } = JSON.parse(stdout);
    expect([summary.flows, summary.masks.map((mask) => mask.flows)]).toEqual([
      305,
      [300, 1, 1, 1, 1, 1],
    ]);
    for (const { like } of summary.masks.slice(1)) expect(like).toContain("/255.255.255.");
    const lines = millrace(["doctor", "--dp", dp.name]).stdout.split("\n");
    expect(lines[0]).toBe(`${dp.name}: 305 flows of 6 masks`);
    if (HAS_DPCTL) expect(witness("ovs-dpctl", "show", dp.name)).toContain("total:6 ");
    const refused = millrace(["dump", "--dp", dp.name, "--summary", "--where", "in_port=1"]);
    expect(refused.exitCode).toBe(2);
  });
});

describe("millrace dp, port, flow and doctor", () => {
  test("do what they say, with JSON", () => {
    expect(millrace(["dp", "add", "cli8"]).exitCode).toBe(0);
    expect(millrace(["dp", "add", "cli8"]).exitCode).toBe(3);
    expect(millrace(["port", "add", "cli9", "--dp", "cli8", "--type", "internal"]).exitCode).toBe(
      0,
    );
    const shown = JSON.parse(millrace(["dp", "show", "cli8", "--json"]).stdout);
    expect(shown.ports.map((port: { name: string }) => port.name)).toEqual(["cli8", "cli9"]);
    const flow = sampleLine(3);
    expect(millrace(["load", "-", "--dp", "cli8"], flow).exitCode).toBe(0);
    expect(millrace(["flow", "get", flow, "--dp", "cli8"]).stdout).toContain("actions:");
    expect(millrace(["flow", "del", flow, "--dp", "cli8"]).exitCode).toBe(0);
    expect(millrace(["flow", "del", flow, "--dp", "cli8"]).exitCode).toBe(1);
    expect(millrace(["port", "del", "cli9", "--dp", "cli8"]).exitCode).toBe(0);
    expect(millrace(["dp", "del", "cli8"]).exitCode).toBe(0);
    expect(millrace(["dp", "del", "cli8"]).exitCode).toBe(3);
    const checks = JSON.parse(millrace(["doctor", "--json"]).stdout);
    expect(
      checks.find((check: { what: string }) => check.what.startsWith("Open vSwitch")).verdict,
    ).toBe("ok");
  });
});

test("where there is no datapath, show says so and exits as ovs-dpctl does", () => {
  const name = "cli-none";
  witness("ip", "netns", "add", name);
  try {
    const inside = (...command: readonly string[]): string => {
      const words = ["ip", "netns", "exec", name, ...command];
      const { exitCode, stdout, stderr } = Bun.spawnSync(words, { stdin: "ignore" });
      return `${exitCode} ${stdout.toString()}${stderr.toString()}`;
    };
    expect(inside(program, "dpctl", "show")).toBe(
      "0 millrace dpctl: warning: no datapaths exist\n",
    );
    expect(inside(program, "dpctl", "dump-dps")).toBe("0 ");
    expect(inside(program, "dp", "show")).toBe("0 no datapaths\n");
    if (HAS_DPCTL) {
      expect(inside("ovs-dpctl", "show")).toBe("0 ");
      expect(inside("ovs-dpctl", "dump-dps")).toBe("0 ");
    }
  } finally {
    witness("ip", "netns", "del", name);
  }
});
