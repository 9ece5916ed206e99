import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EAGAIN, EINTR, ENOBUFS, ENOENT } from "../../src/sys/errno.ts";
import { NLM_F_ACK } from "../../src/uapi/netlink.ts";
import { errorReply, type Request } from "./scripted-kernel.ts";
import {
  batchOf,
  executeByThread,
  numberOf,
  partSender,
  rig,
  statesOf,
  WAYS,
} from "./scripted-rig.ts";

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

  test.each([1, 2, 4])(
    "an error of a message that was not sent yet, %d on, is none of this window",
    (further) => {
      const { kernel, sender } = rig({ replyCostBytes: 1 << 20 });
      kernel.deliver = (reply, request) =>
        numberOf(request) === 3 ? [errorReply(request.sequence + further, ENOENT)] : [reply];
      const batch = batchOf("........");
      sender.execute(batch);
      expect(statesOf(batch)).toBe("????....");
    },
  );

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

  test.each(WAYS)(
    "%s: an error that comes behind later replies is one all the same",
    (_, execute) => {
      const { kernel, sender } = rig();
      const batch = batchOf(".xx.....");
      let kept: Uint8Array[] = [];
      kernel.deliver = (reply, request) => {
        if (numberOf(request) === 1) return ((kept = [reply, reply]), []);
        return [reply, ...kept.splice(0)];
      };
      execute(sender, batch, kernel);
      expect(statesOf(batch)).toBe(".xx.....");
      expect(batch.errnos[1]).toBe(ENOENT);
    },
  );

  test.each(WAYS)("%s: replies of an earlier window are passed over", (way, execute) => {
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
    if (way === "alone") {
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
