import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import {
  type ChangeEvent,
  Datapath,
  MillraceError,
  monotonicMs,
  NetlinkError,
  NetworkNamespace,
} from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { HAS_DPCTL, millrace, TestDatapath, witness } from "./lab.ts";
import { addressOf, ping, pingCommand, TestNetwork } from "./net.ts";
import { limit } from "../runner/limit.ts";

describe("meters", () => {
  test("are set, counted and deleted; what is above the rate is dropped", async () => {
    using net = new TestNetwork("mt1", 2);
    const { dp } = net;
    const features = dp.meterFeatures();
    expect(features).toMatchObject({ maxBands: 1, bandTypes: ["drop"] });
    expect(features.maxMeters).toBeGreaterThan(1000);
    // DP_METER_NUM_MAX
    expect(features.maxMeters).toBeLessThanOrEqual(200_000);
    expect(dp.getMeter(5)).toBeUndefined();
    const setAt = monotonicMs();
    dp.setMeter(5, { unit: "packets", bands: [{ rate: 1, burst: 1 }] });
    const made = dp.getMeter(5)?.usedMs;
    expect(made).toBeGreaterThanOrEqual(setAt);
    expect(made).toBeLessThanOrEqual(monotonicMs());
    net.connect("meter(5),");
    // -i would want root of ping; three at a time from one machine come faster than one a second.
    const received = await Promise.all(
      Array.from({ length: 8 }, async () => ping(net.machines[0] ?? "", addressOf(2), 1)),
    );
    const passed = received.reduce((sum, count) => sum + count, 0);
    const meter = dp.getMeter(5);
    expect(meter?.stats.packets).toBe(8);
    expect(meter?.stats.bytes).toBe(8 * 98);
    expect(meter?.bands[0]?.packets).toBeGreaterThan(0);
    expect(passed).toBeGreaterThan(0);
    // The machine's own count of answers is the witness.
    expect(passed).toBe(8 - (meter?.bands[0]?.packets ?? 0));
    expect(dp.deleteMeter(5)?.stats.packets).toBe(8);
    expect(dp.deleteMeter(5)).toBeUndefined();
    expect(dp.getMeter(5)).toBeUndefined();
  });

  test("what the kernel refuses is said, and changes nothing", () => {
    using made = new TestDatapath("mt2");
    using dp = Datapath.open(made.name);
    expect(() => dp.setMeter(1, { unit: "packets", bands: [{ rate: 0 }] })).toThrow(NetlinkError);
    const two = [{ rate: 1 }, { rate: 2 }];
    expect(() => dp.setMeter(1, { unit: "kilobits", bands: two })).toThrow(NetlinkError);
    expect(dp.getMeter(1)).toBeUndefined();
    dp.setMeter(1, { unit: "kilobits", bands: [{ rate: 100 }] });
    dp.setMeter(1, { unit: "kilobits", bands: [{ rate: 200 }], clear: true });
    expect(dp.getMeter(1)).toMatchObject({ id: 1, stats: { packets: 0, bytes: 0 } });
  });
});

