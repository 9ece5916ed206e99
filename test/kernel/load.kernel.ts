import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { FlowLineEncoder } from "../../src/flow/line.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { FlowsFeed } from "../../src/format/flows-feed.ts";
import { pathSource } from "../../src/format/source.ts";
import { fileFeed, sendersOf } from "../../src/load/file-feed.ts";
import { load, loadSync } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import { OutcomeTable } from "../../src/load/outcome-table.ts";
import type { FlowException } from "../../src/load/outcome.ts";
import { Sender } from "../../src/load/send/sender.ts";
import { deleteDatapath } from "../../src/ovs/datapath.ts";
import { dumpFlows, flushFlows } from "../../src/ovs/flow.ts";
import { Datapath } from "../../src/datapath.ts";
import { EEXIST, ENOENT } from "../../src/sys/errno.ts";
import { HAS_DPCTL, TestDatapath, witness } from "./lab.ts";
import { lines, loadText, sample } from "./loading.ts";
import { limit } from "../runner/limit.ts";

describe("load", () => {
  test("every line is accounted for, and the kernel has the rest", async () => {
    using dp = new TestDatapath();
    const good = sample(10_000).trim().split("\n");
    good[99] = good[99]?.replace("proto=17", "proto=seventeen") ?? "";
    good[4999] = "in_port(1),eth(),eth_type(0x0800),ipv5() 2";
    good[9998] = "in_port(1),eth(),eth_type(0x0800),ipv4(proto=17,frag=no) 2";
    const report = await loadText(dp, good.join("\n"));
    expect(report).toMatchObject({ applied: 9997, rejected: 1, refused: 2, unknown: 0 });
    expect(dp.flows).toBe(9997);
    expect(report.errors.map(({ line, state }) => [line, state])).toEqual([
      [100, "refused"],
      [5000, "refused"],
      [9999, "rejected"],
    ]);
    expect(report.errors[0]?.column).toBe((good[99]?.indexOf("seventeen") ?? 0) + 1);
    expect(report.errors[2]).toMatchObject({ code: "EINVAL", errno: 22, column: 40 });
    if (HAS_DPCTL) {
      const dump = witness("ovs-dpctl", "dump-flows", dp.name).trim().split("\n");
      expect(dump.length).toBe(9997);
    }
  });

  test("the same load twice changes nothing", async () => {
    using dp = new TestDatapath();
    for (const ufid of [true, false]) {
      const text = sample(3000);
      expect(await loadText(dp, text, { ufid })).toMatchObject({ applied: 3000, rejected: 0 });
      expect(await loadText(dp, text, { ufid })).toMatchObject({ applied: 3000, rejected: 0 });
      expect(dp.flows).toBe(3000);
      flushFlows(dp.handle);
    }
  });

  test("add, modify and delete say EEXIST and ENOENT, and tolerance is exact", async () => {
    using dp = new TestDatapath();
    const text = sample(500);
    const other = text.replaceAll(" 2\n", " 1\n");
    expect(await loadText(dp, text, { mode: "modify" })).toMatchObject({ rejected: 500 });
    expect(await loadText(dp, text, { mode: "add" })).toMatchObject({ applied: 500 });
    const again = await loadText(dp, text, { mode: "add" });
    expect(again).toMatchObject({ applied: 0, rejected: 500 });
    expect(again.errors[0]).toMatchObject({ code: "EEXIST", line: 1 });
    expect(again.errors.length).toBe(100);
    const tolerate = [EEXIST];
    expect(await loadText(dp, text, { mode: "add", tolerate })).toMatchObject({ applied: 500 });
    expect(await loadText(dp, other, { mode: "add", tolerate })).toMatchObject({ rejected: 500 });
    expect(await loadText(dp, other, { mode: "modify" })).toMatchObject({ applied: 500 });
    expect(await loadText(dp, text, { mode: "delete" })).toMatchObject({ applied: 500 });
    expect(dp.flows).toBe(0);
    expect(await loadText(dp, text, { mode: "delete" })).toMatchObject({ rejected: 500 });
    const gone = { mode: "delete", tolerate: [ENOENT] } as const;
    expect(await loadText(dp, text, gone)).toMatchObject({ applied: 500, rejected: 0 });
  });

  test("a line's own verb wins, and lines keep their order", async () => {
    using dp = new TestDatapath();
    const flow = sampleLine(1);
    const key = flow.replace(/ 2$/, "");
    const text = `# a comment\n\n${flow}\ndelete ${key}\nadd ${flow}\nmodify ${key} 1\n`;
    const report = await loadText(dp, text);
    expect(report).toMatchObject({ applied: 4, rejected: 0, refused: 0, lines: 6 });
    expect(dp.flows).toBe(1);
    if (HAS_DPCTL) expect(witness("ovs-dpctl", "dump-flows", dp.name)).toContain("actions:1");
  });

  test("every transport and ack mode gives the same account", async () => {
    using dp = new TestDatapath();
    const text = `${sample(700)}${sampleLine(3).replace("udp(", "tcp(")}\n${sample(800, 700)}`;
    for (const transport of ["send", "writev", "sendmmsg"] as const) {
      for (const ack of ["errors", "each"] as const) {
        for (const messagesPerDatagram of [1, 7, 256]) {
          const shape = { transport, ack, messagesPerDatagram, datagramsPerCall: 5 };
          const report = await loadText(dp, text, { shape });
          expect([shape, report.applied, report.rejected]).toEqual([shape, 1500, 1]);
          expect(report.errors[0]?.line).toBe(701);
          expect(dp.flows).toBe(1500);
          flushFlows(dp.handle);
        }
      }
    }
  });

  test("lost replies are read back, never sent again", async () => {
    using dp = new TestDatapath();
    const good = sample(2000).trim().split("\n");
    // Errors overflow a buffer that is taken for larger than it is; half of the flows are bad.
    const bad = good.map((line, i) => (i % 2 === 0 ? line : line.replace("udp(", "tcp(")));
    const shape = { replyCostBytes: 1, messagesPerDatagram: 2000, ack: "each" as const };
    using socket = dp.channel.openSocket();
    const overflow = Math.ceil(socket.receiveBufferBytes / 512);
    const text = Array.from({ length: Math.ceil(overflow / 2000) }, () => bad.join("\n")).join(
      "\n",
    );
    const report = await loadText(dp, text, {
      shape: {
        ...shape,
        messagesPerDatagram: overflow,
        bytesPerDatagram: 1 << 24,
        datagramsPerCall: 1,
      },
    });
    const { present, absent } = report.reconciled;
    expect(report.applied + report.rejected + present + absent).toBe(report.lines);
    expect(dp.flows).toBe(1000);
  });

  test("tolerance looks at the match too, not at the actions alone", async () => {
    using dp = new TestDatapath();
    const ufid = "ufid:11111111-2222-3333-4444-555555555555";
    const add = { mode: "add", tolerate: [EEXIST] } as const;
    expect(await loadText(dp, `${ufid} ${sampleLine(1)}`, add)).toMatchObject({ applied: 1 });
    expect(await loadText(dp, `${ufid} ${sampleLine(2)}`, add)).toMatchObject({ rejected: 1 });
    const wide = "in_port(2),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/255.0.0.0,frag=no) 1";
    const narrow = wide.replace("255.0.0.0", "255.255.0.0");
    expect(await loadText(dp, wide, { ...add, ufid: false })).toMatchObject({ applied: 1 });
    expect(await loadText(dp, narrow, { ...add, ufid: false })).toMatchObject({ rejected: 1 });
  });

  test("flows that failed are settled in slices, and without asking on where that is given up", async () => {
    using dp = new TestDatapath();
    const text = sample(4000);
    await loadText(dp, text);
    for (const abandoned of [false, true]) {
      const account = new Account();
      const target = { datapath: dp.handle };
      using sender = new Sender(target, account, { tolerate: new Set([EEXIST]) });
      const encoder = new FlowLineEncoder({ ufid: true, mode: "add" });
      for (const [i, line] of text.trim().split("\n").entries()) {
        const bytes = new TextEncoder().encode(line);
        encoder.encode(bytes, 0, bytes.length, i + 1, sender.requests.begin());
        expect(sender.requests.commit("add", i + 1)).toBe(true);
      }
      let slices = 1;
      while (!sender.send(sender.requests, 0)) {
        if (abandoned) sender.abandon();
        slices++;
      }
      expect(slices).toBeGreaterThan(3);
      expect([sender.batches, sender.requests.batch.count, account.settled]).toEqual([1, 0, 4000]);
      // What was found to be the very same flow before is applied: it need not be asked for again.
      if (abandoned) expect(account.counts.applied).toBeLessThan(2000);
      else expect(account.counts).toMatchObject({ applied: 4000, rejected: 0 });
    }
  });

  test("a delete whose reply was lost is as asked where the flow is gone", async () => {
    using dp = new TestDatapath();
    const text = sample(14_000);
    await loadText(dp, text);
    const table = new OutcomeTable();
    const shape = { ack: "each", replyCostBytes: 1, messagesPerDatagram: 14_000 } as const;
    const one = { ...shape, bytesPerDatagram: 1 << 24, datagramsPerCall: 1 };
    const report = await loadText(dp, text, { mode: "delete", shape: one, table });
    expect(report.reconciled.absent).toBeGreaterThan(0);
    expect(report.reconciled).toMatchObject({ present: 0, contrary: 0 });
    expect(report.applied + report.reconciled.absent).toBe(14_000);
    expect(dp.flows).toBe(0);
  });

  test("a flow with the longest actions is dumped and read whole", async () => {
    using dp = new TestDatapath();
    for (const outputs of [4080, 6000]) {
      const long = `${sampleLine(1).replace(/ 2$/, "")} ${Array(outputs).fill("1").join(",")}`;
      expect(await loadText(dp, `${sampleLine(7)}\n${long}\n`)).toMatchObject({ applied: 2 });
      const found = [...dumpFlows(dp.handle)].length;
      expect(found).toBe(2);
      using datapath = Datapath.open(dp.name);
      const printed = [...datapath.flows()].map(String).toSorted((a, b) => a.length - b.length);
      expect(printed[1]?.split(",actions:").pop()?.split(",").length).toBeGreaterThan(outputs - 1);
      expect(await loadText(dp, printed.join("\n"))).toMatchObject({ applied: 2 });
      flushFlows(dp.handle);
    }
  });

  test("a datapath that goes away ends the load, and that is said", async () => {
    using dp = new TestDatapath();
    async function* flows(): AsyncGenerator<string> {
      for (let i = 0; i < 20_000; i++) {
        if (i === 9000) deleteDatapath(dp.channel, dp.name);
        yield sampleLine(i);
      }
    }
    const account = new Account();
    const sender = new Sender({ datapath: dp.handle }, account);
    const report = await load(new FlowsFeed("script", flows(), { ufid: true }), sender);
    expect(report.ended).toBe("fatal");
    expect(report.lines).toBeGreaterThanOrEqual(9000);
    expect(report.lines).toBeLessThan(20_000);
    expect(report.applied + report.rejected).toBe(report.lines);
    expect(report.errors[0]).toMatchObject({ code: "ENODEV" });
    expect(report.endReason).toBe("the datapath was deleted while flows were loaded");
  });

  test("a datapath that goes away while the load waits for more ends it with every line", async () => {
    using dp = new TestDatapath();
    async function* flows(): AsyncGenerator<string> {
      yield* sample(10).trim().split("\n");
      deleteDatapath(dp.channel, dp.name);
      // What was given is sent meanwhile.
      await Bun.sleep(limit(0.2));
      yield* sample(10, 10).trim().split("\n");
    }
    const sender = new Sender({ datapath: dp.handle }, new Account());
    const report = await load(new FlowsFeed("script", flows(), { ufid: true }), sender);
    expect([report.ended, report.applied, report.rejected]).toEqual(["fatal", 0, report.lines]);
  });

  test("an abort ends it within a slice, with a true account", async () => {
    using dp = new TestDatapath();
    const controller = new AbortController();
    const startedAt = performance.now();
    setTimeout(() => controller.abort(), 200);
    function* endless(): Generator<string> {
      for (let i = 0; ; i++) yield sampleLine(i % 1_000_000);
    }
    const sender = new Sender({ datapath: dp.handle }, new Account());
    const feed = new FlowsFeed("script", endless(), { ufid: true });
    const report = await load(feed, sender, {
      signal: controller.signal,
    });
    const elapsed = performance.now() - startedAt;
    expect(elapsed).toBeGreaterThan(190);
    expect(elapsed).toBeLessThan(limit(3));
    expect(report.ended).toBe("interrupted");
    expect(report.applied).toBe(report.lines);
    expect(dp.flows).toBe(report.applied);
  });

  test("stops at the first failure when asked to", async () => {
    using dp = new TestDatapath();
    const text = `${sample(10)}nonsense\n${sample(10, 10)}`;
    const report = await loadText(dp, text, { onError: "stop" });
    expect(report).toMatchObject({ applied: 10, refused: 1, lines: 11, ended: "stopped" });
  });

  test("keeps the outcome of each flow where asked", async () => {
    using dp = new TestDatapath();
    const table = new OutcomeTable();
    const text = `${sample(3)}# comment\nbad\n${sampleLine(1).replace("udp(", "tcp(")}\n${sampleLine(9)}\n`;
    await loadText(dp, text, { table });
    expect(Array.from({ length: table.count }, (_, i) => table.stateOf(i))).toEqual([
      "applied",
      "applied",
      "applied",
      "refused",
      "rejected",
      "applied",
    ]);
    expect([table.lineOf(3), table.lineOf(4), table.errnoOf(4)]).toEqual([5, 6, 22]);
  });

  test("loadSync does the same without yielding", () => {
    using dp = new TestDatapath();
    const target = { datapath: dp.handle };
    const report = loadSync(lines(sample(5000)), new Sender(target, new Account()));
    expect(report).toMatchObject({ applied: 5000, rejected: 0, lines: 5000 });
    expect(dp.flows).toBe(5000);
  });

  test("lines that fail are told in their order, as they stand in the input", async () => {
    using dp = new TestDatapath();
    const target = { datapath: dp.handle };
    const kinds = ["nonsense", "  add in_port(1),eth(),eth_type(0x0806),arp()  2,drop(7) 3 # why"];
    const drop = kinds[1]?.indexOf("drop") ?? 0;
    const flows = Array.from({ length: 6000 }, (_, i) =>
      i % 3 > 0 ? kinds[i % 3 === 1 ? 0 : 1] : sampleLine(i),
    );
    const path = join(process.env["TMPDIR"] ?? "/tmp", "order.txt");
    await Bun.write(path, `${flows.join("\n")}\n`);
    const wrong = flows.flatMap((_, i) => (i % 3 > 0 ? [i + 1] : []));
    for (const workers of [0, 1, 2] as const) {
      const told: FlowException[] = [];
      const account = new Account((exception) => told.push(exception));
      const sender = new Sender(target, account, { senders: sendersOf(workers) });
      const options = { line: { ufid: true }, readPorts: () => [], workers };
      await load(await fileFeed(pathSource(path), sender, target, options), sender);
      expect(told.map(({ line }) => line)).toEqual(wrong);
      const rejected = told.filter(({ state }) => state === "rejected");
      expect(rejected.length).toBe(2000);
      for (const one of rejected) expect(one).toMatchObject({ text: kinds[1], column: drop + 1 });
      flushFlows(dp.handle);
    }
  });
});
