import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Batch, MessageState } from "../../src/netlink/batch.ts";
import { NetlinkSocket, type SocketOptions } from "../../src/netlink/socket.ts";
import { type Packing, Transactor } from "../../src/netlink/transactor.ts";
import { measureReplyCost } from "../../src/netlink/reply-cost.ts";
import { ENOBUFS, ENOENT } from "../../src/sys/errno.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { SendThread } from "../../src/sys/send-thread.ts";
import { MessageVector } from "../../src/sys/vectors.ts";
import { NETLINK_GENERIC, NLM_F_REQUEST, NLMSG_NOOP } from "../../src/uapi/netlink.ts";

// The kernel acks a message below NLMSG_MIN_TYPE and does nothing; no family has this number: ENOENT.
const NO_FAMILY = 0xfff0;

const PACKING: Packing = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 16,
  bytesPerDatagram: 1 << 16,
};

function fill(batch: Batch, good: readonly boolean[]): void {
  batch.clear();
  good.forEach((accepted, i) => {
    batch.begin(accepted ? NLMSG_NOOP : NO_FAMILY, NLM_F_REQUEST);
    batch.writer.u32(1, i);
    expect(batch.commit(i)).toBe(true);
  });
}

function run(
  good: readonly boolean[],
  packing: Partial<Packing>,
  options: SocketOptions = {},
): { batch: Batch; transactor: Transactor } {
  using socket = new NetlinkSocket(NETLINK_GENERIC, options);
  const transactor = new Transactor(socket, { ...PACKING, ...packing });
  const batch = new Batch(Math.max(1, good.length), 1 << 20);
  fill(batch, good);
  transactor.execute(batch);
  return { batch, transactor };
}

const packings = fc.record({
  ack: fc.constantFrom("errors" as const, "each" as const),
  transport: fc.constantFrom("send" as const, "writev" as const, "sendmmsg" as const),
  messagesPerDatagram: fc.integer({ min: 1, max: 70 }),
  bytesPerDatagram: fc.integer({ min: 1, max: 4000 }),
});

/** As {@link run}, with a thread that sends the second half. */
async function runByTwo(
  good: readonly boolean[],
  packing: Partial<Packing>,
  options: SocketOptions = {},
): Promise<{ batch: Batch; second: Transactor }> {
  using one = new NetlinkSocket(NETLINK_GENERIC, options);
  using two = new NetlinkSocket(NETLINK_GENERIC, options);
  using thread = new SendThread();
  const first = new Transactor(one, { ...PACKING, ...packing });
  const second = new Transactor(two, { ...PACKING, ...packing });
  const batch = new Batch(good.length, 1 << 20);
  fill(batch, good);
  while (!thread.ready) await Bun.sleep(1);
  batch.failures = 0;
  second.beginPart(batch, good.length >> 1, good.length, thread);
  first.executePart(batch, 0, good.length >> 1);
  second.endPart(batch, thread);
  return { batch, second };
}

/**
 * Every second message is refused. Only the first refusals arrive: the rest are lost, and so are
 * messages without a reply.
 */
function expectKnownFirst(states: readonly number[]): void {
  const { lost, rejected } = MessageState;
  const known = states.lastIndexOf(rejected) + 1;
  expect(known).toBeGreaterThan(0);
  expect(known).toBeLessThan(states.length);
  expect(states).toEqual(states.map((_, i) => (i % 2 === 1 && i < known ? rejected : lost)));
}

