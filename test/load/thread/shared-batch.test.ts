import { expect, test } from "bun:test";
import { NLM_F_REQUEST, NLMSG_NOOP } from "../../../src/uapi/netlink.ts";
import { shareSlot, Slot } from "../../../src/load/thread/shared-batch.ts";

test("a slot carries messages and notes from one side to the other, in turns", () => {
  const shared = shareSlot(4, 4096);
  const filler = new Slot(shared);
  const sender = new Slot(shared);
  expect(sender.waitFull(0)).toBe(false);
  expect(filler.waitEmpty(0)).toBe(true);
  filler.batch.begin(NLMSG_NOOP, NLM_F_REQUEST);
  filler.batch.writer.u32(1, 42);
  filler.batch.commit(7);
  const refusal = {
    line: 8,
    column: 2,
    code: "FLOW_SYNTAX",
    reason: "no ☕",
    text: "x".repeat(9000),
  };
  filler.note({ kind: "refused", refusal });
  filler.note({ kind: "end", error: null });
  // More lines than a word of 32 bits counts.
  filler.handOver(3e9, 5000);
  expect(filler.waitEmpty(0)).toBe(false);
  expect(sender.waitFull(0)).toBe(true);
  expect([sender.batch.count, sender.batch.tags[0], sender.line]).toEqual([1, 7, 3e9]);
  expect(sender.bytesRead).toBe(5000);
  expect(sender.batch.memory.u32[5]).toBe(42);
  expect(sender.notes()).toEqual([
    { kind: "refused", refusal: { ...refusal, text: "" } },
    { kind: "end", error: null },
  ]);
  sender.giveBack();
  expect(filler.waitEmpty(0)).toBe(true);
});

test("says when its notes are nearly full", () => {
  const slot = new Slot(shareSlot(1, 4096));
  const refusal = {
    line: 1,
    column: 1,
    code: "X",
    reason: "y".repeat(1000),
    text: "z".repeat(500),
  };
  let notes = 0;
  while (!slot.notesFull) {
    slot.note({ kind: "refused", refusal });
    notes++;
  }
  expect(notes).toBeGreaterThan(20);
  slot.note({ kind: "end", error: "e".repeat(1500) });
});
