import { expect, test } from "bun:test";
import { SocketPool } from "../../src/netlink/pool.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { NETLINK_ROUTE } from "../../src/uapi/netlink.ts";

test("a pool that is closed opens nothing anew, and closes what comes back", () => {
  const pool = new SocketPool();
  const taken = pool.take(NETLINK_ROUTE);
  pool[Symbol.dispose]();
  expect(() => pool.take(NETLINK_ROUTE)).toThrow("it is closed");
  pool.give(taken);
  expect(taken.socket.closed).toBe(true);
});

test("a channel that is closed neither", () => {
  const channel = new OvsChannel();
  channel[Symbol.dispose]();
  expect(() => channel.openSocket()).toThrow("it is closed");
  expect(() => channel.family("ovs_flow")).toThrow("it is closed");
});
