import { expect, test } from "bun:test";
import { SenderTrial } from "../../../src/load/send/sender-trial.ts";

/** Runs a trial in which a batch takes what `cost` says. @returns batches until it has chosen */
function runTrial(trial: SenderTrial, cost: (by: 1 | 2, batch: number) => number): number {
  let batches = 0;
  for (; trial.chosen === undefined; batches++) {
    expect(batches).toBeLessThan(100);
    trial.record(trial.next, cost(trial.next, batches));
  }
  return batches;
}

test("two are chosen where they are clearly faster, whatever single batches took", () => {
  const trial = new SenderTrial("auto");
  // The start is slow, and so is the first batch after a change.
  runTrial(trial, (by, batch) => (batch < 3 || batch % 4 === 3 ? 50 : by === 2 ? 6 : 10));
  expect(trial.chosen).toBe(2);
  expect(trial.next).toBe(2);
});

test("one stays where two are hardly faster", () => {
  const trial = new SenderTrial("auto");
  runTrial(trial, (by) => (by === 2 ? 9.8 : 10));
  expect(trial.chosen).toBe(1);
});

test("one stays where the order of flows never lets two send", () => {
  const trial = new SenderTrial("auto");
  while (trial.chosen === undefined) trial.record(1, trial.next === 2 ? 1 : 10);
  expect(trial.chosen).toBe(1);
});

test("the first batches are sent by one", () => {
  const trial = new SenderTrial("auto");
  for (let batch = 0; batch < 3; batch++) {
    expect(trial.next).toBe(1);
    trial.record(1, 10);
  }
});

test("what is given is not tried", () => {
  expect(new SenderTrial(1).next).toBe(1);
  expect(new SenderTrial(2).next).toBe(2);
});

test("two are said to send where they are chosen and really did", () => {
  const asked = new SenderTrial(2);
  asked.sent(1);
  expect(asked.senders).toBe(1);
  asked.sent(2);
  expect(asked.senders).toBe(2);
  // Two sockets that were only tried do not count as senders.
  const tried = new SenderTrial("auto");
  tried.sent(2);
  expect(tried.senders).toBe(1);
});

test("a trial that means nothing ends with one, and leaves alone what was asked for", () => {
  const [auto, two] = [new SenderTrial("auto"), new SenderTrial(2)];
  auto.giveUp();
  two.giveUp();
  expect([auto.chosen, two.chosen]).toEqual([1, 2]);
});
