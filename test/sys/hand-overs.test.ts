import { expect, test } from "bun:test";
import { Batch, MessageState } from "../../src/netlink/batch.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { Transactor } from "../../src/netlink/transactor.ts";
import { SendThread } from "../../src/sys/send-thread.ts";
import { NETLINK_ROUTE, NLM_F_REQUEST, NLMSG_NOOP } from "../../src/uapi/netlink.ts";
import { limit } from "../runner/limit.ts";

/**
 * Calls that one thread hands to another, as fast as possible, while every CPU is busy: checks on
 * real threads what hand-over.test.ts checks for every order of steps.
 */

const COUNT = Number(process.env["MILLRACE_HAND_OVERS"] ?? 2000);
const PER_SECOND_LEAST = 500;

/** A program that is busy for each CPU, in a process of its own. */
class BusyCpus implements Disposable {
  readonly #children = Array.from({ length: navigator.hardwareConcurrency }, () =>
    Bun.spawn([process.execPath, "-e", "for (;;);"], { stdout: "ignore", stderr: "ignore" }),
  );

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill("SIGKILL");
  }
}

test(
  `${COUNT} calls are handed over on busy CPUs, and each is made`,
  async () => {
    using _busy = new BusyCpus();
    using socket = new NetlinkSocket(NETLINK_ROUTE);
    const sender = new Transactor(socket, {
      ack: "errors",
      transport: "sendmmsg",
      messagesPerDatagram: 1,
      bytesPerDatagram: 4096,
      replyCostBytes: 1024,
    });
    using thread = new SendThread();
    while (!thread.ready) await Bun.sleep(1);
    const batch = new Batch(3, 4096);
    for (let i = 0; i < 3; i++) {
      batch.begin(NLMSG_NOOP, NLM_F_REQUEST);
      batch.writer.u32(1, i);
      batch.commit(i);
    }
    const { accepted } = MessageState;
    for (let i = 0; i < COUNT; i++) {
      batch.failures = 0;
      batch.states.fill(MessageState.pending);
      sender.beginPart(batch, 0, batch.count, thread);
      const end = sender.endPart(batch, thread);
      const isMade =
        end === "made" && batch.failures === 0 && batch.states.every((state) => state === accepted);
      if (!isMade)
        expect({ i, end, states: [...batch.states] }).toEqual({
          i,
          end: "made",
          states: [accepted, accepted, accepted],
        });
    }
    expect(sender.counters.datagrams).toBe(COUNT * 3);
  },
  limit(30 + COUNT / PER_SECOND_LEAST),
);
