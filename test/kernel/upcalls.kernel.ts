import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Datapath, MillraceError, NotSupportedError, Upcall } from "../../src/index.ts";
import { failure, HAS_DPCTL, IS_UML, TestDatapath, witness } from "./lab.ts";
import { addressOf, linkPackets, ping, TestNetwork } from "./net.ts";
import { limit } from "../runner/limit.ts";

const MAC = "02:00:00:00:00:99";

/** A UDP socket that sends into port `name`; each packet to another UDP port is a miss of its own. */
async function source(
  name: string,
  network: string,
): Promise<(first: number, count: number) => Promise<void>> {
  witness("ip", "addr", "add", `${network}.1/24`, "dev", name);
  witness("ip", "link", "set", name, "up");
  witness("ip", "neigh", "replace", `${network}.2`, "lladdr", MAC, "dev", name);
  const socket = await Bun.udpSocket({ hostname: `${network}.1` });
  socket.unref();
  return async (first, count) => {
    for (let sent = 0; sent < count;) {
      const packets: (string | number)[] = [];
      for (let i = sent; i < Math.min(count, sent + 200); i++) {
        packets.push("payload", 1024 + ((first + i) % 60_000), `${network}.2`);
      }
      sent += socket.sendMany(packets);
      if (sent < count) await Bun.sleep(0);
    }
  };
}

const descriptors = (): number => readdirSync("/proc/self/fd").length;

