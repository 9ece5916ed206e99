import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Batch, MessageState } from "../../src/netlink/batch.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { type BatchShape, type PartSender, Transactor } from "../../src/netlink/transactor.ts";
import { EAGAIN, EINTR, ENOBUFS, ENOENT, ENOMEM, EPERM } from "../../src/sys/errno.ts";
import type { CallEnd } from "../../src/sys/hand-over.ts";
import { NETLINK_GENERIC, NLM_F_ACK, NLM_F_REQUEST, NLMSG_NOOP } from "../../src/uapi/netlink.ts";
import { errorReply, type Request, ScriptedKernel } from "./scripted-kernel.ts";

// No family has this number.
const NO_FAMILY = 0xfff0;

const SHAPE: BatchShape = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 4,
  bytesPerDatagram: 1 << 16,
};

const { accepted, rejected, lost, unsent } = MessageState;

/** A kernel, and what sends to it. */
function rig(shape: Partial<BatchShape> = {}): { kernel: ScriptedKernel; sender: Transactor } {
  const kernel = new ScriptedKernel();
  const socket = new NetlinkSocket(NETLINK_GENERIC, { calls: kernel });
  return { kernel, sender: new Transactor(socket, { ...SHAPE, ...shape }) };
}

/** A batch; `x` is a message that the kernel rejects, anything else one that it takes. */
function batchOf(messages: string): Batch {
  const batch = new Batch(Math.max(1, messages.length), 1 << 18);
  for (const [i, letter] of messages.split("").entries()) {
    batch.begin(letter === "x" ? NO_FAMILY : NLMSG_NOOP, NLM_F_REQUEST);
    batch.writer.u32(1, i);
    expect(batch.commit(i)).toBe(true);
  }
  return batch;
}

const LETTERS = new Map<number, string>([
  [accepted, "."],
  [rejected, "x"],
  [lost, "?"],
  [unsent, "-"],
]);

/**
 * The states as letters; the failures are those that are not accepted, each counted once, and an errno is only
 * where the kernel gave one.
 */
function statesOf(batch: Batch): string {
  const states = [...batch.states.subarray(0, batch.count)];
  for (const [i, state] of states.entries()) {
    if (state !== unsent) expect(batch.errnos[i] !== 0).toBe(state === rejected);
  }
  expect(batch.failures).toBe(states.filter((state) => state !== accepted).length);
  return states.map((state) => LETTERS.get(state) ?? "!").join("");
}

/** Which message a request is. */
function numberOf({ bytes }: Request): number {
  return new DataView(bytes.buffer).getUint32(20, true);
}

/** A sending thread that makes its calls on the spot. */
function partSender(kernel: ScriptedKernel, end: CallEnd = "made"): PartSender {
  const results = { sent: 0, received: 0 };
  return {
    begin: (fd, headers, count, replies, slots) => {
      if (end !== "made") return;
      results.sent = kernel.sendmmsg(fd, headers, count);
      results.received = results.sent > 0 ? kernel.recvmmsg(fd, replies, slots) : 0;
    },
    wait: () => end,
    get sent() {
      return results.sent;
    },
    get received() {
      return results.received;
    },
  };
}

/** Sends all of a batch as a thread does. */
function executeByThread(sender: Transactor, batch: Batch, thread: PartSender): CallEnd {
  batch.failures = 0;
  sender.beginPart(batch, 0, batch.count, thread);
  return sender.endPart(batch, thread);
}

/** Both ways to send a batch. */
const WAYS = [
  ["alone", (sender: Transactor, batch: Batch) => sender.execute(batch)],
  [
    "by a thread",
    (sender: Transactor, batch: Batch, kernel: ScriptedKernel) =>
      void executeByThread(sender, batch, partSender(kernel)),
  ],
] as const;

