import { expect, test } from "bun:test";
import { Batch } from "../../src/netlink/batch.ts";

const HEADER_WORDS = 4;

/** A message of so many words, all of them `word` behind its header. */
function messageOf(words: number, word: number): Int32Array {
  const message = new Int32Array(words).fill(word, HEADER_WORDS);
  message[0] = words * 4;
  message[1] = 0x0001_0020;
  return message;
}

function sent(batch: Batch): number[][] {
  const all: number[][] = [];
  for (let i = 0; i < batch.count; i++) {
    const [start = 0, end = 0] = batch.starts.subarray(i, i + 2);
    all.push([batch.tags[i] ?? 0, ...batch.memory.i32.subarray(start >> 2, end >> 2)]);
  }
  return all;
}

function put(batch: Batch, message: Int32Array, count: number, firstTag: number): number {
  const laid = batch.layCopies(message, count);
  batch.commitCopies(laid, message.length * 4, firstTag);
  return laid;
}

test("copies lie behind what the batch holds, as many as there is room for", () => {
  const batch = new Batch(6, 4096);
  batch.begin(0x20, 1);
  expect(batch.commit(1)).toBe(true);
  expect(put(batch, messageOf(6, 7), 100, 2)).toBe(5);
  expect(batch.full).toBe(true);
  const copy = [24, 0x0001_0020, 0, 0, 7, 7];
  expect(sent(batch).slice(1)).toEqual([2, 3, 4, 5, 6].map((tag) => [tag, ...copy]));
  const small = new Batch(1000, 4096);
  expect(put(small, messageOf(300, 7), 100, 1)).toBe(3);
});

test("copies of another message, or behind another one, are laid anew", () => {
  const batch = new Batch(40, 4096);
  const seven = messageOf(6, 7);
  const eight = messageOf(7, 8);
  for (const [message, before] of [
    [seven, 0],
    [eight, 0],
    [seven, 0],
    [seven, 1],
    [seven, 2],
    [eight, 3],
  ] as const) {
    batch.clear();
    for (let tag = 1; tag <= before; tag++) {
      batch.begin(0x20, 1);
      expect(batch.commit(tag)).toBe(true);
    }
    expect(put(batch, message, 20, before + 1)).toBe(20);
    expect(put(batch, message, 10, before + 21)).toBe(10);
    expect(sent(batch).slice(before)).toEqual(
      Array.from({ length: 30 }, (_, i) => [before + 1 + i, ...message]),
    );
  }
});

test("flags that were added to a copy are gone when it is used again, what was changed in it is not", () => {
  const batch = new Batch(8, 4096);
  const message = messageOf(6, 7);
  put(batch, message, 8, 1);
  batch.memory.i32[1] = 0x0005_0020;
  batch.memory.i32[5] = 9;
  batch.clear();
  put(batch, message, 8, 1);
  expect(sent(batch)[0]).toEqual([1, 24, 0x0001_0020, 0, 0, 7, 9]);
});

test("a batch over memory of the caller's begins where its messages lie", () => {
  const { memory } = new Batch(4, 4096);
  memory.i32.set(messageOf(6, 7), 10);
  memory.i32.set(messageOf(5, 8), 16);
  const batch = new Batch(4, memory);
  batch.restart(40);
  expect(batch.commitReady(44, 1)).toBe(2);
  expect(sent(batch).map((words) => words.length - 1)).toEqual([6, 5]);
});
