/** What the library pins in a simulation: it does not grow with what is done, and nothing is left of it. */
import { afterAll, expect, test } from "bun:test";
import { limit } from "../runner/limit.ts";
import { OPERATIONS } from "./operations.ts";
import { planOf, runStep } from "./run-seed.ts";
import { World } from "./world.ts";

const MEMORY_FILE = "sys/memory.ts";
const OWN = globalThis.ArrayBuffer;
const pinned = new Map<WeakRef<ArrayBuffer>, number>();

globalThis.ArrayBuffer = new Proxy(OWN, {
  construct(target, args: unknown[], newTarget): ArrayBuffer {
    const made: ArrayBuffer = Reflect.construct(target, args, newTarget);
    if (new Error().stack?.includes(MEMORY_FILE) === true) {
      pinned.set(new WeakRef(made), made.byteLength);
    }
    return made;
  },
});
afterAll(() => {
  globalThis.ArrayBuffer = OWN;
});

const STEPS = 20;
/** Sockets, arenas and receivers of everything that a program does at a time; twice, for what is not collected yet. */
const BYTES_MOST = 40 << 20;
/** What the collector may leave for later. */
const SLACK = 2 << 20;
const LOOKS = 20;

/** Bytes that are pinned now. */
async function pinnedBytes(): Promise<number> {
  // A WeakRef holds what it was asked for until the end of the task.
  for (let i = 0; i < 3; i++) {
    await Bun.sleep(0);
    Bun.gc(true);
  }
  let bytes = 0;
  for (const [ref, size] of pinned) {
    if (ref.deref() === undefined) pinned.delete(ref);
    else bytes += size;
  }
  return bytes;
}

/** As {@link pinnedBytes}, once they are below a bound: the collector may see an address on the stack for a while. */
async function pinnedAtLast(bound: number): Promise<number> {
  let bytes = await pinnedBytes();
  for (let i = 0; i < LOOKS && bytes >= bound; i++) {
    await Bun.sleep(10);
    bytes = await pinnedBytes();
  }
  return bytes;
}

/** Does many things in one world. @returns the most bytes that were pinned behind one of them */
async function doMuch(seed: number): Promise<number> {
  const world = new World(seed);
  let most = 0;
  try {
    for (let i = 0; i < STEPS; i++) {
      const [step] = planOf(seed * STEPS + i).steps;
      if (step !== undefined) await runStep(world, step);
      most = Math.max(most, await pinnedBytes());
    }
    world.restart();
  } finally {
    world.dp.close();
  }
  return most;
}

test(
  "what is pinned stays below a bound that no number of steps moves, and is given back",
  async () => {
    // What modules keep for good is made first.
    for (const { name } of OPERATIONS) {
      const world = new World(1);
      await runStep(world, { operation: name, seed: 3, faults: [] });
      world.dp.close();
    }
    const before = await pinnedBytes();
    expect(before).toBeGreaterThan(0);
    for (const seed of [1, 2]) {
      expect(await doMuch(seed)).toBeLessThan(before + BYTES_MOST);
      expect(await pinnedAtLast(before + SLACK)).toBeLessThan(before + SLACK);
    }
  },
  limit(120),
);
