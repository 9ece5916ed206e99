import { expect, test } from "bun:test";
import { NLM_F_REQUEST, NLMSG_NOOP } from "../../../src/uapi/netlink.ts";
import { REFUSALS_MAX, shareBatch, SharedBatch } from "../../../src/load/thread/shared-batch.ts";

test("a shared batch carries messages and notes from one side to the other, in turns", () => {
  const shared = shareBatch(4, 4096);
  const filler = new SharedBatch(shared);
  const sender = new SharedBatch(shared);
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
  } as const;
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

test("has room for the longest refusals that may wait, and for what is said at the end", () => {
  const batch = new SharedBatch(shareBatch(1, 4096));
  const reason = "y".repeat(1000);
  const refusal = {
    line: 1,
    column: 1,
    code: "FLOW_VALUE",
    reason,
    text: "z".repeat(9000),
  } as const;
  for (let i = 0; i < REFUSALS_MAX; i++) batch.note({ kind: "refused", refusal });
  const members = Array.from({ length: 16 }, () => "m".repeat(60));
  batch.note({ kind: "lines", notes: { completed: 1, passedOver: { headers: 1, members } } });
  batch.note({ kind: "end", error: "e".repeat(1500) });
});
