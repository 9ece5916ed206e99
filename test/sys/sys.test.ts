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
import { limit } from "../runner/limit.ts";

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
    while (!signals.signal.aborted) await Bun.sleep(1);
    expect([signals.signal.aborted, signals.signal.reason]).toEqual([true, "SIGHUP"]);
  }
  expect(process.listenerCount("SIGHUP")).toBe(listeners);
});

test.each([
  ["the same signal twice at once is one wish", ["SIGTERM", "SIGTERM"], "report", 4],
  ["another signal ends the process at once", ["SIGTERM", "SIGINT"], "", 130],
] as const)("%s", async (_, sent, said, status) => {
  const program = `
    import { EndingSignals } from "${import.meta.dir}/../../src/sys/signals.ts";
    using signals = new EndingSignals();
    console.log("ready");
    while (!signals.signal.aborted) await Bun.sleep(1);
    await Bun.sleep(${limit(0.7)});
    console.log("report");
    process.exitCode = 4;`;
  const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe" });
  const reader = child.stdout.getReader();
  const first = await reader.read();
  expect(new TextDecoder().decode(first.value).trim()).toBe("ready");
  for (const name of sent) {
    child.kill(name);
    // Two that are pending at the same time may come as one, or in the order of their numbers.
    await Bun.sleep(50);
  }
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    rest += new TextDecoder().decode(part.value);
  }
  expect([rest.trim(), await child.exited]).toEqual([said, status]);
});

test.each([50_000, 300_000, 1_500_000])(
  "with %p KiB of address space there is one error, and no trace",
  (kibibytes) => {
    const launcher = `${import.meta.dir}/../../src/cli/millrace`;
    const script = `ulimit -v ${kibibytes}; exec "$0" --version`;
    const { exitCode, stderr } = Bun.spawnSync(["sh", "-c", script, launcher], { stderr: "pipe" });
    const said = `millrace: the limit of address space is ${kibibytes} KiB (ulimit -v); Bun needs 2621440 at least\n`;
    expect([stderr.toString(), exitCode]).toEqual([said, 5]);
  },
);

test("a message vector bounds its indices", () => {
  const vector = new MessageVector(2);
  expect(() => vector.set(2, 4096, 1)).toThrow("message index");
  expect(() => new MessageVector(2000)).toThrow("capacity");
});
