import { describe, expect, test } from "bun:test";
import { EIO } from "../../src/sys/errno.ts";
import { SendThread } from "../../src/sys/send-thread.ts";
import { ScriptedDatapath } from "../ovs/scripted-datapath.ts";
import { loadInto } from "./scripted-load.ts";

const applied = (count: number): string[] => Array.from({ length: count }, () => "applied");

describe("a load by two sockets", () => {
  const lines = Array.from({ length: 1200 }, (_, i) => `in_port(${i + 1}),eth() 1`);
  const THREADS = {
    late: () =>
      new SendThread({ waitMs: 20, script: new URL("../sys/slow-thread.ts", import.meta.url) }),
    failed: () => new SendThread({ script: new URL("../sys/throwing-thread.ts", import.meta.url) }),
  };

  test.each([
    ["late", `unknown ${EIO}`],
    ["failed", `absent ${EIO}`],
  ] as const)("whose thread is %s ends with an account of every line", async (how, lost) => {
    using dp = new ScriptedDatapath();
    const thread = THREADS[how]();
    while (!thread.ready) await Bun.sleep(1);
    const { report, ends } = loadInto(dp, lines, {
      flowsPerBatch: 600,
      senders: 2,
      startThread: () => thread,
    });
    expect(report.ended).toBe("failed");
    expect(report.withoutThreads).toEqual([]);
    expect(ends).toEqual([...applied(300), ...Array(300).fill(lost)]);
    expect(dp.flows.length).toBe(300);
  });

  test("whose thread does not start sends all by one, and says so", async () => {
    using dp = new ScriptedDatapath();
    const thread = new SendThread({ script: new URL("nowhere.ts", import.meta.url) });
    while (thread.startFailure === undefined) await Bun.sleep(1);
    const { report, ends } = loadInto(dp, lines, {
      flowsPerBatch: 600,
      senders: 2,
      startThread: () => thread,
    });
    expect(report).toMatchObject({ ended: "complete", applied: 1200, senders: 1 });
    expect(report.withoutThreads).toEqual([
      expect.stringMatching(/^the thread that sends did not start, .* ModuleNotFound .*nowhere/),
    ]);
    expect(ends).toEqual(applied(1200));
  });
});