describe("the replies to a batch", () => {
  test.each(WAYS)("%s: as the kernel said", (_, execute) => {
    const { kernel, sender } = rig();
    const batch = batchOf("..x..x.x..");
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe("..x..x.x..");
    expect(batch.errnos[2]).toBe(ENOENT);
    expect(kernel.requests.map(numberOf)).toEqual([...batch.tags]);
  });

  test.each(WAYS)(
    "%s: where the kernel had no memory for a reply, only what has one is known",
    (_, execute) => {
      const { kernel, sender } = rig();
      kernel.hasNoMemory = (request) => numberOf(request) === 1;
      const batch = batchOf(".x..x...");
      execute(sender, batch, kernel);
      expect(statesOf(batch)).toBe("???.x??.");
      expect(sender.counters.overruns).toBe(1);
      // That is over with the next one.
      kernel.hasNoMemory = () => false;
      execute(sender, batch, kernel);
      expect(statesOf(batch)).toBe(".x..x...");
    },
  );

  test.each(WAYS)("%s: where the buffer overflowed, too", (_, execute) => {
    const { kernel, sender } = rig();
    kernel.room = 2;
    const batch = batchOf("..x.x...x...");
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe("??x.????????");
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe("??x.????????");
    kernel.room = 100;
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe("..x.x...x...");
  });

  test.each(WAYS)("%s: both at once are told as one", (_, execute) => {
    const { kernel, sender } = rig();
    kernel.room = 2;
    const batch = batchOf(".x..x...");
    kernel.hasNoMemory = (request) => numberOf(request) === 1;
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe("???.x???");
    expect(sender.counters.overruns).toBe(1);
  });

  test("an error longer than its slot is one all the same", () => {
    const { kernel, sender } = rig();
    kernel.deliver = (reply, request) => {
      if (numberOf(request) !== 1) return [reply];
      // As with an extended ack that is long.
      const long = new Uint8Array(400);
      long.set(reply);
      new DataView(long.buffer).setUint32(0, long.length, true);
      return [long];
    };
    const batch = batchOf(".x..x...");
    sender.execute(batch);
    expect(statesOf(batch)).toBe(".x..x...");
    expect(batch.errnos[1]).toBe(ENOENT);
  });

  test.each(WAYS)(
    "%s: a datagram without its final ack is known up to its last error",
    (_, execute) => {
      const { kernel, sender } = rig();
      kernel.deliver = (reply, request) => (numberOf(request) === 3 ? [] : [reply]);
      const batch = batchOf("x.......");
      execute(sender, batch, kernel);
      expect(statesOf(batch)).toBe("x???....");
      kernel.deliver = (reply, request) => (numberOf(request) === 7 ? [] : [reply]);
      execute(sender, batch, kernel);
      expect(statesOf(batch)).toBe("x...????");
    },
  );

  test.each(WAYS)("%s: an ack of another request is none of this one", (_, execute) => {
    const { kernel, sender } = rig();
    kernel.deliver = (reply, request) =>
      numberOf(request) === 3
        ? [errorReply(request.sequence - 4, 0), errorReply(request.sequence + 1, 0)]
        : [reply];
    const batch = batchOf("....");
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe("????");
  });

  test("an error of a message that was not sent yet is none of this window", () => {
    const { kernel, sender } = rig({ replyCostBytes: 1 << 20 });
    kernel.deliver = (reply, request) =>
      numberOf(request) === 3 ? [errorReply(request.sequence + 1, ENOENT)] : [reply];
    const batch = batchOf("........");
    sender.execute(batch);
    expect(statesOf(batch)).toBe("????....");
  });

  test.each(WAYS)("%s: say nothing of those that were in its place before", (_, execute) => {
    const { kernel, sender } = rig();
    const batch = batchOf("xx......");
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe("xx......");
    kernel.answer = ({ flags, sequence }) =>
      (flags & NLM_F_ACK) === 0 ? [] : [errorReply(sequence, 0)];
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe("........");
  });

  test.each(WAYS)("%s: a reply that comes twice counts once", (_, execute) => {
    const { kernel, sender } = rig();
    kernel.deliver = (reply) => [reply, reply];
    const batch = batchOf(".xx..x.x");
    execute(sender, batch, kernel);
    expect(statesOf(batch)).toBe(".xx..x.x");
  });

  test.each(WAYS)("%s: replies of an earlier window are passed over", (_, execute) => {
    const { kernel, sender } = rig({ replyCostBytes: 1 << 20 });
    expect(sender.windowMessages).toBe(4);
    // The replies to messages 2 and 3 come with those of the next window.
    const late: Uint8Array[] = [];
    kernel.deliver = (reply, request) => {
      const number = numberOf(request);
      if (number === 2 || number === 3) {
        late.push(reply);
        return [];
      }
      return [...late.splice(0), reply];
    };
    const batch = batchOf("x.xx..x.....");
    if (execute === WAYS[0][1]) {
      execute(sender, batch, kernel);
      expect(statesOf(batch)).toBe("x???..x.....");
    } else {
      batch.failures = 0;
      const thread = partSender(kernel);
      for (let first = 0; first < batch.count; first += 4) {
        sender.beginPart(batch, first, first + 4, thread);
        sender.endPart(batch, thread);
      }
      expect(statesOf(batch)).toBe("x???..x.....");
    }
  });

  test("replies of an earlier batch are passed over", () => {
    const { kernel, sender } = rig();
    const late: Uint8Array[] = [];
    kernel.deliver = (reply) => (late.push(reply), []);
    const batch = batchOf("xxxx");
    sender.execute(batch);
    expect(statesOf(batch)).toBe("????");
    kernel.deliver = (reply) => [...late.splice(0), reply];
    const next = batchOf("........");
    sender.execute(next);
    expect(statesOf(next)).toBe("........");
  });

  test("a reply that is cut short makes its message lost, one that is none those without a reply", () => {
    const { kernel, sender } = rig();
    kernel.deliver = (reply, request) => {
      if (numberOf(request) !== 1) return [reply];
      // Nothing behind the header.
      const cut = reply.slice(0, 16);
      new DataView(cut.buffer).setUint32(0, 16, true);
      return [cut];
    };
    const batch = batchOf(".xx..x..");
    sender.execute(batch);
    expect(statesOf(batch)).toBe(".?x..x..");
    kernel.deliver = (reply, request) => [numberOf(request) === 1 ? reply.slice(0, 8) : reply];
    sender.execute(batch);
    expect(statesOf(batch)).toBe("??x.?x?.");
  });
});

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

