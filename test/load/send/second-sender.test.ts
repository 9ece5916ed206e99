import { expect, test } from "bun:test";
import { SecondSender } from "../../../src/load/send/second-sender.ts";
import { Batch, MessageState } from "../../../src/netlink/batch.ts";
import { NetlinkSocket } from "../../../src/netlink/socket.ts";
import { type Packing, Transactor } from "../../../src/netlink/transactor.ts";
import { OvsChannel } from "../../../src/ovs/channel.ts";
import { FlowRequests } from "../../../src/ovs/flow-requests.ts";
import { NETLINK_GENERIC } from "../../../src/uapi/netlink.ts";
import { SendThread } from "../../../src/sys/send-thread.ts";
import { OVS_FLOW_ATTR_KEY, OVS_FLOW_ATTR_MASK } from "../../../src/uapi/openvswitch.ts";

const PACKING: Packing = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 256,
  bytesPerDatagram: 1 << 16,
};
const MESSAGES = 600;

/** No family has this number: whatever is sent is ENOENT, and changes nothing. */
const NO_FAMILY = 0xfff0;

/** Fills a batch with flows of these keys. */
function fill(batch: Batch, keyOf: (index: number) => number): void {
  const requests = new FlowRequests(NO_FAMILY, 0, batch);
  batch.clear();
  for (let i = 0; i < MESSAGES; i++) {
    requests.begin();
    batch.writer.u32(OVS_FLOW_ATTR_KEY, keyOf(i));
    batch.writer.u32(OVS_FLOW_ATTR_MASK, 0xffff_ffff);
    expect(requests.commit("put", i)).toBe(true);
  }
}

test("a batch whose flows depend on one another is left to one socket", async () => {
  using channel = new OvsChannel();
  using socket = new NetlinkSocket(NETLINK_GENERIC, {});
  const first = new Transactor(socket, PACKING);
  using second = new SecondSender(channel, PACKING, MESSAGES);
  const batch = new Batch(MESSAGES, 1 << 20);
  fill(batch, (i) => i);
  // Its thread takes some milliseconds to start.
  while (!second.execute(batch, first)) await Bun.sleep(1);
  expect(batch.failures).toBe(MESSAGES);
  const sent = [first.counters.systemCalls, second.systemCalls];
  expect(sent.every((calls) => calls > 0)).toBe(true);
  // The last key is in the first half, too.
  fill(batch, (i) => (i === MESSAGES - 1 ? 5 : i));
  expect(second.execute(batch, first)).toBe(false);
  expect([first.counters.systemCalls, second.systemCalls]).toEqual(sent);
  // So it is with the thread still at hand.
  fill(batch, (i) => i);
  expect(second.execute(batch, first)).toBe(true);
});

test("a batch that is too small for a thread, or too large for its socket, is left to one socket", async () => {
  using channel = new OvsChannel();
  using socket = new NetlinkSocket(NETLINK_GENERIC, {});
  const first = new Transactor(socket, PACKING);
  const batch = new Batch(MESSAGES, 1 << 20);
  fill(batch, (i) => i);
  using thread = new SendThread();
  while (!thread.ready) await Bun.sleep(1);
  // Replies that cost so much that no half of the batch fits.
  const replyCostBytes = Math.floor(socket.receiveBufferBytes / (MESSAGES / 2 - 1));
  const second = new SecondSender(channel, { ...PACKING, replyCostBytes }, MESSAGES, thread);
  expect(second.execute(batch, first)).toBe(false);
  using other = new SecondSender(channel, PACKING, MESSAGES, thread);
  batch.count = 511;
  expect(other.execute(batch, first)).toBe(false);
  expect([first.counters.systemCalls, other.systemCalls]).toEqual([0, 0]);
  batch.count = 512;
  expect(other.execute(batch, first)).toBe(true);
});

test("where the first socket fails, the thread is waited for all the same", async () => {
  using channel = new OvsChannel();
  using socket = new NetlinkSocket(NETLINK_GENERIC, {});
  const first = new Transactor(socket, PACKING);
  first.executePart = () => {
    throw new Error("on purpose");
  };
  const thread = new SendThread();
  while (!thread.ready) await Bun.sleep(1);
  using second = new SecondSender(channel, PACKING, MESSAGES, thread);
  const batch = new Batch(MESSAGES, 1 << 20);
  fill(batch, (i) => i);
  expect(() => second.execute(batch, first)).toThrow("on purpose");
  expect(batch.failures).toBe(MESSAGES / 2);
  expect(thread.ready).toBe(true);
});

test("while its thread is late, its socket and the memory of the batch stay", async () => {
  using channel = new OvsChannel();
  using socket = new NetlinkSocket(NETLINK_GENERIC, {});
  const first = new Transactor(socket, PACKING);
  const script = new URL("../../sys/slow-thread.ts", import.meta.url);
  const sockets: NetlinkSocket[] = [];
  const open = channel.openSocket.bind(channel);
  channel.openSocket = (...args) => {
    const opened = open(...args);
    sockets.push(opened);
    return opened;
  };
  const second = new SecondSender(
    channel,
    PACKING,
    MESSAGES,
    new SendThread({ waitMs: 20, script }),
  );
  const batch = new Batch(MESSAGES, 1 << 20);
  fill(batch, (i) => i);
  while (!second.execute(batch, first)) await Bun.sleep(1);
  expect(second.lastCall).toBe("late");
  const states = batch.states.subarray(0, MESSAGES);
  expect(states.filter((state) => state === MessageState.rejected).length).toBe(MESSAGES / 2);
  expect(states.filter((state) => state === MessageState.lost).length).toBe(MESSAGES / 2);
  expect(batch.failures).toBe(MESSAGES);
  second[Symbol.dispose]();
  expect(sockets.map(({ closed }) => closed)).toEqual([false]);
  while (sockets[0]?.closed === false) await Bun.sleep(10);
});