describe("upcalls", () => {
  test("a miss comes with its key, its port and its bytes; executed, it goes on", async () => {
    using net = new TestNetwork("up1", 2);
    const { dp } = net;
    const seen: Upcall[] = [];
    {
      using upcalls = dp.upcalls();
      if (HAS_DPCTL)
        expect(dp.ports().every((port) => port.upcallPortIds[0] === upcalls.portId)).toBe(true);
      const pinged = ping(net.machines[0] ?? "", addressOf(2), 2);
      // A slow machine asks for an address more than once: the end of the ping tells, no number.
      const ended = new AbortController();
      const received = pinged.finally(() => ended.abort());
      while (!ended.signal.aborted) {
        await upcalls.wait({ timeoutMs: 500 });
        for (const packet of upcalls.read()) {
          if (packet.kind === "lost") throw new Error("nothing should be lost");
          seen.push(packet);
          dp.execute(packet, packet.inPort === 1 ? "2" : "up1v1");
        }
      }
      expect(await received).toBe(2);
      expect(seen.length).toBeGreaterThanOrEqual(6);
      expect(upcalls.lost).toBe(0);
    }
    const [arp] = seen;
    expect([arp?.kind, arp?.inPort, arp?.length, arp?.userdata]).toEqual([
      "miss",
      1,
      42,
      undefined,
    ]);
    expect(arp?.key).toContain(`arp(sip=${addressOf(1)},tip=${addressOf(2)},op=1,`);
    expect(arp?.packet.subarray(0, 6).toHex()).toBe("ffffffffffff");
    expect(arp?.packet.length).toBe(42);
    const echo = seen.find((packet) => packet.key.includes("icmp(type=8"));
    expect(echo?.length).toBe(98);
    // The key as text is a flow of its own, and matches just that packet.
    dp.put(`${echo?.key} 2`);
    expect(dp.get(`${echo?.key}`)?.toString()).toContain("actions:2");
    // The kernel's counters saw the same, and the misses go nowhere again.
    expect(dp.info().stats.missed).toBe(seen.length);
    expect(linkPackets("up1v2").tx).toBe(seen.filter(({ inPort }) => inPort === 1).length);
    expect(dp.ports().map((port) => port.upcallPortIds)).toEqual([[0], [0], [0]]);
  });

  test("an action sends a packet up, with its userdata and truncated", async () => {
    using made = new TestDatapath("up2");
    using dp = Datapath.open(made.name);
    const send = await source("up2p1", "10.92.1");
    using upcalls = dp.upcalls();
    const actions = `trunc(60),userspace(pid=${upcalls.portId},userdata(0102030405060708))`;
    dp.put(`in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp(dst=2000) ${actions}`);
    await send(2000 - 1024, 1);
    const packet = await upcalls.next({ timeoutMs: limit(10) });
    if (packet.kind === "lost") throw new Error("lost");
    expect([packet.kind, packet.userdata?.toHex()]).toEqual(["action", "0102030405060708"]);
    expect(packet.packet.length).toBeLessThanOrEqual(60);
    expect(packet.length).toBe(14 + 20 + 8 + 7);
    const flow = dp.get("in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp(dst=2000)");
    expect(flow?.packets).toBe(1);
  });

  test("a packet made from bytes goes through an action list", () => {
    using made = new TestDatapath("up3");
    using dp = Datapath.open(made.name);
    witness("ip", "link", "set", "up3p2", "up");
    const before = linkPackets("up3p2").rx;
    const packet = new Uint8Array(60).fill(0xff, 0, 6);
    packet[12] = 0x88;
    packet[13] = 0xb5;
    dp.execute({ packet }, "2");
    dp.execute({ packet, key: "in_port(1),skb_mark(7)" }, "up3p2,2");
    expect(linkPackets("up3p2").rx - before).toBe(3);
    expect(dp.ports().find(({ number }) => number === 2)?.stats.rxPackets).toBe(3);
    expect(() => dp.execute({ packet }, "nonsense(")).toThrow("action");
    expect(() => dp.execute({ packet }, "nowhere")).toThrow("port");
    expect(() => dp.execute({ packet: new Uint8Array(3) }, "2")).toThrow(MillraceError);
  });

  test.each(["shared", "port", "cpu"] as const)(
    "dispatch %s delivers everything",
    async (dispatch) => {
      const name = `upd${dispatch}`;
      using made = new TestDatapath(name);
      using dp = Datapath.open(made.name);
      const send = await source(`${name}p1`, "10.92.2");
      using upcalls = dp.upcalls({ dispatch });
      if (dispatch === "cpu") expect(dp.info().features).toContain("per-cpu-upcalls");
      // Another setting leaves the misses where they go.
      dp.set({ masksCacheSize: 512 });
      // What a kernel with IPv6 says by itself, before anybody listened, is none of this.
      const { lost } = dp.info().stats;
      await send(0, 500);
      const keys = new Set<string>();
      while (keys.size < 500) {
        expect(await upcalls.wait({ timeoutMs: limit(10) })).toBe(true);
        for (const each of upcalls.read()) {
          if (each.kind === "miss" && each.key.includes("dst=10.92.2.2,")) keys.add(each.key);
        }
      }
      expect(upcalls.lost).toBe(0);
      expect(dp.info().stats.lost).toBe(lost);
      upcalls.close();
      expect(dp.info().features).not.toContain("per-cpu-upcalls");
      witness("ip", "addr", "flush", "dev", `${name}p1`);
    },
  );

  test("a port that is added later is heard too; only some ports, where they are named", async () => {
    using made = new TestDatapath("up5");
    using dp = Datapath.open(made.name);
    using all = dp.upcalls();
    expect(dp.addPort("up5late", { type: "internal" }).number).toBe(3);
    expect(dp.ports().at(-1)?.upcallPortIds).toEqual([all.portId]);
    all.close();
    using some = dp.upcalls({ ports: ["up5p2"] });
    const heard = dp.ports().filter((port) => port.upcallPortIds[0] === some.portId);
    expect(heard.map(({ name }) => name)).toEqual(["up5p2"]);
    expect(() => dp.upcalls({ ports: ["nothing"] })).toThrow('no port "nothing"');
    some.close();
    // By CPU all ports are heard: to leave ports out would be a lie.
    expect(() => dp.upcalls({ ports: ["up5p2"], dispatch: "cpu" })).toThrow("give no ports");
    expect(dp.info().features).toEqual([]);
  });

  test("misses that another program gets are not taken away, unless asked for", () => {
    using made = new TestDatapath("up6");
    using dp = Datapath.open(made.name);
    using first = dp.upcalls();
    expect(() => dp.upcalls()).toThrow("another program");
    {
      using second = dp.upcalls({ takeOver: true });
      expect(dp.ports()[0]?.upcallPortIds).toEqual([second.portId]);
    }
    expect(dp.ports()[0]?.upcallPortIds).toEqual([first.portId]);
    first.close();
    // Nobody listens there any more: what a dead program left behind does not bind.
    using third = dp.upcalls();
    expect(third.portId).not.toBe(first.portId);
  });

  test("a flood neither ends nor hangs it; what was lost is told, exactly", async () => {
    using made = new TestDatapath("up7");
    using dp = Datapath.open(made.name);
    const send = await source("up7p1", "10.92.7");
    using upcalls = dp.upcalls({ receiveBufferBytes: 256 << 10 });
    const FLOOD = 20_000;
    const missedBefore = dp.info().stats;
    await send(0, 2000);
    upcalls.read(100);
    Bun.gc(true);
    const residentBefore = process.memoryUsage.rss();
    let packets = 100;
    let lost = 0;
    for (let sent = 2000; sent < FLOOD; sent += 2000) {
      await send(sent, 2000);
      for (const event of upcalls.read(50)) {
        if (event.kind === "lost") lost += event.count;
        else packets++;
      }
    }
    for (let idle = 0; idle < 3;) {
      const events = upcalls.read(500);
      idle = events.length === 0 ? idle + 1 : 0;
      for (const event of events) {
        if (event.kind === "lost") lost += event.count;
        else packets++;
      }
    }
    const after = dp.info().stats;
    expect(lost).toBeGreaterThan(1000);
    expect(upcalls.lost).toBe(lost);
    expect(packets + lost).toBe(after.missed - missedBefore.missed);
    // The datapath counts what it could not deliver: a second witness of the number.
    expect(after.lost - missedBefore.lost).toBe(lost);
    expect(process.memoryUsage.rss() - residentBefore).toBeLessThan(64 << 20);
    // And it works as before.
    await send(5, 1);
    expect((await upcalls.next({ timeoutMs: limit(10) })).kind).toBe("miss");
  });

  test("time limits and signals end waits; break closes; a deleted datapath too", async () => {
    using made = new TestDatapath("up8");
    using dp = Datapath.open(made.name);
    const before = descriptors();
    const upcalls = dp.upcalls();
    expect(upcalls.next({ timeoutMs: 20 })).rejects.toThrow("waiting for an event");
    expect(upcalls.next({ signal: AbortSignal.timeout(20) })).rejects.toThrow();
    const send = await source("up8p1", "10.92.8");
    await send(0, 3);
    for await (const packet of upcalls) {
      expect(packet.kind).toBe("miss");
      break;
    }
    expect(upcalls.closed).toBe(true);
    expect(upcalls.next()).rejects.toThrow("closed");
    const ended = dp.upcalls();
    const waiting = ended.next();
    ended.close();
    expect(waiting).rejects.toThrow("closed");
    // The watch of this process (a thread and an epoll) and the UDP socket may have come.
    const warm = descriptors();
    expect(warm - before).toBeLessThan(12);
    for (let i = 0; i < 10; i++) {
      using one = dp.upcalls({ dispatch: i % 2 === 0 ? "port" : "cpu" });
      using changes = dp.changes();
      await one.wait({ timeoutMs: 0 });
      await changes.wait({ timeoutMs: 0 });
      using batch = dp.batch(4);
      batch.flush();
    }
    expect(descriptors()).toBe(warm);
  });

  test("misses are answered in batches; what was rejected is told", async () => {
    using made = new TestDatapath("up9");
    using dp = Datapath.open(made.name);
    const send = await source("up9p1", "10.92.9");
    using upcalls = dp.upcalls();
    using flows = dp.batch();
    await send(0, 300);
    let answered = 0;
    while (answered < 300) {
      answered += upcalls.visit({
        onUpcall: (packet) => flows.answer(packet, "2"),
        onLost: () => expect.unreachable(),
      });
    }
    expect(flows.pending).toBe(300);
    expect(flows.flush()).toEqual({ applied: 300, exceptions: [] });
    expect(made.flows).toBe(300);
    const { missed, hit } = dp.info().stats;
    await send(0, 300);
    expect(dp.info().stats).toMatchObject({ missed, hit: hit + 300 });
    if (HAS_DPCTL) expect(witness("ovs-dpctl", "dump-flows", made.name)).toContain("packets:1,");
    const again = [...dp.flows()][0]?.toString().replace("actions:2", "actions:1") ?? "";
    flows.add(again);
    flows.add(`add ${again.replace(", actions:1", " 1")}`);
    const { applied, exceptions } = flows.flush();
    expect(applied).toBe(1);
    expect(exceptions).toMatchObject([{ line: 302, state: "rejected", code: "EEXIST" }]);
  });

  test("a port counts its upcalls, delivered and lost, where the kernel does", async () => {
    using made = new TestDatapath("upc");
    using dp = Datapath.open(made.name);
    const send = await source("upcp1", "10.92.11");
    const counted = () => dp.ports().find(({ name }) => name === "upcp1")?.upcalls;
    const before = counted();
    if (IS_UML) {
      // It came with Linux 6.3.
      expect(before).toBeUndefined();
      return;
    }
    if (before === undefined) throw new Error("this kernel counts no upcalls");
    const { stats } = dp.info();
    using upcalls = dp.upcalls({ ports: ["upcp1"], receiveBufferBytes: 64 << 10 });
    await send(0, 2000);
    let packets = 0;
    let lost = 0;
    for (let events = upcalls.read(500); events.length > 0; events = upcalls.read(500)) {
      for (const event of events) {
        if (event.kind === "lost") lost += event.count;
        else packets++;
      }
    }
    expect(lost).toBeGreaterThan(100);
    const after = counted();
    expect((after?.success ?? 0) - before.success).toBe(packets);
    expect((after?.fail ?? 0) - before.fail).toBe(lost);
    // The datapath's own count is the witness.
    expect(dp.info().stats.lost - stats.lost).toBe(lost);
  });

  test("batches answer several times as many misses a second: the bench, in small", () => {
    const bench = join(import.meta.dir, "../../bench/lab/misses.ts");
    const args = ["--misses", "500", "--rounds", "1", "--json"];
    const report = JSON.parse(witness(process.execPath, bench, ...args));
    expect(report.misses).toBe(500);
    expect(report.ratio).toBeGreaterThan(1);
    expect(Datapath.list().map(({ name }) => name)).not.toContain("misses0");
  });

  test("a feature that the kernel lacks is named", () => {
    using made = new TestDatapath("up10");
    using dp = Datapath.open(made.name);
    const unknown = failure(() => dp.set({ userFeatures: 1 << 20 }));
    expect(unknown).toBeInstanceOf(NotSupportedError);
    expect(unknown?.message).toBe("this kernel has no datapath feature 0x100000");
    // The kernels of both labs are built without NET_TC_SKB_EXT; what is on already is not named.
    dp.set({ features: ["vport-pids"] });
    const share = failure(() => dp.set({ features: ["vport-pids", "tc-recirc-sharing"] }));
    expect(share).toBeInstanceOf(NotSupportedError);
    expect(share?.message).toContain("no datapath feature tc-recirc-sharing (needs Linux 5.4 ");
    expect(dp.info().features).toEqual(["vport-pids"]);
  });
});