/** What happens to the replies of a run: the fault, by the number of the message that it strikes. */
const faults = fc.array(
  fc.tuple(
    fc.nat(40),
    fc.constantFrom("lost" as const, "doubled" as const, "no memory" as const, "late" as const),
  ),
  { maxLength: 6 },
);

test("whatever becomes of replies, what is said is so, and every message is counted once", () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
      faults,
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.constantFrom(-EINTR, -EAGAIN, -ENOBUFS), { maxLength: 4 }),
      fc.boolean(),
      (good, struck, perDatagram, window, atMost, errnos, byThread) => {
        const replyCostBytes = Math.floor((4 << 20) / window);
        const { kernel, sender } = rig({ messagesPerDatagram: perDatagram, replyCostBytes });
        const has = (request: Request, fault: string): boolean =>
          struck.some(([number, kind]) => number === numberOf(request) && kind === fault);
        const late: Uint8Array[] = [];
        kernel.hasNoMemory = (request) => has(request, "no memory");
        kernel.deliver = (reply, request) => {
          if (has(request, "lost")) return [];
          if (has(request, "late")) return (late.push(reply), []);
          return [...late.splice(0), reply, ...(has(request, "doubled") ? [reply] : [])];
        };
        kernel.script("sendmmsg", { atMost }, ...errnos);
        kernel.script("recvmmsg", "as always", -EINTR, { atMost });
        const batch = batchOf(good.map((g) => (g ? "." : "x")).join(""));
        if (byThread && batch.count <= sender.windowMessages) {
          executeByThread(sender, batch, partSender(kernel));
        } else sender.execute(batch);
        const states = statesOf(batch);
        expect(states).toMatch(/^[.x?-]*$/);
        const isSilent = struck.some(([, kind]) => kind === "lost" || kind === "late");
        for (const [i, g] of good.entries()) {
          if (states[i] === "x") expect(g).toBe(false);
          // An error that is lost in silence, which no kernel does, cannot be noticed.
          if (states[i] === "." && !isSilent) expect(g).toBe(true);
          if (states[i] === "-") expect(kernel.requests.map(numberOf)).not.toContain(i);
        }
        // Nothing is sent twice.
        expect(new Set(kernel.requests.map(numberOf)).size).toBe(kernel.requests.length);
      },
    ),
    { numRuns: 300 },
  );
});
