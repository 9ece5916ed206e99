import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import {
  Datapath,
  Flow,
  FlowRejectedError,
  FlowSyntaxError,
  MillraceError,
  monotonicMs,
  NotSupportedError,
} from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { EINVAL } from "../../src/sys/errno.ts";
import { OVS_ACTION_ATTR_DROP } from "../../src/uapi/openvswitch.ts";
import {
  failure,
  HAS_DPCTL,
  IS_UML,
  JIFFIES_MS,
  millrace,
  NO_DPCTL,
  TestDatapath,
  witness,
} from "./lab.ts";
import { limit } from "../runner/limit.ts";
import { testUnless } from "../runner/skip.ts";

const IPV4 = "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)";

/** What is open but for the event loops of threads, which Bun frees some time after they have ended. */
function openFilesAndSockets(): string[] {
  const names = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The descriptor by which the folder was read.
      return "";
    }
  });
  return names.filter((name) => name !== "" && !name.startsWith("anon_inode:")).toSorted();
}

/** Workers of this process, once they are gone: one that ends takes a moment. */
async function workersLeft(): Promise<number> {
  const names = (): string[] =>
    readdirSync("/proc/self/task").map((thread) => {
      try {
        return readFileSync(`/proc/self/task/${thread}/comm`, "utf8").trim();
      } catch {
        // It ended meanwhile.
        return "";
      }
    });
  const count = (): number => names().filter((name) => name === "Worker").length;
  const end = performance.now() + limit(10);
  while (count() > 0 && performance.now() < end) await Bun.sleep(20);
  return count();
}

