import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import type { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { putWord } from "../../src/netlink/message.ts";
import { SocketPool } from "../../src/netlink/pool.ts";
import { NetlinkChannel } from "../../src/netlink/channel.ts";
import { NETLINK_ROUTE } from "../../src/uapi/netlink.ts";
import { RTM_GETLINK } from "../../src/uapi/rtnetlink.ts";
import { limit } from "../runner/limit.ts";

test("a pool that is closed opens nothing anew, and closes what comes back", () => {
  const pool = new SocketPool();
  const taken = pool.take(NETLINK_ROUTE);
  pool[Symbol.dispose]();
  expect(() => pool.take(NETLINK_ROUTE)).toThrow("it is closed");
  pool.give(taken);
  expect(taken.socket.closed).toBe(true);
});

test("a pool that is closed closes what was taken and never given back", () => {
  const pool = new SocketPool();
  const taken = pool.take(NETLINK_ROUTE);
  pool[Symbol.dispose]();
  expect(taken.socket.closed).toBe(true);
});

test("a socket that was closed is given to nobody", () => {
  using pool = new SocketPool();
  const taken = pool.take(NETLINK_ROUTE);
  taken.close();
  pool.give(taken);
  expect(pool.take(NETLINK_ROUTE).socket.closed).toBe(false);
});

test("a pool keeps a few idle sockets, and closes the rest", () => {
  using pool = new SocketPool();
  const taken = Array.from({ length: 12 }, () => pool.take(NETLINK_ROUTE));
  for (const requester of taken) pool.give(requester);
  expect(taken.map(({ socket }) => socket.closed)).toEqual(taken.map((_, i) => i >= 8));
});

test("a dump that is left after one message leaks no socket for good", async () => {
  using channel = new NetlinkChannel();
  const open = (): number => readdirSync("/proc/self/fd").length;
  const request = {
    type: RTM_GETLINK,
    doing: "listing links",
    write: (writer: AttributeWriter) => {
      for (let i = 0; i < 4; i++) putWord(writer, 0);
    },
  };
  const before = open();
  (() => {
    for (let i = 0; i < 20; i++) channel.dumpWith(NETLINK_ROUTE, request).next();
  })();
  expect(open()).toBeGreaterThan(before + 15);
  const end = performance.now() + limit(1);
  while (open() > before + 2 && performance.now() < end) {
    Bun.gc(true);
    await Bun.sleep(10);
  }
  // What the machine's stack still shows to the collector may stay.
  expect(open()).toBeLessThanOrEqual(before + 2);
});

test("a channel that is closed neither", () => {
  const channel = new NetlinkChannel();
  channel[Symbol.dispose]();
  expect(() => channel.openSocket()).toThrow("it is closed");
  expect(() => channel.family("ovs_flow")).toThrow("it is closed");
});