describe("conntrack limits", () => {
  test("are set, read and deleted, as ovs-dpctl sees them", () => {
    using made = new TestDatapath("ct1");
    using dp = Datapath.open(made.name);
    dp.setCtLimits([
      { zone: "default", limit: 100 },
      { zone: 5, limit: 7 },
      { zone: 65_535, limit: 0 },
    ]);
    expect(dp.ctLimits()).toContainEqual({ zone: 5, limit: 7, count: 0 });
    expect(dp.ctLimits()[0]).toEqual({ zone: "default", limit: 100, count: 0 });
    expect(dp.ctLimits([5, "default"])).toEqual([
      { zone: 5, limit: 7, count: 0 },
      { zone: "default", limit: 100, count: 0 },
    ]);
    if (HAS_DPCTL) {
      const said = witness("ovs-dpctl", "ct-get-limits");
      expect(said).toContain("default limit=100");
      expect(said).toContain("zone=5,limit=7,count=0");
    }
    dp.deleteCtLimits([5, 65_535]);
    dp.setCtLimits([{ zone: "default", limit: 0 }]);
    expect(dp.ctLimits()).toEqual([{ zone: "default", limit: 0, count: 0 }]);
    expect(() => dp.setCtLimits([{ zone: 70_000, limit: 1 }])).toThrow("from 0 to 65535");
  });

  test("a limit holds: connections above it are dropped", async () => {
    using net = new TestNetwork("ct2", 2);
    const { dp } = net;
    net.connect("ct(commit),", "ct(commit),");
    dp.setCtLimits([{ zone: 0, limit: 2 }]);
    try {
      let answered = 0;
      // Each ping has an identifier, and so a connection, of its own.
      for (let i = 0; i < 2; i++) answered += await ping(net.machines[0] ?? "", addressOf(2), 1);
      expect(answered).toBe(2);
      expect(dp.ctLimits([0])).toEqual([{ zone: 0, limit: 2, count: 2 }]);
      expect(await ping(net.machines[0] ?? "", addressOf(2), 1, 1)).toBe(0);
      expect(dp.ctLimits([0])[0]?.count).toBe(2);
    } finally {
      dp.deleteCtLimits([0]);
    }
  });
});

describe("changes", () => {
  test("of datapaths, ports and flows come as they happen", () => {
    using changes = Datapath.changes();
    using dp = Datapath.create("ev1");
    dp.addPort("ev1p1", { type: "internal" });
    const line = sampleLine(3);
    dp.put(line);
    dp.modify(line.replace(/2$/, "1"));
    dp.remove(line);
    dp.set({ userFeatures: 0 });
    dp.deletePort("ev1p1");
    dp.delete();
    expect(changes.read().map(inWords)).toEqual([
      "new datapath ev1",
      "new port ev1p1",
      expect.stringMatching(/^new flow .*actions:2$/),
      expect.stringMatching(/^set flow .*actions:1$/),
      expect.stringMatching(/^delete flow /),
      "set datapath ev1",
      "delete port ev1p1",
      "delete datapath ev1",
    ]);
    if (!HAS_DPCTL) return;
    witness("ovs-dpctl", "add-dp", "ev2");
    witness("ovs-dpctl", "del-dp", "ev2");
    const theirs = changes.read().map(inWords);
    expect(theirs[0]).toBe("new datapath ev2");
    expect(theirs.at(-1)).toBe("delete datapath ev2");
  });

  test("of one datapath, of one kind", async () => {
    using made = new TestDatapath("ev3");
    using other = new TestDatapath("ev4");
    using dp = Datapath.open(made.name);
    using flows = dp.changes({ kinds: ["flow"] });
    using elsewhere = Datapath.open(other.name);
    elsewhere.put(sampleLine(1));
    dp.addPort("ev3p3", { type: "internal" });
    setTimeout(() => dp.put(sampleLine(2)), 20);
    const first = await flows.next({ timeoutMs: limit(10) });
    expect(inWords(first)).toStartWith("new flow ");
    expect(flows.read()).toEqual([]);
  });

  test("an overrun is an event, where it was, and the stream goes on", async () => {
    using made = new TestDatapath("ev5");
    using dp = Datapath.open(made.name);
    using changes = dp.changes({ kinds: ["flow"], receiveBufferBytes: 64 << 10 });
    await dp.load(Array.from({ length: 3000 }, (_, i) => sampleLine(i)));
    let flows = 0;
    let lost = 0;
    let last: ChangeEvent["kind"] | undefined;
    for (let events = changes.read(500); events.length > 0; events = changes.read(500)) {
      for (const event of events) {
        if (event.kind === "overrun") lost += event.lost;
        else flows++;
        last = event.kind;
      }
    }
    expect(lost).toBeGreaterThan(0);
    expect(flows + lost).toBe(3000);
    expect(last).toBe("overrun");
    expect(changes.lost).toBe(lost);
    dp.put(sampleLine(5000));
    expect((await changes.next({ timeoutMs: limit(10) })).kind).toBe("flow");
  });
});

