import { describe, expect, test } from "bun:test";
import { SocketPool } from "../../src/netlink/pool.ts";
import { Requester } from "../../src/netlink/request.ts";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { EINTR, ENODEV, ENOENT } from "../../src/sys/errno.ts";
import { NETLINK_GENERIC, NLM_F_DUMP_INTR, NLMSG_DONE } from "../../src/uapi/netlink.ts";
import { doneReply, errorReply, message, ScriptedKernel } from "./scripted-kernel.ts";

const FAMILY = 0x20;
const REQUEST = { type: FAMILY, doing: "asking", write: () => {} };

function data(sequence: number, value: number): Uint8Array {
  return message(FAMILY, 0, sequence, new Uint8Array(new Uint32Array([value]).buffer));
}

function requesterOf(kernel: ScriptedKernel): Requester {
  return new Requester(new NetlinkSocket(NETLINK_GENERIC, { calls: kernel }));
}

/** The values of a dump's messages. */
function valuesOf(requester: Requester): number[] {
  const found: number[] = [];
  for (const { payload } of requester.dump(REQUEST)) {
    found.push(requester.replies.u32[payload >> 2] ?? -1);
  }
  return found;
}

describe("a request", () => {
  test("is answered by its own reply, whatever else comes", () => {
    const kernel = new ScriptedKernel();
    kernel.answer = ({ sequence }) => [
      errorReply(sequence - 1, 0),
      errorReply(sequence + 1, ENODEV),
      data(sequence - 1, 1),
      data(sequence, 2),
      errorReply(sequence, ENOENT),
    ];
    const requester = requesterOf(kernel);
    const seen: number[] = [];
    const ask = (): void =>
      requester.transact(REQUEST, (memory, { payload }) =>
        seen.push(memory.u32[payload >> 2] ?? -1),
      );
    expect(ask).toThrow("asking: no such file or directory");
    expect(seen).toEqual([2]);
  });

  test("that is not answered to its end leaves a socket that nobody is given", () => {
    let length = 8;
    using pool = new SocketPool(() => {
      const kernel = new ScriptedKernel();
      kernel.answer = ({ sequence }) => [errorReply(sequence, ENODEV)];
      // While it is cut another one waits behind it.
      kernel.deliver = (reply) => [reply.slice(0, length), reply.slice(0, length)];
      return new NetlinkSocket(NETLINK_GENERIC, { calls: kernel });
    });
    const first = pool.take(NETLINK_GENERIC);
    expect(() => first.transact(REQUEST)).toThrow("malformed");
    pool.give(first);
    length = 100;
    const second = pool.take(NETLINK_GENERIC);
    expect([second === first, first.socket.closed]).toEqual([false, true]);
    // One that the kernel refuses is answered.
    expect(() => second.transact(REQUEST)).toThrow("no such device");
    pool.give(second);
    expect(pool.take(NETLINK_GENERIC)).toBe(second);
  });

  test("is sent, and its reply read, where signals come between", () => {
    const kernel = new ScriptedKernel();
    kernel.answer = ({ sequence }) => [errorReply(sequence, 0)];
    kernel.script("send", -EINTR, -EINTR);
    kernel.script("recvmmsg", -EINTR, -EINTR);
    requesterOf(kernel).transact(REQUEST);
    expect(kernel.requests.length).toBe(1);
  });
});

test("a socket is closed once: its number may be another one's by then", () => {
  const kernel = new ScriptedKernel();
  const socket = new NetlinkSocket(NETLINK_GENERIC, { calls: kernel });
  socket.close();
  socket[Symbol.dispose]();
  expect([kernel.closes, socket.closed]).toEqual([1, true]);
  expect(() => socket.send(0, 0)).toThrow("the socket is closed");
});

describe("a dump", () => {
  test("gives its own messages, to the end", () => {
    const kernel = new ScriptedKernel();
    kernel.answer = ({ sequence }) => [
      data(sequence - 1, 1),
      data(sequence, 2),
      doneReply(sequence - 1),
      data(sequence, 3),
      doneReply(sequence),
    ];
    expect(valuesOf(requesterOf(kernel))).toEqual([2, 3]);
  });

  test("fails where its end carries an errno", () => {
    const kernel = new ScriptedKernel();
    kernel.answer = ({ sequence }) => [data(sequence, 2), doneReply(sequence, ENODEV)];
    const requester = requesterOf(kernel);
    expect(() => valuesOf(requester)).toThrow("asking: no such device");
    expect(requester.busy).toBe(false);
  });

  test("that the kernel calls interrupted fails after its last message", () => {
    const kernel = new ScriptedKernel();
    for (const mark of ["message", "end"]) {
      kernel.answer = ({ sequence }) => [
        data(sequence, 2),
        message(FAMILY, mark === "message" ? NLM_F_DUMP_INTR : 0, sequence, new Uint8Array(4)),
        doneReply(sequence, 0, mark === "end" ? NLM_F_DUMP_INTR : 0),
      ];
      const requester = requesterOf(kernel);
      let seen = 0;
      const ask = (): void => {
        for (const _ of requester.dump(REQUEST)) seen++;
      };
      expect(ask).toThrow("asking: what was dumped changed meanwhile");
      expect(seen).toBe(2);
      expect(requester.busy).toBe(false);
    }
  });

  test("fails where it is refused, and is over then", () => {
    const kernel = new ScriptedKernel();
    kernel.answer = ({ sequence }) => [errorReply(sequence, ENODEV)];
    const requester = requesterOf(kernel);
    expect(() => valuesOf(requester)).toThrow("asking: no such device");
    expect(requester.busy).toBe(false);
  });

  test("is whole where its end says nothing", () => {
    const kernel = new ScriptedKernel();
    const requester = requesterOf(kernel);
    kernel.answer = ({ sequence }) => [data(sequence, 2), doneReply(sequence)];
    expect(valuesOf(requester)).toEqual([2]);
    // In the place of what was read before.
    kernel.answer = ({ sequence }) => [message(NLMSG_DONE, 0, sequence, new Uint8Array(0))];
    expect(valuesOf(requester)).toEqual([]);
  });

  test("that was left in its middle leaves no socket for the next one", () => {
    const kernels: ScriptedKernel[] = [];
    using pool = new SocketPool((protocol) => {
      const kernel = new ScriptedKernel();
      kernel.answer = ({ sequence }) => [data(sequence, 2), data(sequence, 3), doneReply(sequence)];
      kernels.push(kernel);
      return new NetlinkSocket(protocol, { calls: kernel });
    });
    pool.with(NETLINK_GENERIC, (requester) => {
      for (const _ of requester.dump(REQUEST)) break;
    });
    expect(kernels.map(({ closes }) => closes)).toEqual([1]);
    pool.with(NETLINK_GENERIC, (requester) => expect(valuesOf(requester)).toEqual([2, 3]));
    pool.with(NETLINK_GENERIC, (requester) => expect(valuesOf(requester)).toEqual([2, 3]));
    expect(kernels.map(({ closes }) => closes)).toEqual([1, 0]);
  });
});
