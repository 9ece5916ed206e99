import { describe, expect, test } from "bun:test";
import { Inbox } from "../../src/netlink/inbox.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { NETLINK_ROUTE, NLM_F_ACK, NLM_F_REQUEST, NLMSG_NOOP } from "../../src/uapi/netlink.ts";

const request = new PinnedMemory(16);

/** Makes the kernel send `count` messages to `socket`, numbered from `first`: acks. */
function cause(socket: NetlinkSocket, first: number, count: number): void {
  for (let i = 0; i < count; i++) {
    request.u32[0] = 16;
    request.u16[2] = NLMSG_NOOP;
    request.u16[3] = NLM_F_REQUEST | NLM_F_ACK;
    request.u32[2] = first + i;
    expect(socket.send(request.address, 16)).toBe(16);
  }
}

type Seen = number | { lost: number };

function recorder(into: Seen[]) {
  return {
    onMessage: (_: PinnedMemory, message: { sequence: number }) => into.push(message.sequence),
    onLost: (lost: number) => into.push({ lost }),
  };
}

const PACKING = { slots: 8, slotBytes: 4096 };

describe("Inbox", () => {
  test("gives every message once, in order, and stops near the limit", () => {
    using inbox = new Inbox(PACKING);
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    inbox.add(socket);
    cause(socket, 1, 20);
    const seen: Seen[] = [];
    expect(inbox.read(5, recorder(seen))).toBe(5);
    expect(seen).toEqual([1, 2, 3, 4, 5]);
    while (inbox.read(100, recorder(seen)) > 0);
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(inbox.lost).toBe(0);
  });

  test("tells a loss where it was, after what survived, and how many exactly", () => {
    using inbox = new Inbox(PACKING);
    const socket = new NetlinkSocket(NETLINK_ROUTE, { receiveBufferBytes: 4096 });
    inbox.add(socket);
    const seen: Seen[] = [];
    const COUNT = 300;
    cause(socket, 1, COUNT);
    while (inbox.read(1000, recorder(seen)) > 0);
    const messages = seen.filter((event) => typeof event === "number");
    expect(messages.length).toBeLessThan(COUNT);
    // Those that survived are the first ones, and the loss stands behind them.
    expect(messages).toEqual(messages.map((_, i) => i + 1));
    expect(seen.slice(messages.length)).toEqual([{ lost: COUNT - messages.length }]);
    expect(inbox.lost).toBe(COUNT - messages.length);
    // After that all is well again.
    cause(socket, 1000, 1);
    expect(inbox.read(10, recorder(seen))).toBe(1);
    expect(seen.at(-1)).toBe(1000);
  });

  test("every message is given or counted, over many floods", () => {
    using inbox = new Inbox(PACKING);
    const socket = new NetlinkSocket(NETLINK_ROUTE, { receiveBufferBytes: 8192 });
    inbox.add(socket);
    const seen: Seen[] = [];
    let sent = 0;
    for (const count of [1, 50, 3, 200, 8, 9, 100, 16]) {
      cause(socket, 1, count);
      sent += count;
      inbox.read(7, recorder(seen));
    }
    while (inbox.read(1000, recorder(seen)) > 0);
    expect(seen.filter((event) => typeof event === "number").length + inbox.lost).toBe(sent);
  });

  test("a message longer than its slot is a loss, not a lie", () => {
    using inbox = new Inbox({ slots: 4, slotBytes: 16 });
    const socket = new NetlinkSocket(NETLINK_ROUTE);
    inbox.add(socket);
    cause(socket, 1, 1);
    const seen: Seen[] = [];
    inbox.read(10, recorder(seen));
    expect(seen).toEqual([{ lost: 1 }]);
  });

  test("several sockets take turns; one that is removed is closed", () => {
    using inbox = new Inbox(PACKING);
    const [first, second] = [new NetlinkSocket(NETLINK_ROUTE), new NetlinkSocket(NETLINK_ROUTE)];
    inbox.add(first);
    inbox.add(second);
    cause(first, 1, 30);
    cause(second, 100, 1);
    const seen: Seen[] = [];
    inbox.read(16, recorder(seen));
    expect(seen).toContain(100);
    inbox.remove(first);
    expect(first.closed).toBe(true);
    cause(second, 101, 1);
    seen.length = 0;
    while (inbox.read(10, recorder(seen)) > 0);
    expect(seen).toEqual([101]);
  });
});
