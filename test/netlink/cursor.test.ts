import { expect, test } from "bun:test";
import { Cursor } from "../../src/netlink/cursor.ts";

/** Gives one object, set to 1 to `count`; knows how often it was closed. */
class Counter {
  readonly given = { value: 0 };
  closed = 0;
  readonly cursor: Cursor<{ value: number }>;

  constructor(count: number, failAt = -1) {
    this.cursor = new Cursor(
      () => {
        if (++this.given.value === failAt) throw new Error("no more");
        return this.given.value <= count ? this.given : undefined;
      },
      () => this.closed++,
    );
  }
}

test("gives what is there, closes once, and gives nothing after that", () => {
  const counter = new Counter(3);
  const seen: number[] = [];
  for (const { value } of counter.cursor) seen.push(value);
  expect([seen, counter.closed]).toEqual([[1, 2, 3], 1]);
  expect([...counter.cursor]).toEqual([]);
  expect([counter.given.value, counter.closed]).toEqual([4, 1]);
});

test("does nothing before it is asked", () => {
  expect(new Counter(3).given.value).toBe(0);
});

test("a loop that is left closes it", () => {
  const counter = new Counter(3);
  for (const { value } of counter.cursor) if (value === 2) break;
  expect([counter.closed, counter.cursor.take(), counter.given.value]).toEqual([1, undefined, 2]);
});

test("an error closes it, and ends it", () => {
  const counter = new Counter(3, 2);
  expect(() => [...counter.cursor]).toThrow("no more");
  expect([counter.closed, counter.cursor.take()]).toEqual([1, undefined]);
});

test("gives the result of a step again where the value is the same object", () => {
  const { cursor } = new Counter(3);
  expect(cursor.next()).toBe(cursor.next());
  const values = [{ value: 1 }, { value: 2 }];
  const others = new Cursor(() => values.shift());
  expect([others.next(), others.next()].map((step) => step.value?.value)).toEqual([1, 2]);
});