function inWords(event: ChangeEvent): string {
  if (event.kind === "overrun") return `overrun ${event.lost}`;
  if (event.kind === "flow") return `${event.change} flow ${event.flow.toString()}`;
  const { name } = event.kind === "port" ? event.port : event.datapath;
  return `${event.change} ${event.kind} ${name}`;
}

describe("ports", () => {
  test("tunnels carry their options, and are gone with their datapath", () => {
    using made = new TestDatapath("tn1");
    using dp = Datapath.open(made.name);
    const vxlan = dp.addPort("tn1vx", {
      type: "vxlan",
      number: 10,
      tunnel: { destinationPort: 4444, groupPolicy: true },
    });
    expect(vxlan).toMatchObject({
      number: 10,
      type: "vxlan",
      tunnel: { destinationPort: 4444, groupPolicy: true },
    });
    expect(dp.addPort("tn1gn", { type: "geneve" }).tunnel).toEqual({ destinationPort: 6081 });
    expect(dp.addPort("tn1gr", { type: "gre" }).type).toBe("gre");
    if (HAS_DPCTL) {
      expect(witness("ovs-dpctl", "show", made.name)).toContain("port 10: tn1vx (vxlan");
    }
    // A second one on the same UDP port is refused, and leaves nothing behind.
    expect(() =>
      dp.addPort("tn1vy", { type: "vxlan", tunnel: { destinationPort: 4444 } }),
    ).toThrow();
    expect(dp.ports().map(({ name }) => name)).not.toContain("tn1vy");
    expect(witness("ip", "-o", "link")).not.toContain("tn1vy");
    dp.deletePort("tn1vx");
    expect(dp.ports().map(({ name }) => name)).not.toContain("tn1vx");
  });

  test("counters are those of the interface", async () => {
    using net = new TestNetwork("pc1", 2);
    const { dp } = net;
    net.connect();
    expect(await ping(net.machines[0] ?? "", addressOf(2), 2)).toBe(2);
    witness(...pingCommand(net.machines[0] ?? "", "-c", "1", "-s", "1400", addressOf(2)));
    // Machines ask for one another again after some seconds: from here on nothing is counted.
    for (const each of net.interfaces) witness("ip", "link", "set", each, "down");
    const [link] = JSON.parse(witness("ip", "-s", "-j", "link", "show", "pc1v1"));
    const port = dp.ports()[1];
    expect(port?.stats.rxPackets).toBe(link.stats64.rx.packets);
    expect(port?.stats.txBytes).toBe(link.stats64.tx.bytes);
    const { stats, megaflow } = dp.info();
    expect(stats.hit).toBeGreaterThanOrEqual(6);
    const came = dp.ports().reduce((sum, each) => sum + each.stats.rxPackets, 0);
    expect(stats.hit + stats.missed).toBe(came);
    expect(megaflow.maskHit).toBeGreaterThan(0);
    expect(megaflow.maskHit).toBeLessThanOrEqual(came * megaflow.masks);
    // The table has the kernel's upcalls where it counts them, since Linux 6.3.
    const upcalls = dp.ports().map((each) => each.upcalls);
    const [header = "", ...rows] = millrace(["port", "list", "--dp", "pc1"])
      .stdout.trimEnd()
      .split("\n");
    expect(header.endsWith("UPCALLS  UPCALLS LOST")).toBe(upcalls[0] !== undefined);
    for (const [i, row] of rows.entries()) {
      const { success, fail } = upcalls[i] ?? {};
      const told = row.trim().split(/ +/).slice(-2).map(Number);
      if (success !== undefined) expect(told).toEqual([success, fail ?? -1]);
    }
    if (HAS_DPCTL) {
      const shown = witness("ovs-dpctl", "show", "pc1");
      expect(shown).toContain(`hit:${stats.hit} missed:${stats.missed} lost:${stats.lost}`);
      expect(shown).toContain(`hit:${megaflow.maskHit} total:${megaflow.masks} `);
      // Every counter, share and size, as nothing moves.
      const all = witness("ovs-dpctl", "-s", "show", "pc1");
      expect(all).toMatch(/RX bytes:\d+ \(\d\.\d KiB\)/);
      expect(millrace(["dpctl", "-s", "show", "pc1"]).stdout).toBe(all);
    }
  });

  test("the size of the mask cache and features are set; a wrong size is refused", () => {
    using made = new TestDatapath("pc2");
    using dp = Datapath.open(made.name);
    expect(dp.set({ userFeatures: 2, masksCacheSize: 1024 })).toMatchObject({
      masksCacheSize: 1024,
      features: ["vport-pids"],
    });
    if (HAS_DPCTL) expect(witness("ovs-dpctl", "cache-get-size", made.name)).toContain("1024");
    expect(() => dp.set({ userFeatures: 2, masksCacheSize: 1000 })).toThrow(MillraceError);
    expect(dp.info().masksCacheSize).toBe(1024);
    // One setting leaves the other alone, though the kernel would clear what is not said again.
    dp.set({ features: ["vport-pids"] });
    expect(dp.set({ masksCacheSize: 512 }).features).toEqual(["vport-pids"]);
    expect(dp.set({ features: ["unaligned", "vport-pids"] })).toMatchObject({
      userFeatures: 3,
      masksCacheSize: 512,
    });
    expect(dp.set({ features: [] }).features).toEqual([]);
  });
});