describe("Datapath", () => {
  test("is created, listed, shown and deleted", () => {
    using dp = Datapath.create("made0");
    expect(dp.info()).toMatchObject({ name: "made0", stats: { flows: 0 } });
    expect(Datapath.list().map(({ name }) => name)).toContain("made0");
    expect(() => Datapath.create("made0")).toThrow('"made0" already');
    if (HAS_DPCTL)
      expect(witness("ovs-dpctl", "show", "made0")).toContain("port 0: made0 (internal)");
    dp.delete();
    expect(Datapath.list().map(({ name }) => name)).not.toContain("made0");
    expect(() => Datapath.open("made0")).toThrow(MillraceError);
  });

  test("an abort ends a load from a pipe that says nothing", async () => {
    using made = new TestDatapath("silent0");
    using dp = Datapath.open(made.name);
    const fifo = `${process.env["TMPDIR"]}/silent`;
    witness("busybox", "mkfifo", fifo);
    const { report } = await dp.load(Bun.file(fifo), { signal: AbortSignal.timeout(100) });
    expect(report).toMatchObject({ applied: 0, lines: 0, ended: "interrupted" });
    const text = new Blob([`${sampleLine(1)}\n`]);
    expect((await dp.load(text)).applied).toBe(1);
  });

  test("settings are kept", () => {
    using dp = Datapath.create("made1", { userFeatures: 2, masksCacheSize: 512 });
    expect(dp.info()).toMatchObject({ userFeatures: 2, masksCacheSize: 512 });
    expect(dp.set({ userFeatures: 2, masksCacheSize: 0 })).toMatchObject({ masksCacheSize: 0 });
    dp.delete();
  });

  test("ports are added, numbered, listed and deleted", () => {
    using made = new TestDatapath("ports0");
    using dp = Datapath.open(made.name);
    witness("ip", "link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b");
    expect(dp.addPort("veth-a", { number: 17 })).toMatchObject({ number: 17, type: "netdev" });
    expect(dp.ports().map(({ number, name }) => [number, name])).toEqual([
      [0, "ports0"],
      [1, "ports0p1"],
      [2, "ports0p2"],
      [17, "veth-a"],
    ]);
    expect(() => dp.addPort("veth-a")).toThrow("belongs to a datapath already");
    expect(() => dp.addPort("nothing")).toThrow('no interface "nothing"');
    expect(() => dp.deletePort("nothing")).toThrow("no such port");
    expect(() => dp.deletePort("ports0")).toThrow("local port");
    if (HAS_DPCTL) expect(witness("ovs-dpctl", "show", made.name)).toContain("port 17: veth-a");
    dp.deletePort("veth-a");
    expect(dp.ports().length).toBe(3);
    witness("ip", "link", "del", "veth-a");
  });

  test("one flow is put, read, changed and removed", () => {
    using made = new TestDatapath("flows0");
    using dp = Datapath.open(made.name);
    const line = sampleLine(5);
    dp.put(line);
    dp.put(line);
    expect(() => dp.add(line)).toThrow(FlowRejectedError);
    const flow = dp.get(line);
    expect(flow?.ufid).toBe(Flow.parse(line).ufid);
    expect(dp.get(`ufid:${flow?.ufid}`)?.toString()).toBe(flow?.toString() ?? "");
    dp.modify(line.replace(/2$/, "1"));
    expect(dp.get(line)?.toString()).toEndWith("actions:1");
    expect(() => dp.put("in_port(1),nonsense() 2")).toThrow(FlowSyntaxError);
    for (const nothing of ["", " ", "# no flow"]) {
      expect(() => dp.remove(nothing)).toThrow(FlowSyntaxError);
      expect(() => dp.get(nothing)).toThrow(FlowSyntaxError);
    }
    expect(made.flows).toBe(1);
    expect(() => dp.put(line.replace("udp(", "tcp("))).toThrow("udp() is missing");
    expect(() => dp.put("# comment")).toThrow(FlowSyntaxError);
    expect(() => dp.put(`delete ${line}`)).toThrow('found "delete"');
    expect(dp.remove(line)).toBe(true);
    expect(dp.remove(line)).toBe(false);
    expect(dp.get(line)).toBeUndefined();
    expect(() => dp.modify(line)).toThrow("no such flow");
  });

  test("counters come without keys, by UFID; they are cleared, with new actions and without", () => {
    using made = new TestDatapath("terse0");
    using dp = Datapath.open(made.name);
    const line = "in_port(1),eth(),eth_type(0x88b5)";
    dp.put(`${line} 2`);
    dp.put("in_port(2),eth(),eth_type(0x88b5) 1");
    const packet = new Uint8Array(60).fill(0xff, 0, 6);
    packet.set([0x88, 0xb5], 12);
    const startedAt = monotonicMs();
    const hit = (): void => {
      for (let i = 0; i < 3; i++) dp.execute({ packet, key: "in_port(1)" }, "recirc(0)");
    };
    hit();
    const [counters, other] = [...dp.flows({ terse: true })].toSorted(
      (a, b) => b.packets - a.packets,
    );
    if (counters === undefined) throw new Error("no flows");
    expect(counters).toMatchObject({
      packets: 3,
      byteCount: 180,
      ufid: dp.get(`${line} 2`)?.ufid ?? "",
    });
    expect(counters.usedMs).toBeGreaterThan(startedAt - JIFFIES_MS);
    expect(counters.usedMs).toBeLessThan(monotonicMs() + JIFFIES_MS);
    expect(other).toMatchObject({ packets: 0, byteCount: 0, usedMs: 0 });
    if (HAS_DPCTL) {
      expect(witness("ovs-dpctl", "dump-flows", made.name)).toContain("packets:3, bytes:180");
    }
    expect(dp.get(counters)?.toString()).toContain("eth_type(0x88b5), actions:2");
    dp.modify(`${line} 2,2`);
    expect(dp.get(counters)?.packets).toBe(3);
    dp.modify(`${line} 2`, { clear: true });
    expect(dp.get(counters)).toMatchObject({ packets: 0, byteCount: 0, usedMs: 0 });
    hit();
    expect(dp.clear(counters)).toBe(true);
    expect(dp.get(counters)?.toString({ statistics: true })).toContain("packets:0, bytes:0");
    expect(dp.get(counters)?.toString()).toContain("actions:2");
    expect(dp.clear("in_port(9),eth(),eth_type(0x88b5)")).toBe(false);
    expect(dp.remove(counters)).toBe(true);
    expect([...dp.flows()].length).toBe(1);
  });

  test("TCP flags and the time of the last packet are the kernel's", () => {
    using made = new TestDatapath("tcp0");
    using dp = Datapath.open(made.name);
    const key =
      "in_port(1),eth(),eth_type(0x0800),ipv4(proto=6,frag=no),tcp(dst=80),tcp_flags(0/0)";
    dp.put(`${key} 2`);
    const startedAt = monotonicMs();
    // Ethernet, IPv4 without options, TCP from 1 to 80.
    const send = (flags: string): void => {
      const ip = "4500002800004000400626ce0a0000010a000002";
      const tcp = `00010050000000000000000050${flags}200000000000`;
      const packet = Uint8Array.fromHex(`ffffffffffff0200000000010800${ip}${tcp}`);
      dp.execute({ packet, key: "in_port(1)" }, "recirc(0)");
    };
    // SYN, then ACK and FIN.
    for (const flags of ["02", "11"]) send(flags);
    const flow = dp.get(key);
    expect([flow?.packets, flow?.tcpFlags]).toEqual([2, 0x13]);
    expect(flow?.usedMs).toBeGreaterThan(startedAt - JIFFIES_MS);
    expect(flow?.usedMs).toBeLessThan(monotonicMs() + JIFFIES_MS);
    const flagsIn = (text = ""): string | undefined => /flags:([^,]*)/.exec(text)?.[1];
    for (const [flags, told] of [
      ["10", "SF."],
      ["0c", "SFPR."],
      ["e0", "SFPRU.EC"],
    ] as const) {
      send(flags);
      const texts = [
        dp.get(key)?.toString({ statistics: true }),
        millrace(["dump", "--dp", made.name]).stdout,
        millrace(["dpctl", "dump-flows", made.name]).stdout,
        ...(HAS_DPCTL ? [witness("ovs-dpctl", "dump-flows", made.name)] : []),
      ];
      expect(texts.map(flagsIn)).toEqual(texts.map(() => told));
    }
  });

  test("what this kernel takes is found by trying; what it lacks is named, with the Linux that has it", () => {
    using made = new TestDatapath("probe0");
    using dp = Datapath.open(made.name);
    const features = dp.features();
    expect(made.flows).toBe(0);
    expect([features.ct, features.nat]).toEqual([true, true]);
    const cases = [
      ["drop(1)", features.actionMax >= OVS_ACTION_ATTR_DROP, "6.7"],
      ["psample(group=1)", features.psample, "6.11"],
      ["hash(sym_l4(0)),recirc(1)", features.hashSymL4, "6.6"],
      ["ct(zone=1)", features.ctZones, "4.3 with NF_CONNTRACK_ZONES"],
    ] as const;
    // User Mode Linux 6.1 has none of them, Debian's 6.12 has all.
    expect(cases.map(([, has]) => has)).toEqual(cases.map(() => !IS_UML));
    for (const [actions, has, since] of cases) {
      const line = `${IPV4} ${actions}`;
      // What is modified has to be there.
      const modify = (): void => {
        dp.put(`${IPV4} 2`);
        dp.modify(line);
      };
      for (const send of [() => dp.add(line), () => dp.put(line), modify]) {
        const error = failure(send);
        if (has) expect(error).toBeUndefined();
        else {
          expect(error).toBeInstanceOf(NotSupportedError);
          expect(error).toMatchObject({ since, cause: expect.any(FlowRejectedError) });
        }
      }
      expect(dp.remove(line)).toBe(true);
    }
    // A load says the same of each of them, and names the line.
    const lines = cases.map(([actions]) => `${IPV4} ${actions}`);
    const result = dp.loadSync(["in_port(2),eth() 2", ...lines, "in_port(1),eth() 70000"]);
    for (const [at, [, has, since]] of cases.entries()) {
      const error = result.errorOf(at + 1);
      if (has) expect(error).toBeUndefined();
      else {
        expect(error).toBeInstanceOf(NotSupportedError);
        expect(error?.message).toStartWith(`line ${at + 2}: this kernel has no `);
        expect(error).toMatchObject({ since, cause: { code: "EINVAL", errno: EINVAL } });
        expect(result.report.errors[at]).toMatchObject({
          code: "NOT_SUPPORTED",
          errno: EINVAL,
          reason: expect.stringContaining(`(needs Linux ${since})`),
          missing: { since },
        });
      }
    }
    expect(result.errorOf(cases.length + 1)).toBeInstanceOf(FlowRejectedError);
    // What no kernel takes is still a rejection.
    expect(failure(() => dp.put("in_port(1),eth(),eth_type(0x0800),ipv4() 70000"))).toBeDefined();
    expect(failure(() => dp.put("in_port(1),eth() set(ipv4(ttl=3))"))).toBeInstanceOf(
      FlowRejectedError,
    );
  });

  test("closed, it answers nothing more", () => {
    using made = new TestDatapath("closed0");
    const dp = Datapath.open(made.name);
    dp.info();
    dp.close();
    dp.close();
    const calls = [
      () => dp.info(),
      () => dp.ports(),
      () => dp.put(sampleLine(1)),
      () => dp.get(sampleLine(1)),
      () => [...dp.flows()],
      () => dp.upcalls(),
      () => dp.changes(),
      () => dp.batch(),
      () => dp.loadSync([sampleLine(1)]),
    ];
    for (const call of calls) expect(failure(call)?.code).toBe("CLOSED");
    expect(dp.load([sampleLine(1)])).rejects.toMatchObject({ code: "CLOSED" });
    expect(made.flows).toBe(0);
  });

  testUnless(NO_DPCTL)("flows that are identified by their key are found by it", () => {
    using made = new TestDatapath("flows1");
    using dp = Datapath.open(made.name);
    const [key = "", actions = ""] = sampleLine(7).split(" ");
    witness("ovs-dpctl", "add-flow", made.name, key, actions);
    expect(dp.get(key)).toMatchObject({ ufid: undefined, packets: 0 });
    expect(dp.remove(key)).toBe(true);
    expect(made.flows).toBe(0);
  });

  test("loads text, lines, flows and files, and gives an account of each", async () => {
    using made = new TestDatapath("flows2");
    using dp = Datapath.open(made.name);
    const result = await dp.load([sampleLine(1), "bad", sampleLine(2).replace("udp(", "tcp(")]);
    expect([result.length, result.applied, result.refused, result.rejected]).toEqual([3, 1, 1, 1]);
    expect(result.errorOf(0)).toBeUndefined();
    expect(result.errorOf(1)?.message).toContain("line 2");
    expect(result.errorOf(2)).toMatchObject({ errno: 22, code: "EINVAL" });
    const flows = [...dp.flows()];
    expect(flows.length).toBe(1);
    dp.flush();
    expect((await dp.load(flows)).applied).toBe(1);
    const file = `${process.env["TMPDIR"] ?? "/tmp"}/flows.txt`;
    await Bun.write(file, `${sampleLine(3)}\n${sampleLine(4)}\n`);
    expect((await dp.load(Bun.file(file))).applied).toBe(2);
    expect(dp.loadSync(new TextEncoder().encode(sampleLine(9))).applied).toBe(1);
    expect([...dp.flows()].length).toBe(4);
  });

  test("a thread that parses a file gives the same account, ends when told to, and is gone then", async () => {
    using made = new TestDatapath("flows4");
    using dp = Datapath.open(made.name);
    const lines = Array.from({ length: 30_000 }, (_, i) => sampleLine(i));
    lines[7000] = "bad line";
    lines[7001] = "# a comment";
    lines[9000] = sampleLine(3).replace("udp(", "tcp(");
    const path = `${process.env["TMPDIR"] ?? "/tmp"}/many.txt`;
    await Bun.write(path, lines.join("\n"));
    const file = Bun.file(path);
    const accounts: unknown[] = [];
    for (const workers of [0, 1, "auto"] as const) {
      const result = await dp.load(file, { workers });
      const { applied, rejected, refused, errors, report } = { ...result.report, report: result };
      const messages = [6999, 7000, 8999].map((index) => report.errorOf(index)?.message);
      accounts.push([applied, rejected, refused, errors, report.length, messages]);
      expect([applied, made.flows]).toEqual([29_997, 29_997]);
      expect(errors.map(({ line }) => line)).toEqual([7001, 9001]);
      dp.flush();
    }
    expect([accounts[1], accounts[2]]).toEqual([accounts[0], accounts[0]]);
    expect(await workersLeft()).toBe(0);
    const descriptors = openFilesAndSockets();
    for (let i = 0; i < 3; i++) {
      const controller = new AbortController();
      const { report } = await dp.load(file, {
        workers: 1,
        signal: controller.signal,
        onProgress: ({ flows }) => {
          if (flows > 0) controller.abort();
        },
      });
      expect(report.ended).toBe("interrupted");
      expect(report.lines).toBeGreaterThan(0);
      expect(report.lines).toBeLessThan(30_000);
      const settled = report.applied + report.rejected + report.refused;
      expect([made.flows, report.lines - settled]).toEqual([
        report.applied,
        report.lines > 7001 ? 1 : 0,
      ]);
      dp.flush();
    }
    for (const unreadable of ["/none-such", "/"])
      expect(dp.load(Bun.file(unreadable), { workers: 1 })).rejects.toThrow("cannot read");
    expect(await workersLeft()).toBe(0);
    expect(openFilesAndSockets()).toEqual(descriptors);
  });

  test("a dump ended early, and everything else, leaves no descriptor open", async () => {
    using made = new TestDatapath("flows3");
    const before = openFilesAndSockets();
    for (let i = 0; i < 20; i++) {
      using dp = Datapath.open(made.name);
      await dp.load(Array.from({ length: 400 }, (_, n) => sampleLine(n)));
      for (const _ of dp.flows()) break;
      dp.flush();
    }
    expect(openFilesAndSockets()).toEqual(before);
  });
});
