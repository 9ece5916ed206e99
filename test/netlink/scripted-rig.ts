import { expect } from "bun:test";
import { Batch, MessageState } from "../../src/netlink/batch.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { type Packing, Transactor } from "../../src/netlink/transactor.ts";
import type { PartSender } from "../../src/sys/send-thread.ts";
import type { CallEnd } from "../../src/sys/hand-over.ts";
import { NETLINK_GENERIC, NLM_F_REQUEST, NLMSG_NOOP } from "../../src/uapi/netlink.ts";
import { type Request, ScriptedKernel } from "./scripted-kernel.ts";

/** Batches written as letters, and a transactor that sends them to a scripted kernel. */

// No family has this number.
const NO_FAMILY = 0xfff0;

const PACKING: Packing = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 4,
  bytesPerDatagram: 1 << 16,
};

const { accepted, rejected, lost, unsent } = MessageState;

/** A kernel, and a transactor that sends to it. */
export function rig(packing: Partial<Packing> = {}): {
  kernel: ScriptedKernel;
  sender: Transactor;
} {
  const kernel = new ScriptedKernel();
  const socket = new NetlinkSocket(NETLINK_GENERIC, { calls: kernel });
  return { kernel, sender: new Transactor(socket, { ...PACKING, ...packing }) };
}

/** A batch; `x` is a message that the kernel rejects, anything else one that it takes. */
export function batchOf(messages: string): Batch {
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
export function statesOf(batch: Batch): string {
  const states = [...batch.states.subarray(0, batch.count)];
  for (const [i, state] of states.entries()) {
    if (state !== unsent) expect(batch.errnos[i] !== 0).toBe(state === rejected);
  }
  expect(batch.failures).toBe(states.filter((state) => state !== accepted).length);
  return states.map((state) => LETTERS.get(state) ?? "!").join("");
}

/** Which message a request is. */
export function numberOf({ bytes }: Request): number {
  return new DataView(bytes.buffer).getUint32(20, true);
}

/** A sending thread that makes its calls on the spot. */
export function partSender(kernel: ScriptedKernel, end: CallEnd = "made"): PartSender {
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
export function executeByThread(sender: Transactor, batch: Batch, thread: PartSender): CallEnd {
  batch.failures = 0;
  sender.beginPart(batch, 0, batch.count, thread);
  return sender.endPart(batch, thread);
}

/** A way to send all of a batch. */
type Way = (sender: Transactor, batch: Batch, kernel: ScriptedKernel) => void;

/** Both ways to send a batch. */
export const WAYS: readonly (readonly [name: string, execute: Way])[] = [
  ["alone", (sender, batch) => sender.execute(batch)],
  [
    "by a thread",
    (sender, batch, kernel) => void executeByThread(sender, batch, partSender(kernel)),
  ],
];