describe("a thread that sends a part of a batch", () => {
  test("gives the same account", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.boolean(), { minLength: 2, maxLength: 300 }),
        fc.integer({ min: 1, max: 70 }),
        fc.integer({ min: 1, max: 4000 }),
        async (good, messagesPerDatagram, bytesPerDatagram) => {
          const { batch } = await runByTwo(good, { messagesPerDatagram, bytesPerDatagram });
          expect([...batch.states.subarray(0, good.length)]).toEqual(
            good.map((g) => (g ? MessageState.accepted : MessageState.rejected)),
          );
          expect(batch.failures).toBe(good.filter((g) => !g).length);
        },
      ),
      { numRuns: 20 },
    );
  });

  test("makes two system calls", async () => {
    const { second } = await runByTwo(
      Array.from({ length: 4096 }, () => true),
      { messagesPerDatagram: 1024 },
    );
    expect(second.counters).toMatchObject({ systemCalls: 2, datagrams: 2, overruns: 0 });
  });

  test("sends more than a call takes", async () => {
    const good = Array.from({ length: 3000 }, (_, i) => i % 3 > 0);
    const { batch } = await runByTwo(good, { messagesPerDatagram: 1 });
    expect(batch.failures).toBe(1000);
  });

  test("calls lost what it cannot know", async () => {
    const good = Array.from({ length: 800 }, (_, i) => i % 2 === 0);
    const options = { receiveBufferBytes: 32 << 10 };
    const { batch, second } = await runByTwo(good, { replyCostBytes: 1 }, options);
    expect(second.counters.overruns).toBeGreaterThan(0);
    expectKnownFirst([...batch.states.subarray(400, good.length)]);
  });

  test("calls lost what a reply may be missing of, where the kernel dropped none", () => {
    using socket = new NetlinkSocket(NETLINK_GENERIC);
    using thread = new SendThread();
    const transactor = new Transactor(socket, { ...PACKING, messagesPerDatagram: 4 });
    const batch = new Batch(8, 4096);
    // Of the first datagram comes an error, then its ack.
    fill(batch, [true, false, true, true, true, true, true, true]);
    let sent = 0;
    thread.begin = (_fd, headers, count) => {
      sent = socket.sendmmsg(headers, count);
    };
    thread.wait = () => {
      // The kernel had no memory for the error: it is missing among the replies.
      const one = new PinnedMemory(4096);
      const vector = new MessageVector(1);
      vector.set(0, one.address, one.size);
      expect(socket.recvmmsg(vector.addressOf(0), 1, 0)).toBe(1);
      return "made";
    };
    Object.defineProperty(thread, "sent", { get: () => sent });
    Object.defineProperty(thread, "received", { value: -ENOBUFS });
    transactor.beginPart(batch, 0, 8, thread);
    transactor.endPart(batch, thread);
    const { lost, accepted } = MessageState;
    const datagram = [lost, lost, lost, accepted];
    expect([...batch.states.subarray(0, 8)]).toEqual(datagram.concat(datagram));
    expect(batch.failures).toBe(6);
  });
});

describe("Transactor", () => {
  test("says of every message what the kernel did, whatever the packing", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 300 }), packings, (good, packing) => {
        const { batch } = run(good, packing);
        const states = [...batch.states.subarray(0, good.length)];
        expect(states).toEqual(
          good.map((g) => (g ? MessageState.accepted : MessageState.rejected)),
        );
        expect([...batch.errnos.subarray(0, good.length)]).toEqual(
          good.map((g) => (g ? 0 : ENOENT)),
        );
        expect(batch.failures).toBe(good.filter((g) => !g).length);
      }),
      { numRuns: 60 },
    );
  });

  test("needs two system calls for many datagrams", () => {
    const { transactor } = run(
      Array.from({ length: 4096 }, () => true),
      {
        messagesPerDatagram: 1024,
      },
    );
    expect(transactor.counters).toMatchObject({ systemCalls: 2, datagrams: 4, overruns: 0 });
  });

  test("keeps a window so small that every reply fits", () => {
    const good = Array.from({ length: 2000 }, () => false);
    const { batch, transactor } = run(good, {}, { receiveBufferBytes: 32 << 10 });
    expect(batch.failures).toBe(2000);
    expect(transactor.counters.overruns).toBe(0);
    expect(transactor.windowMessages).toBeGreaterThan(1);
    expect(transactor.windowMessages).toBeLessThan(130);
  });

  test("calls lost what it cannot know, and knows what has a reply", () => {
    // A cost of one byte a reply makes the window too large on purpose.
    const good = Array.from({ length: 400 }, (_, i) => i % 2 === 0);
    const { batch, transactor } = run(
      good,
      { replyCostBytes: 1 },
      { receiveBufferBytes: 32 << 10 },
    );
    expect(transactor.counters.overruns).toBeGreaterThan(0);
    const states = [...batch.states.subarray(0, good.length)];
    expectKnownFirst(states);
    expect(batch.failures).toBe(states.filter((s) => s !== MessageState.accepted).length);
  });

  test("a message too long for the socket is unsent, and the next ones are not", () => {
    using socket = new NetlinkSocket(NETLINK_GENERIC, { sendBufferBytes: 4096 });
    const transactor = new Transactor(socket, { ...PACKING, messagesPerDatagram: 1 });
    const batch = new Batch(3, 1 << 18);
    const payload = new Uint8Array(60_000);
    for (let i = 0; i < 3; i++) {
      batch.begin(NLMSG_NOOP, NLM_F_REQUEST);
      if (i === 1) batch.writer.bytes(1, payload);
      expect(batch.commit(i)).toBe(true);
    }
    transactor.execute(batch);
    expect([...batch.states]).toEqual([
      MessageState.accepted,
      MessageState.unsent,
      MessageState.accepted,
    ]);
    expect(batch.failures).toBe(1);
  });

  test("measures what a reply costs", () => {
    using socket = new NetlinkSocket(NETLINK_GENERIC);
    const cost = measureReplyCost(socket);
    expect(cost).toBeGreaterThanOrEqual(512);
    expect(cost).toBeLessThanOrEqual(2048);
  });
});
