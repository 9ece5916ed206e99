import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { Datapath } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { HAS_DPCTL, IS_UML, millrace, TestDatapath, witness } from "./lab.ts";
import { addressOf, ping, TestNetwork } from "./net.ts";
import { limit } from "../runner/limit.ts";

const PROGRAM = join(import.meta.dir, "../../src/cli/millrace");

/** Starts a live command and waits until it listens. */
async function start(...args: readonly string[]) {
  const child = Bun.spawn([PROGRAM, ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const reader = child.stderr.getReader();
  const { value } = await reader.read();
  expect(Buffer.from(value ?? []).toString()).toBe("listening\n");
  reader.releaseLock();
  return {
    child,
    async end(signal?: NodeJS.Signals): Promise<{ status: number; out: string }> {
      if (signal !== undefined) child.kill(signal);
      const out = await new Response(child.stdout).text();
      return { status: await child.exited, out };
    },
  };
}

function jsonLines(text: string) {
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

describe("millrace meter", () => {
  test("sets, gets and deletes; says what is missing", () => {
    using made = new TestDatapath("lm1");
    const dp = ["--dp", made.name];
    expect(millrace(["meter", "features", ...dp, "--json"]).stdout).toContain('"maxBands": 1');
    expect(millrace(["meter", "set", "7", "--pps", "10", "--burst", "5", ...dp]).exitCode).toBe(0);
    const got = millrace(["meter", "get", "7", "8", ...dp, "--json"]);
    expect(got.exitCode).toBe(1);
    expect(JSON.parse(got.stdout)).toMatchObject([{ id: 7, stats: { packets: 0 } }]);
    expect(got.stderr).toContain("has no meter 8");
    expect(millrace(["meter", "del", "7", ...dp]).stdout).toContain("7");
    expect(millrace(["meter", "get", "7", ...dp]).exitCode).toBe(1);
    expect(millrace(["meter", "set", "7", ...dp]).exitCode).toBe(2);
    expect(millrace(["meter", "get", "7", "--dp", "nothing"]).exitCode).toBe(3);
  });
});

describe("changes from the command line", () => {
  test("say what they did in JSON; in a namespace by name", () => {
    using net = new TestNetwork("lj1", 1);
    const { name, dp } = net;
    const [machine = ""] = net.machines;
    const json = (...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = millrace([...args, "--json"]);
      expect([args, exitCode, stderr]).toEqual([args, 0, ""]);
      return JSON.parse(stdout);
    };
    const set = ["dp", "set", name, "--features", "vport-pids", "--masks-cache", "128"];
    expect(json(...set)).toMatchObject({ features: ["vport-pids"], masksCacheSize: 128 });
    expect(dp.info()).toMatchObject({ features: ["vport-pids"], masksCacheSize: 128 });
    expect(json("dp", "add", "ljin", "--namespace", machine).name).toBe("ljin");
    expect(Datapath.list({ namespace: machine }).map((each) => each.name)).toEqual(["ljin"]);
    expect(Datapath.list().map((each) => each.name)).toEqual([name]);
    expect(json("dp", "del", "ljin", "--namespace", `/var/run/netns/${machine}`)).toEqual({
      deleted: "ljin",
    });
    dp.addPort("ljp", { type: "internal" });
    expect(json("port", "move", "ljp", "--dp", name, "--to", machine)).toMatchObject({
      name: "ljp",
      type: "internal",
    });
    expect(witness("ip", "-n", machine, "-o", "link")).toContain("ljp");
    const words = millrace(["completion", "--words", "--", "port", "del", "--dp", name, "lj1"]);
    expect(words.stdout).toContain("lj1v1\tport 1, netdev");
    expect(json("port", "del", "ljp", "--dp", name)).toEqual({ deleted: "ljp" });
    dp.put(sampleLine(1));
    expect(json("flow", "del", sampleLine(1), "--dp", name)).toEqual({ deleted: 1 });
    dp.put(sampleLine(1));
    expect(json("flow", "flush", "--dp", name)).toEqual({ deleted: 1 });
    expect(dp.info().stats.flows).toBe(0);
  });

  test("mistakes of the user are none of the program: exit 2 or 3", () => {
    using made = new TestDatapath("lu1");
    const dp = ["--dp", made.name];
    for (const [status, ...args] of [
      [2, "dp", "add", "averyveryverylongname0"],
      [2, "dp", "add", ""],
      [3, "dp", "del", ""],
      [2, "flow", "get", "", ...dp],
      [2, "flow", "del", " ", ...dp],
      [2, "port", "add", "x", "--type", "gre", "--destination-port", "5", ...dp],
      [2, "port", "add", "x", "--type", "internal", "--number", "70000", ...dp],
      [2, "dp", "set", made.name, "--masks-cache", "1000"],
      [3, "dp", "list", "--namespace", "nowhere"],
    ] as const) {
      const { exitCode, stderr } = millrace(args);
      expect([args, exitCode]).toEqual([args, status]);
      expect(stderr).not.toContain("internal error");
    }
  });

  test("the doctor tries what the kernel takes, and leaves nothing behind", () => {
    const before = Datapath.list().length;
    const { stdout } = millrace(["doctor", "--json"]);
    const found = JSON.parse(stdout)
      .filter(({ what }: { what: string }) => what === "features of the datapath")
      .map((check: { found: string }) => check.found)
      .join("\n");
    if (IS_UML) {
      expect(found).toContain(
        "no action drop(REASON): flows with it are rejected; a plain drop works",
      );
      expect(found).toContain("no hash(sym_l4()): ");
      expect(stdout).toContain("Linux 6.7, or");
    } else expect(found).toBe("all that flows can use");
    expect(Datapath.list().length).toBe(before);
  });
});

describe("millrace ct-limit", () => {
  test("sets, gets and deletes, as ovs-dpctl sees it", () => {
    using _made = new TestDatapath("lc1");
    expect(millrace(["ct-limit", "set", "default=50", "9=3"]).exitCode).toBe(0);
    if (HAS_DPCTL) expect(witness("ovs-dpctl", "ct-get-limits")).toContain("zone=9,limit=3");
    expect(JSON.parse(millrace(["ct-limit", "get", "9", "--json"]).stdout)).toEqual([
      { zone: 9, limit: 3, count: 0 },
    ]);
    expect(millrace(["ct-limit", "del", "9", "default"]).exitCode).toBe(0);
    expect(millrace(["ct-limit", "get"]).stdout).not.toContain("50");
    expect(millrace(["ct-limit", "set", "9"]).exitCode).toBe(2);
  });
});

describe("millrace monitor", () => {
  test("shows changes as text, ends after a count", async () => {
    const live = await start("monitor", "--count", "3");
    using dp = Datapath.create("lo1");
    dp.addPort("lo1p1", { type: "internal" });
    dp.put(sampleLine(1));
    dp.delete();
    const { status, out } = await live.end();
    expect(status).toBe(0);
    const timed = out.trim().split("\n");
    const times = timed.map((line) => line.slice(0, line.indexOf(" ")));
    for (const time of times) expect(new Date(time).toISOString()).toBe(time);
    expect(times.toSorted()).toEqual(times);
    const lines = timed.map((line) => line.slice(line.indexOf(" ") + 1));
    expect(lines.slice(0, 2)).toEqual(["new datapath lo1", "new port lo1: 1: lo1p1 (internal)"]);
    expect(lines[2]).toStartWith("new flow lo1: in_port(1),");
  });

  test("shows them as JSON lines, of one datapath, of some kinds, until SIGINT", async () => {
    using made = new TestDatapath("lo2");
    using other = new TestDatapath("lo3");
    const live = await start("monitor", "--dp", made.name, "--only", "flow", "--json");
    for (const { name } of [other, made]) {
      using dp = Datapath.open(name);
      dp.put(sampleLine(1));
    }
    await Bun.sleep(limit(0.3));
    const { status, out } = await live.end("SIGINT");
    expect(status).toBe(0);
    expect(jsonLines(out)).toMatchObject([
      { kind: "flow", change: "new", datapath: "lo2", flow: expect.stringContaining("in_port(1)") },
    ]);
    const ageMs = Date.now() - Date.parse(jsonLines(out)[0].time);
    expect(ageMs).toBeGreaterThanOrEqual(0);
    expect(ageMs).toBeLessThan(limit(60));
  });

  test("what is wrong is said in a line", () => {
    expect(millrace(["monitor", "--dp", "nothing"]).exitCode).toBe(3);
    expect(millrace(["monitor", "--only", "packets"]).exitCode).toBe(2);
  });
});

describe("millrace upcalls", () => {
  test("shows misses and carries them on; gives them back at the end", async () => {
    using net = new TestNetwork("lu1", 2);
    const live = await start("upcalls", "--dp", "lu1", "--execute", "lu1v1,lu1v2", "--json");
    expect(net.dp.ports()[1]?.upcallPortIds).not.toEqual([0]);
    expect(await ping(net.machines[0] ?? "", addressOf(2), 1)).toBe(1);
    const second = millrace(["upcalls", "--dp", "lu1", "--duration", "1"]);
    expect([second.exitCode, second.stderr]).toEqual([
      3,
      expect.stringContaining("another program"),
    ]);
    const { status, out } = await live.end("SIGTERM");
    expect(status).toBe(0);
    const shown = jsonLines(out);
    // A kernel that speaks IPv6 by itself sends packets of its own before.
    const arp = shown.find(({ key }: { key: string }) => key.includes("arp("));
    expect(arp).toMatchObject({ kind: "miss", inPort: 1, port: "lu1v1", length: 42 });
    expect(arp.packet.length).toBe(84);
    expect(shown.some(({ key }: { key: string }) => key.includes("icmp(type=0"))).toBe(true);
    expect(net.dp.ports().map((port) => port.upcallPortIds[0])).toEqual([0, 0, 0]);
  });

  test("wrong actions end it, and nothing is left behind", async () => {
    using net = new TestNetwork("lu2", 1);
    const live = await start("upcalls", "--dp", "lu2", "--execute", "nonsense(");
    expect(await ping(net.machines[0] ?? "", addressOf(9), 1, 1)).toBe(0);
    const { status } = await live.end();
    expect(status).toBe(2);
    expect(net.dp.ports().map((port) => port.upcallPortIds[0])).toEqual([0, 0]);
  });
});

describe("millrace port", () => {
  test("makes tunnels; one that fails leaves nothing behind", () => {
    using made = new TestDatapath("lp1");
    const add = (name: string, ...args: readonly string[]) =>
      millrace(["port", "add", name, "--dp", made.name, ...args]);
    const added = add("lp1vx", "--type", "vxlan", "--destination-port", "4790", "--gbp", "--json");
    expect(JSON.parse(added.stdout)).toMatchObject({
      type: "vxlan",
      tunnel: { destinationPort: 4790, groupPolicy: true },
    });
    expect(add("lp1vy", "--type", "vxlan", "--destination-port", "4790").exitCode).not.toBe(0);
    expect(add("nothing").exitCode).toBe(3);
    expect(add("lp1x", "--type", "gre", "--gbp").exitCode).toBe(2);
    using dp = Datapath.open(made.name);
    expect(dp.ports().length).toBe(4);
    expect(witness("ip", "-o", "link")).not.toContain("lp1vy");
  });
});
