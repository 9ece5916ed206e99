/**
 * Every order of the steps of a hand-over. A run is a list of choices, replayed from the start. The
 * state of a side depends only on the values it received: runs in which both sides received the
 * same values, and the word is the same, continue alike, so only one of them is continued.
 */
import { describe, expect, test } from "bun:test";
import { type Steps, take, TIME_UP, Turn } from "../../src/sys/hand-over.ts";
import { checkEnd, type Choice, Run, type World, WORLDS } from "./hand-over-model.ts";

/** Every run of a world; `atEnd` is given each that cannot go on. @returns how many states there are */
function explore(world: World, atEnd: (run: Run) => void): number {
  const seen = new Set<string>();
  const open: Choice[][] = [[]];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const run = new Run(world);
    for (const choice of path) run.take(choice);
    if (seen.has(run.key)) continue;
    seen.add(run.key);
    const choices = run.choices();
    if (choices.length === 0) atEnd(run);
    for (const choice of choices) open.push([...path, choice]);
  }
  return seen.size;
}

const CALM: World = {
  calls: 2,
  waitsForLast: true,
  spurious: 0,
  timeUp: false,
  stops: false,
  fails: false,
};

describe("every order of the steps of a hand-over", () => {
  test("each call is made, and the caller told so, without any help of the clock", () => {
    let ends = 0;
    const states = explore(CALM, (run) => {
      ends++;
      expect([run.ends, run.made, run.freed]).toEqual([["made", "made"], 2, true]);
      expect(run.thread.ended).toBe(true);
    });
    expect(ends).toBeGreaterThan(0);
    expect(states).toBeGreaterThan(50);
  });

  test.each(WORLDS)("%j: nothing is freed too early, and what is said is so", (world) => {
    let ends = 0;
    explore(world, (run) => {
      ends++;
      checkEnd(world, run);
    });
    expect(ends).toBeGreaterThan(0);
  });
});

test("sleeps that end early have one limit of time together", () => {
  function* sleepOn(): Steps<boolean> {
    const longest = performance.now() + 5000;
    while (performance.now() < longest) {
      // The word is another one: it is woken up at once.
      if ((yield { do: "sleep", value: Turn.ordered }) === TIME_UP) return true;
    }
    return false;
  }
  expect(take(sleepOn(), new Int32Array(new SharedArrayBuffer(4)), 300)).toBe(true);
});
