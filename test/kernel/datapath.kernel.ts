import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import {
  Datapath,
  Flow,
  FlowRejectedError,
  FlowSyntaxError,
  MillraceError,
} from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { HAS_DPCTL, TestDatapath, witness } from "./lab.ts";

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
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
    expect(dp.addPort("veth-a", "netdev", 17)).toMatchObject({ number: 17, type: "netdev" });
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
    expect(() => dp.put(line.replace("udp(", "tcp("))).toThrow("udp() is missing");
    expect(() => dp.put("# comment")).toThrow(FlowSyntaxError);
    expect(() => dp.put(`delete ${line}`)).toThrow('found "delete"');
    expect(dp.remove(line)).toBe(true);
    expect(dp.remove(line)).toBe(false);
    expect(dp.get(line)).toBeUndefined();
    expect(() => dp.modify(line)).toThrow("no such flow");
  });

  test("flows that are identified by their key are found by it", () => {
    if (!HAS_DPCTL) return;
    using made = new TestDatapath("flows1");
    using dp = Datapath.open(made.name);
    const [key = "", actions = ""] = sampleLine(7).split(" ");
    witness("ovs-dpctl", "add-flow", made.name, key, actions);
    expect(dp.get(key)?.ufid).toBeUndefined();
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

  test("a dump ended early, and everything else, leaves no descriptor open", async () => {
    using made = new TestDatapath("flows3");
    const before = openDescriptors();
    for (let i = 0; i < 20; i++) {
      using dp = Datapath.open(made.name);
      await dp.load(Array.from({ length: 400 }, (_, n) => sampleLine(n)));
      for (const _ of dp.flows()) break;
      dp.flush();
    }
    expect(openDescriptors()).toBe(before);
  });
});
