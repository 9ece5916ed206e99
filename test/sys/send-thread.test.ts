import { expect, setDefaultTimeout, test } from "bun:test";
import { EBADF } from "../../src/sys/errno.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { SendThread } from "../../src/sys/send-thread.ts";
import { limit } from "../runner/limit.ts";

setDefaultTimeout(limit(60));

const SLOW = new URL("slow-thread.ts", import.meta.url);
const THROWING = new URL("throwing-thread.ts", import.meta.url);

const memory = new PinnedMemory(4096);

/** A call that the kernel refuses at once. */
function begin(thread: SendThread): void {
  thread.begin(-1, memory.address, 1, memory.address, 1, [memory]);
}

async function started(thread: SendThread): Promise<void> {
  while (!thread.ready) await Bun.sleep(1);
}

/** Keeps a CPU busy until `stop` is not 0. */
const BUSY = `self.onmessage = ({ data }) => {
  const stop = new Int32Array(data);
  for (let i = 0; Atomics.load(stop, 0) === 0; i++) Math.sqrt(i);
};`;

test("no wait ends before its call is made, with every CPU busy", async () => {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const script = URL.createObjectURL(new Blob([BUSY], { type: "application/javascript" }));
  const busy = Array.from({ length: 2 }, () => new Worker(script));
  for (const worker of busy) worker.postMessage(stop.buffer, []);
  using thread = new SendThread();
  await started(thread);
  const ends = new Set<string>();
  const until = performance.now() + 4000;
  for (let call = 0; call < 100_000 && performance.now() < until; call++) {
    begin(thread);
    ends.add(`${thread.wait()} ${thread.sent}`);
  }
  Atomics.store(stop, 0, 1);
  for (const worker of busy) worker.terminate();
  expect([...ends]).toEqual([`made ${-EBADF}`]);
});

test("a thread that does not answer in time is late, and ends after its call", async () => {
  const thread = new SendThread({ waitMs: 20, script: SLOW });
  await started(thread);
  begin(thread);
  expect(thread.wait()).toBe("late");
  expect(thread.sent).toBe(0);
  const ended = Promise.withResolvers<number>();
  thread.end(() => ended.resolve(thread.sent));
  // Nothing was freed before the call was over.
  expect(await ended.promise).toBe(-7);
});

test("a thread that is late gets no other call, and what it reads stays until it has ended", async () => {
  const thread = new SendThread({ waitMs: 20, script: SLOW });
  await started(thread);
  const owner = (() => {
    const own = new PinnedMemory(4096);
    thread.begin(-1, own.address, 1, own.address, 1, [own]);
    return new WeakRef(own);
  })();
  expect(thread.wait()).toBe("late");
  expect(() => begin(thread)).toThrow("one call at a time");
  for (let i = 0; i < 10; i++) {
    Bun.gc(true);
    await Bun.sleep(1);
  }
  expect(owner.deref()).toBeDefined();
  const ended = Promise.withResolvers<void>();
  thread.end(() => ended.resolve());
  await ended.promise;
});

test("a thread that throws has failed, and is ended at once", async () => {
  const thread = new SendThread({ script: THROWING });
  await started(thread);
  begin(thread);
  expect(thread.wait()).toBe("failed");
  expect(thread.ready).toBe(false);
  let ended = 0;
  thread.end(() => ended++);
  expect(ended).toBe(1);
  await Bun.sleep(50);
  expect(ended).toBe(1);
});

test("a thread that was never given a call, or did not start, is ended at once", async () => {
  let ended = 0;
  new SendThread().end(() => ended++);
  const thread = new SendThread();
  await started(thread);
  thread.end(() => ended++);
  expect(ended).toBe(2);
});

test("a thread that cannot start says why, is never ready, and is ended at once", async () => {
  const thread = new SendThread({ script: new URL("nowhere.ts", import.meta.url) });
  expect(thread.startFailure).toBeUndefined();
  while (thread.startFailure === undefined) await Bun.sleep(1);
  expect(thread.startFailure).toContain("nowhere.ts");
  expect(thread.ready).toBe(false);
  let ended = 0;
  thread.end(() => ended++);
  expect(ended).toBe(1);
});
