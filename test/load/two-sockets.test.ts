import { describe, expect, test } from "bun:test";
import { EIO } from "../../src/sys/errno.ts";
import { SystemCallError } from "../../src/sys/errors.ts";
import { type CallMaker, SendThread } from "../../src/sys/send-thread.ts";
import { ScriptedDatapath } from "../ovs/scripted-datapath.ts";
import { loadInto } from "./scripted-load.ts";

const applied = (count: number): string[] => Array.from({ length: count }, () => "applied");

const EMFILE = 24;

/** A thread that is never given a call. */
const IDLE: CallMaker = {
  ready: true,
  startFailure: undefined,
  sent: 0,
  received: 0,
  begin: () => expect.unreachable(),
  wait: () => expect.unreachable(),
  end: () => undefined,
};

describe("a load by two sockets", () => {
  const lines = Array.from({ length: 1200 }, (_, i) => `in_port(${i + 1}),eth() 1`);
  const THREADS = {
    late: () =>
      new SendThread({ waitMs: 20, script: new URL("../sys/slow-thread.ts", import.meta.url) }),
    failed: () => new SendThread({ script: new URL("../sys/throwing-thread.ts", import.meta.url) }),
  };

  /** A load that one socket sends, though two were to. @returns what it says of threads */
  const sentByOne = (dp: ScriptedDatapath, thread: CallMaker): readonly string[] => {
    const { report, ends } = loadInto(dp, lines, {
      flowsPerBatch: 600,
      senders: 2,
      startThread: () => thread,
    });
    expect(report).toMatchObject({ ended: "complete", applied: 1200, senders: 1 });
    expect(ends).toEqual(applied(1200));
    return report.withoutThreads;
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

  test("whose second one cannot be opened sends all by one, and says so", () => {
    using dp = new ScriptedDatapath();
    let ended = 0;
    const thread = { ...IDLE, end: () => ended++ };
    const open = dp.channel.openSocket.bind(dp.channel);
    let opened = 0;
    // That of the load comes first.
    dp.channel.openSocket = (...args) => {
      if (++opened > 1) throw new SystemCallError("socket", EMFILE, "opening a socket");
      return open(...args);
    };
    expect(sentByOne(dp, thread)).toEqual([
      expect.stringMatching(
        /^the second socket was not opened, one socket sent all: .*too many open files/,
      ),
    ]);
    expect(ended).toBe(1);
  });

  test("whose thread does not start sends all by one, and says so", async () => {
    using dp = new ScriptedDatapath();
    const thread = new SendThread({ script: new URL("nowhere.ts", import.meta.url) });
    while (thread.startFailure === undefined) await Bun.sleep(1);
    expect(sentByOne(dp, thread)).toEqual([
      expect.stringMatching(/^the thread that sends did not start, .* ModuleNotFound .*nowhere/),
    ]);
  });
});
