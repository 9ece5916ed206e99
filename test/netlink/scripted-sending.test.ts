import { describe, expect, test } from "bun:test";
import { EAGAIN, EINTR, ENOBUFS, ENOMEM, EPERM } from "../../src/sys/errno.ts";
import { batchOf, executeByThread, partSender, rig, statesOf } from "./scripted-rig.ts";

describe("sending", () => {
  test.each(["send", "writev", "sendmmsg"] as const)(
    "%s: a signal in between changes nothing",
    (transport) => {
      const { kernel, sender } = rig({ transport });
      kernel.script(transport, -EINTR, -EINTR, "as always", -EINTR);
      kernel.script("recvmmsg", -EINTR, "as always", -EINTR);
      const batch = batchOf("..x.....");
      sender.execute(batch);
      expect(statesOf(batch)).toBe("..x.....");
    },
  );

  test.each(["send", "writev", "sendmmsg"] as const)(
    "%s: for want of memory it is tried again",
    (transport) => {
      const { kernel, sender } = rig({ transport });
      kernel.script(transport, -EAGAIN, -ENOBUFS, -ENOMEM);
      const batch = batchOf("..x.....");
      sender.execute(batch);
      expect(statesOf(batch)).toBe("..x.....");
      expect(kernel.requests.length).toBe(8);
    },
  );

  test("it is given up after some attempts, a datagram at a time", () => {
    const { kernel, sender } = rig();
    kernel.script("sendmmsg", ...Array.from({ length: 8 }, () => -ENOBUFS));
    const batch = batchOf("..x.....");
    sender.execute(batch);
    expect(statesOf(batch)).toBe("----....");
    expect(batch.errnos[0]).toBe(ENOBUFS);
  });

  test("attempts are counted for each datagram anew", () => {
    const { kernel, sender } = rig();
    const failing = (times: number): number[] => Array.from({ length: times }, () => -ENOBUFS);
    kernel.script("sendmmsg", ...failing(7), { atMost: 1 }, ...failing(8), ...failing(7));
    const batch = batchOf("..x.....x...");
    sender.execute(batch);
    expect(statesOf(batch)).toBe("..x.----x...");
  });

  test("another error is not transient", () => {
    const { kernel, sender } = rig();
    kernel.script("sendmmsg", { atMost: 1 }, -EPERM);
    const batch = batchOf("..x..x..x...");
    sender.execute(batch);
    expect(statesOf(batch)).toBe("..x.----x...");
    expect([kernel.calls.sendmmsg, batch.errnos[5]]).toEqual([3, EPERM]);
  });

  test.each([0, 1, 2, 3])(
    "what a thread's one call left of 3 datagrams is sent, %p of them by it",
    (by) => {
      const { kernel, sender } = rig();
      kernel.script("sendmmsg", by === 0 ? -EAGAIN : { atMost: by });
      const batch = batchOf("..x..x..x...");
      expect(executeByThread(sender, batch, partSender(kernel))).toBe("made");
      expect(statesOf(batch)).toBe("..x..x..x...");
      expect(kernel.requests.length).toBe(12);
    },
  );

  test.each(["failed", "late"] as const)("of a thread that is %s nothing is known", (end) => {
    const { kernel, sender } = rig();
    const batch = batchOf("..x.....");
    sender.execute(batch);
    kernel.requests.length = 0;
    expect(executeByThread(sender, batch, partSender(kernel, end))).toBe(end);
    expect(statesOf(batch)).toBe("????????");
    expect(kernel.requests).toEqual([]);
  });

  test("of a thread that failed, what its one call does not hold was never sent", () => {
    const { kernel, sender } = rig({ messagesPerDatagram: 1 });
    const batch = batchOf(".".repeat(1030));
    expect(executeByThread(sender, batch, partSender(kernel, "failed"))).toBe("failed");
    expect(statesOf(batch)).toBe(`${"?".repeat(1024)}------`);
  });
});
