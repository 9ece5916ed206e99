import { expect, test } from "bun:test";
import { type Cut, type CutLimits, Tuner } from "../../src/load/tuner.ts";

const UNLIMITED: CutLimits = {
  messages: 4096,
  messagesPerDatagram: Infinity,
  datagramsPerCall: 1024,
};

/** The cuts that are tried, until one is chosen; each takes as long as `cost` says, a flow. */
function tried(
  tuner: Tuner,
  cost: (cut: Cut, batch: number) => number = () => 1,
  really: (cut: Cut) => Cut = (cut) => cut,
): Cut[] {
  const cuts: Cut[] = [];
  for (; tuner.chosen === undefined; cuts.push(tuner.next)) {
    expect(cuts.length).toBeLessThan(100);
    const cut = tuner.next;
    const messages = cut.messagesPerDatagram * cut.datagramsPerCall;
    tuner.record(messages, really(cut), messages * cost(cut, cuts.length));
  }
  return cuts;
}

function shown(cuts: readonly Cut[]): string[] {
  return [...new Set(cuts.map((cut) => `${cut.messagesPerDatagram} x ${cut.datagramsPerCall}`))];
}

test("finds the cut that takes the least, whatever the first round cost", () => {
  const tuner = new Tuner(UNLIMITED);
  const isBest = (cut: Cut): boolean =>
    cut.messagesPerDatagram === 512 && cut.datagramsPerCall === 2;
  const cuts = tried(tuner, (cut, batch) => {
    // The best one is the worst while the kernel is cold, and once by chance.
    const cold = batch < 8 || batch === 19;
    return (isBest(cut) && !cold ? 2 : 3) * (cold ? 10 : 1);
  });
  expect(tuner.chosen).toMatchObject({ messagesPerDatagram: 512, datagramsPerCall: 2 });
  expect(tuner.chosen?.microsecondsPerFlow).toBeCloseTo(2);
  expect(isBest(tuner.next)).toBe(true);
  expect(cuts.length).toBe(40);
});

test("keeps within a small receive buffer, and tries nothing twice", () => {
  const cuts = tried(new Tuner({ ...UNLIMITED, messages: 100 }));
  expect(shown(cuts)).toEqual(["100 x 1", "16 x 6"]);
  expect(cuts.length).toBe(10);
  expect(shown(tried(new Tuner({ ...UNLIMITED, messages: 1 })))).toEqual(["1 x 1"]);
});

test("a datagram that is a system call of its own is tried as one, within the iovecs there are", () => {
  const send = { ...UNLIMITED, datagramsPerCall: 1 };
  const sizes = ["16 x 1", "128 x 1", "256 x 1", "512 x 1", "1024 x 1", "2048 x 1"];
  expect(shown(tried(new Tuner(send))).toSorted()).toEqual(sizes.toSorted());
  const writev = new Tuner({ ...send, messagesPerDatagram: 1024 });
  expect(shown(tried(writev)).toSorted()).toEqual(sizes.slice(0, -1).toSorted());
});

test("says how batches were really cut, and goes on as it was asked to", () => {
  const tuner = new Tuner(UNLIMITED);
  const cost = (cut: Cut): number => (cut.messagesPerDatagram === 2048 ? 1 : 2);
  // A limit of bytes leaves 1365 of 2048 flows a datagram.
  const really = ({ messagesPerDatagram, datagramsPerCall }: Cut): Cut =>
    messagesPerDatagram === 2048
      ? { messagesPerDatagram: 1365, datagramsPerCall: 3 }
      : { messagesPerDatagram, datagramsPerCall };
  tried(tuner, cost, really);
  expect(tuner.chosen).toMatchObject({ messagesPerDatagram: 1365, datagramsPerCall: 3 });
  expect(tuner.next).toEqual({ messagesPerDatagram: 2048, datagramsPerCall: 2 });
  // A batch that the input left short says less about the cut than a full one.
  const slow = new Tuner({ ...UNLIMITED, messages: 1 });
  for (let batch = 0; slow.chosen === undefined; batch++) {
    const messages = batch === 4 ? 1 : 7;
    slow.record(messages, { messagesPerDatagram: messages, datagramsPerCall: 1 }, 1);
  }
  expect(slow.chosen?.messagesPerDatagram).toBe(7);
});
