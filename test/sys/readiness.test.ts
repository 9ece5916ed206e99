import { join } from "node:path";
import { afterEach, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { Readiness } from "../../src/sys/readiness.ts";
import { NETLINK_ROUTE, NLM_F_ACK, NLM_F_REQUEST, NLMSG_NOOP } from "../../src/uapi/netlink.ts";
import { limit } from "../runner/limit.ts";

const open: NetlinkSocket[] = [];

function newSocket(): NetlinkSocket {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  open.push(socket);
  return socket;
}

afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

const request = new PinnedMemory(16);

/** The kernel acknowledges a message of no kind at once: then the socket is readable. */
function makeReadable(socket: NetlinkSocket): void {
  request.u32[0] = 16;
  request.u16[2] = NLMSG_NOOP;
  request.u16[3] = NLM_F_REQUEST | NLM_F_ACK;
  expect(socket.send(request.address, 16)).toBe(16);
}

function drain(socket: NetlinkSocket): void {
  const memory = new PinnedMemory(64 + 16 + 256);
  // struct mmsghdr with one iovec behind it.
  memory.view.setBigUint64(16, BigInt(memory.address + 64), true);
  memory.view.setBigUint64(24, 1n, true);
  memory.view.setBigUint64(64, BigInt(memory.address + 80), true);
  memory.view.setBigUint64(72, 256n, true);
  while (socket.recvmmsg(memory.address, 1, 0x40) > 0);
}

describe("Readiness", () => {
  test("wakes up for what is there already, and for what comes later", async () => {
    const socket = newSocket();
    using readiness = new Readiness();
    readiness.add(socket.fd);
    makeReadable(socket);
    expect(await readiness.wait({ timeoutMs: limit(10) })).toBe(true);
    drain(socket);
    const waiting = readiness.wait({ timeoutMs: limit(10) });
    setTimeout(() => makeReadable(socket), 20);
    expect(await waiting).toBe(true);
  });

  test("wakes up for any of several sockets, one added in mid-wait among them", async () => {
    const [first, second] = [newSocket(), newSocket()];
    using readiness = new Readiness();
    readiness.add(first.fd);
    const early = readiness.wait({ timeoutMs: limit(10) });
    readiness.add(second.fd);
    // It may wake up early, to take the new one in.
    await early;
    makeReadable(second);
    expect(await readiness.wait({ timeoutMs: limit(10) })).toBe(true);
    expect(readiness.waitSync(0)).toBe(true);
  });

  test("gives up when the time is up, at once for no time at all", async () => {
    using readiness = new Readiness();
    readiness.add(newSocket().fd);
    const startedAt = performance.now();
    expect(await readiness.wait({ timeoutMs: 50 })).toBe(false);
    const elapsed = performance.now() - startedAt;
    expect(elapsed).toBeGreaterThan(45);
    expect(elapsed).toBeLessThan(limit(10));
    expect(await readiness.wait({ timeoutMs: 0 })).toBe(false);
    expect(readiness.waitSync(0)).toBe(false);
  });

  test("throws the reason of a signal, aborted before or meanwhile", async () => {
    using readiness = new Readiness();
    readiness.add(newSocket().fd);
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 10);
    expect(readiness.wait({ signal: controller.signal })).rejects.toThrow("enough");
    await Bun.sleep(30);
    expect(readiness.wait({ signal: controller.signal })).rejects.toThrow("enough");
  });

  test("a wait ends when it is closed, and two waits at a time are a defect", async () => {
    const readiness = new Readiness();
    readiness.add(newSocket().fd);
    const waiting = readiness.wait();
    expect(readiness.wait()).rejects.toThrow("one wait at a time");
    readiness[Symbol.dispose]();
    expect(await waiting).toBe(false);
    expect(await readiness.wait()).toBe(false);
  });

  test("a descriptor's number used again is another descriptor", async () => {
    for (let i = 0; i < 20; i++) {
      const socket = newSocket();
      using readiness = new Readiness();
      readiness.add(socket.fd);
      expect(await readiness.wait({ timeoutMs: 1 })).toBe(false);
      readiness.remove(socket.fd);
      socket.close();
    }
    const socket = newSocket();
    using readiness = new Readiness();
    readiness.add(socket.fd);
    makeReadable(socket);
    expect(await readiness.wait({ timeoutMs: limit(10) })).toBe(true);
  });

  test("waits cost no descriptor each", async () => {
    using warm = new Readiness();
    const socket = newSocket();
    warm.add(socket.fd);
    await warm.wait({ timeoutMs: 1 });
    const before = readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 50; i++) await warm.wait({ timeoutMs: 0 });
    expect(readdirSync("/proc/self/fd").length).toBe(before);
  });

  test("does not keep the process alive when nobody waits", () => {
    const script =
      `import { NetlinkSocket } from "${import.meta.dir}/../../src/netlink/socket.ts";` +
      `import { Readiness } from "${import.meta.dir}/../../src/sys/readiness.ts";` +
      `const socket = new NetlinkSocket(0), readiness = new Readiness();` +
      `readiness.add(socket.fd); console.log(await readiness.wait({ timeoutMs: 5 }));`;
    const child = Bun.spawnSync([process.execPath, "-e", script], { timeout: limit(20) });
    expect([child.exitCode, child.stdout.toString().trim()]).toEqual([0, "false"]);
  });
});

test("who waits without a limit is told when nothing can be watched any more", () => {
  // In a process of its own: its watch is broken for good.
  const script = `
    import { closeSync, readdirSync, readlinkSync, writeSync } from "node:fs";
    import { Readiness } from "${join(import.meta.dir, "../../src/sys/readiness.ts")}";
    const polls = () => readdirSync("/proc/self/fd").filter((fd) => {
      try { return readlinkSync("/proc/self/fd/" + fd).includes("eventpoll"); } catch { return false; }
    });
    const before = new Set(polls());
    const [one, other] = [new Readiness(), new Readiness()];
    one.add(8); other.add(9);
    const first = one.wait().catch(() => undefined);
    const second = other.wait().catch((error) => console.log(error.code, error.call));
    await Bun.sleep(50);
    for (const fd of polls()) if (!before.has(fd)) closeSync(Number(fd));
    writeSync(8, "x");
    await first;
    await second;
    process.exit(0);`;
  const shell = `cd "$(mktemp -d)" && mkfifo a b && exec 8<>a 9<>b && rm -r "$PWD" && cd / && exec "$1" -e "$2"`;
  const words = ["bash", "-c", shell, "bash", process.execPath, script];
  const { stdout, stderr } = Bun.spawnSync(words, { stdin: "ignore", timeout: limit(4) });
  expect([stderr.toString(), stdout.toString()]).toEqual(["", "EBADF epoll_wait\n"]);
});
