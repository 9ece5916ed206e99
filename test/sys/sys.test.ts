import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { uptime } from "node:os";
import { monotonicMs } from "../../src/sys/clock.ts";
import { EAGAIN, EBADF, errnoName, errnoNumber, errnoText } from "../../src/sys/errno.ts";
import { assert, SystemCallError } from "../../src/sys/errors.ts";
import * as libc from "../../src/sys/libc.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { EndingSignals } from "../../src/sys/signals.ts";
import { MessageVector } from "../../src/sys/vectors.ts";

describe("libc", () => {
  test("a failed call gives the errno negated", () => {
    const memory = new PinnedMemory(64);
    expect(libc.close(-1)).toBe(-EBADF);
    expect(libc.send(-1, memory.address, 4, 0)).toBe(-EBADF);
    expect(libc.poll(memory.address, 0, 0)).toBe(0);
  });

  test("arguments are what the kernel will see, or an assertion", () => {
    expect(() => libc.close(1.5)).toThrow("file descriptor");
    expect(() => libc.send(1, 0, 4, 0)).toThrow("not an address");
    expect(() => libc.writev(1, 4096, -1)).toThrow("writev arguments");
  });

  test("max_iovs is what POSIX promises at least", () => {
    expect(libc.iovMax()).toBeGreaterThanOrEqual(16);
  });

  test.each([
    ["/dev/ptmx", true],
    ["/dev/null", false],
    [import.meta.path, false],
  ])("%s is a terminal: %p", (path, terminal) => {
    const fd = openSync(path, "r");
    expect(libc.isatty(fd)).toBe(terminal);
    closeSync(fd);
    expect(libc.isatty(fd)).toBe(false);
  });
});

test("the monotonic clock is the kernel's: it began before this process, and goes as others do", async () => {
  const before = [monotonicMs(), performance.now()] as const;
  await Bun.sleep(50);
  const elapsed = performance.now() - before[1];
  const told = monotonicMs() - before[0];
  expect(told).toBeGreaterThan(elapsed - 2);
  expect(told).toBeLessThan(elapsed + 5_000);
  // Since boot, but for the time asleep.
  expect(monotonicMs()).toBeLessThanOrEqual(uptime() * 1000 + 1000);
  expect(monotonicMs()).toBeGreaterThan(performance.now());
});

describe("PinnedMemory", () => {
  test("stays where it is, and its address is that of its bytes", () => {
    const memory = new PinnedMemory(10);
    expect(memory.size % 8).toBe(0);
    const before = memory.address;
    for (let i = 0; i < 200; i++) new Uint8Array(1 << 16).fill(i);
    Bun.gc(true);
    memory.u32[0] = 0x01020304;
    expect([...memory.u8.subarray(0, 4)]).toEqual([4, 3, 2, 1]);
    expect(memory.address).toBe(before);
  });

  test("threads share one address", () => {
    const shared = new SharedArrayBuffer(4096);
    expect(new PinnedMemory(shared).address).toBe(new PinnedMemory(shared).address);
  });
});

test("errno has names and words", () => {
  expect([errnoName(EAGAIN), errnoText(EAGAIN)]).toEqual([
    "EAGAIN",
    "resource temporarily unavailable",
  ]);
  expect([errnoNumber("ENOENT"), errnoNumber("ENOTHING"), errnoName(4711)]).toEqual([
    2,
    undefined,
    "errno 4711",
  ]);
  const error = new SystemCallError("send", 1, "asking");
  expect([error.code, error.message]).toEqual(["EPERM", "asking: send: operation not permitted"]);
  expect(() => assert(false, "never")).toThrow("never");
});

test("the first ending signal aborts, and afterwards all is as before", async () => {
  const listeners = process.listenerCount("SIGHUP");
  {
    using signals = new EndingSignals();
    process.kill(process.pid, "SIGHUP");
    await Bun.sleep(20);
    expect([signals.signal.aborted, signals.signal.reason]).toEqual([true, "SIGHUP"]);
  }
  expect(process.listenerCount("SIGHUP")).toBe(listeners);
});

test("a message vector bounds its indices", () => {
  const vector = new MessageVector(2);
  expect(() => vector.set(2, 4096, 1)).toThrow("message index");
  expect(() => new MessageVector(2000)).toThrow("capacity");
});
