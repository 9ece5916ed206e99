import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { sampleLine } from "../../src/format/sample.ts";
import { FlowsFeed } from "../../src/format/flows-feed.ts";
import { pathSource } from "../../src/format/source.ts";
import { fileFeed, sendersOf } from "../../src/load/file-feed.ts";
import { load } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import { OutcomeTable } from "../../src/load/outcome-table.ts";
import { Sender, type SenderOptions } from "../../src/load/send/sender.ts";
import { completeBatching } from "../../src/load/send/batching.ts";
import { flushFlows } from "../../src/ovs/flow.ts";
import { SendThread } from "../../src/sys/send-thread.ts";
import { TestDatapath } from "./lab.ts";
import { sample } from "./loading.ts";
import { limit } from "../runner/limit.ts";

describe("how a load is sent", () => {
  test("threads that parse and send give the same account, in the same order", async () => {
    using dp = new TestDatapath();
    const text = `${sample(9000)}bad line\n${sample(3000, 9000)}${sampleLine(3).replace("udp(", "tcp(")}\n`;
    const path = join(process.env["TMPDIR"] ?? "/tmp", "threads.txt");
    await Bun.write(path, text);
    const target = { datapath: dp.handle };
    for (const workers of [0, 1, 2] as const) {
      const table = new OutcomeTable();
      const senders = sendersOf(workers);
      const sender = new Sender(target, new Account(undefined, table), { senders });
      const options = { line: { ufid: true }, readPorts: () => [], workers };
      const report = await load(await fileFeed(pathSource(path), sender, target, options), sender);
      expect(report).toMatchObject({ applied: 12_000, refused: 1, rejected: 1, lines: 12_002 });
      // The load may end before the thread has started.
      if (senders !== 2) expect(report.senders).toBe(1);
      expect(report.errors.map(({ line }) => line)).toEqual([9001, 12_002]);
      expect([table.count, table.stateOf(9000), table.stateOf(12_001)]).toEqual([
        12_002,
        "refused",
        "rejected",
      ]);
      expect(dp.flows).toBe(12_000);
      flushFlows(dp.handle);
    }
  });

  test("two sockets are said to have sent where they did, and one where the flows never let them", async () => {
    using dp = new TestDatapath();
    const target = { datapath: dp.handle };
    const other = (i: number): string =>
      `in_port(1),eth(),eth_type(0x0800),ipv4(src=10.${i >> 8}.${i & 255}.0/255.255.255.0,frag=no) 2`;
    // A thread starts while the load waits for more.
    async function* groups(sender: Sender, mixed: boolean): AsyncGenerator<string> {
      const end = performance.now() + limit(5);
      const goesOn = (group: number): boolean => (mixed ? group < 6 : performance.now() < end);
      for (let group = 0; goesOn(group) && sender.senders === 1; group++) {
        for (let i = group * 1000; i < (group + 1) * 1000; i++) {
          yield mixed && i % 2 === 1 ? other(i) : sampleLine(i);
        }
        await Bun.sleep(100);
      }
    }
    for (const mixed of [false, true]) {
      const sender = new Sender(target, new Account(), { senders: 2 });
      const feed = new FlowsFeed("script", groups(sender, mixed), { ufid: true });
      const report = await load(feed, sender);
      expect([report.senders, report.ended]).toEqual([mixed ? 1 : 2, "complete"]);
      expect(report.applied + report.rejected).toBe(report.lines);
    }
  });

  test("two sockets are refused where they cannot send", () => {
    using dp = new TestDatapath();
    const target = { datapath: dp.handle };
    const batching = completeBatching({ transport: "writev" });
    const sender = (options: SenderOptions): Sender => new Sender(target, new Account(), options);
    expect(() => sender({ batching, senders: 2 })).toThrow("two sockets cannot send by writev");
    using auto = sender({ batching });
    expect(auto.senders).toBe(1);
  });

  test.each(["failed", "late"] as const)(
    "a sending thread that is %s ends the load with an account of every line",
    async (how) => {
      using dp = new TestDatapath();
      const target = { datapath: dp.handle };
      const name = how === "late" ? "slow" : "throwing";
      const script = new URL(`../sys/${name}-thread.ts`, import.meta.url);
      const startThread = (): SendThread => new SendThread({ waitMs: 50, script });
      const sender = new Sender(target, new Account(), { senders: 2, startThread });
      async function* flows(): AsyncGenerator<string> {
        for (let i = 0; sender.failure === ""; i++) {
          // The thread starts while the load waits for more.
          if (i % 1000 === 0) await Bun.sleep(50);
          yield sampleLine(i);
        }
      }
      const report = await load(new FlowsFeed("script", flows(), { ufid: true }), sender);
      expect(report.ended).toBe("failed");
      expect(report.endReason).toContain("the thread that sends half of each batch");
      const { applied, unknown, reconciled } = report;
      expect(applied + unknown + reconciled.absent).toBe(report.lines);
      // What neither thread sends is not there; of one that still runs that is not known.
      expect([unknown > 0, reconciled.absent > 0]).toEqual([how === "late", how === "failed"]);
      expect(dp.flows).toBe(applied);
    },
  );
});