describe("network namespaces", () => {
  test("by name, by path and by process; the thread comes back", async () => {
    using net = new TestNetwork("ns1", 1);
    const [machine = ""] = net.machines;
    const child = Bun.spawn(["ip", "netns", "exec", machine, "sleep", "100"]);
    try {
      // The process is in the namespace only when ip has entered it.
      using named = NetworkNamespace.open(machine);
      const end = performance.now() + limit(5);
      while (performance.now() < end) {
        using its = NetworkNamespace.open(child.pid);
        if (its.is(named)) break;
        await Bun.sleep(10);
      }
      using home = NetworkNamespace.current();
      for (const namespace of [machine, `/var/run/netns/${machine}`, child.pid]) {
        using inside = Datapath.create("ns1in", { namespace });
        expect(Datapath.list({ namespace }).map(({ name }) => name)).toEqual(["ns1in"]);
        expect(Datapath.list().map(({ name }) => name)).toEqual(["ns1"]);
        if (HAS_DPCTL) {
          const seen = witness("ip", "netns", "exec", machine, "ovs-dpctl", "dump-dps");
          expect(seen).toContain("ns1in");
        }
        inside.addPort("ns1in1", { type: "internal" });
        inside.put(sampleLine(1));
        expect((await inside.load([sampleLine(2)])).applied).toBe(1);
        using changes = Datapath.changes({ namespace });
        inside.delete();
        expect(changes.read().map((event) => event.kind)).toContain("datapath");
        using after = NetworkNamespace.current();
        expect(after.is(home)).toBe(true);
      }
      expect(() =>
        named.run(() => {
          throw new Error("inside");
        }),
      ).toThrow("inside");
      using after = NetworkNamespace.current();
      expect(after.is(home)).toBe(true);
      expect(() => Datapath.open("x", { namespace: "nowhere" })).toThrow("no network namespace");
      expect(() => Datapath.open("ns1", { namespace: machine })).toThrow("no datapath");
    } finally {
      child.kill();
      await child.exited;
    }
  });

  test("an internal port moves and stays a port; any other would leave, and is refused", () => {
    using net = new TestNetwork("ns2", 1);
    const { dp } = net;
    const [machine = ""] = net.machines;
    const { number } = dp.addPort("ns2int", { type: "internal" });
    dp.movePort("ns2int", machine);
    expect(existsSync("/sys/class/net/ns2int")).toBe(false);
    expect(witness("ip", "-n", machine, "-o", "link")).toContain("ns2int");
    const moved = dp.ports().find((port) => port.number === number);
    expect(moved?.name).toBe("ns2int");
    expect(moved?.namespaceId).toBeGreaterThanOrEqual(0);
    expect(() => dp.movePort("ns2v1", machine)).toThrow("only internal ports can");
    expect(() => dp.movePort("nothing", machine)).toThrow('no port "nothing"');
    expect(dp.ports().length).toBe(3);
  });
});
