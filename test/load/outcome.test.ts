import { expect, test } from "bun:test";
import fc from "fast-check";
import { Account } from "../../src/load/account.ts";
import { OutcomeTable } from "../../src/load/outcome-table.ts";
import { Batch } from "../../src/netlink/batch.ts";
import { NLM_F_REQUEST, NLMSG_NOOP } from "../../src/uapi/netlink.ts";
import { failedFlows, hasFailed, OUTCOME_STATES, outcomeOfLost } from "../../src/load/outcome.ts";

test("a table gives back what became of each flow, by number and by line", () => {
  const flow = fc.record({
    gap: fc.integer({ min: 1, max: 5 }),
    state: fc.constantFrom(...OUTCOME_STATES),
    errno: fc.integer({ min: 0, max: 133 }),
  });
  fc.assert(
    fc.property(fc.array(flow, { maxLength: 3000 }), (flows) => {
      const table = new OutcomeTable();
      let line = 0;
      const lines = flows.map(({ gap }) => (line += gap));
      for (const at of lines) table.add(at, "applied");
      flows.forEach(({ state, errno }, i) => table.set(lines[i] ?? 0, state, errno));
      expect(table.count).toBe(flows.length);
      flows.forEach(({ state, errno }, i) => {
        expect([table.stateOf(i), table.errnoOf(i), table.lineOf(i)]).toEqual([
          state,
          errno,
          lines[i] ?? 0,
        ]);
        expect(table.indexOfLine(lines[i] ?? 0)).toBe(i);
      });
      expect(table.indexOfLine(line + 1)).toBe(-1);
    }),
    { numRuns: 20 },
  );
});

test("a table finds flows whose lines do not go up", () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { maxLength: 300 }), (lines) => {
      const table = new OutcomeTable();
      for (const [i, line] of lines.entries()) {
        table.add(line, "applied");
        if (i % 7 === 0) table.set(line, "rejected", 17);
      }
      for (const [i, line] of lines.entries()) {
        expect(table.indexOfLine(line)).toBe(i);
        expect(table.stateOf(i)).toBe(i % 7 === 0 ? "rejected" : "applied");
      }
      expect(table.indexOfLine(501)).toBe(-1);
    }),
  );
});

test("an account counts every end once and keeps the first hundred exceptions", () => {
  const seen: number[] = [];
  const account = new Account(({ line }) => seen.push(line));
  account.applied(10);
  const words = { code: "FLOW_VALUE", reason: "why", text: "" } as const;
  const refused = Array.from({ length: 50 }, (_, i) => ({ ...words, column: 1, line: 3 * i + 3 }));
  account.take(new Batch(1, 64), refused);
  for (let line = 1; line <= 150; line++) {
    if (line % 3 > 0)
      account.exception(line, line % 3 === 1 ? "rejected" : "absent", 0, () => words);
  }
  account.tellRefusals();
  expect(account.counts).toMatchObject({ applied: 10, rejected: 50, refused: 50, unknown: 0 });
  expect(account.counts.reconciled).toEqual({ present: 0, absent: 50, contrary: 0 });
  expect(account.settled).toBe(160);
  expect(account.firstExceptions.length).toBe(100);
  expect(seen).toEqual(Array.from({ length: 150 }, (_, i) => i + 1));
});

test("a table has the flows of a batch and its refusals in the order of their lines", () => {
  const tags = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(tags, fc.integer({ min: 0, max: 40 }), (lines, refusedCount) => {
      const ascending = (some: readonly number[]): number[] => some.toSorted((a, b) => a - b);
      const refused = ascending(lines.slice(0, refusedCount));
      const sent = ascending(lines.slice(refusedCount));
      const batch = new Batch(64, 4096);
      for (const line of sent) {
        batch.begin(NLMSG_NOOP, NLM_F_REQUEST);
        batch.commit(line);
      }
      const table = new OutcomeTable();
      const words = { code: "FLOW_VALUE", reason: "why", text: "", column: 1 } as const;
      new Account(undefined, table).take(
        batch,
        refused.map((line) => ({ ...words, line })),
      );
      const told = Array.from({ length: table.count }, (_, i) => [
        table.lineOf(i),
        table.stateOf(i),
      ]);
      expect(told).toEqual(
        ascending(lines).map((line) => [line, refused.includes(line) ? "refused" : "applied"]),
      );
    }),
    { numRuns: 300 },
  );
});

test.each([
  ["put", "present"],
  ["add", "present"],
  ["modify", "present"],
  ["delete", "absent"],
] as const)(
  "a lost reply to %s is as asked where the flow is %s, and only there",
  (verb, wanted) => {
    const account = new Account();
    const words = { code: "LOST_REPLY", reason: "why", text: "" } as const;
    for (const [i, found] of (["present", "absent", "unknown"] as const).entries()) {
      const outcome = outcomeOfLost(verb, found);
      expect([found, outcome.state, hasFailed(outcome)]).toEqual([found, found, found !== wanted]);
      account.exception(i + 1, found, outcome.errno, () => words);
    }
    expect([account.settled, account.failures, failedFlows(account.counts)]).toEqual([3, 2, 2]);
    expect(account.counts.reconciled).toEqual({ present: 1, absent: 1, contrary: 1 });
  },
);

test("nobody's exceptions are not put into words", () => {
  const account = new Account();
  let described = 0;
  for (let line = 1; line <= 5000; line++) {
    account.exception(line, "rejected", 22, () => {
      described++;
      return { code: "EINVAL" as const, reason: "why", text: "" };
    });
  }
  expect([account.failures, account.firstExceptions.length, described]).toEqual([5000, 100, 100]);
});

test("a table keeps states, errnos and lines over its chunks, whatever the gaps", () => {
  const table = new OutcomeTable();
  const lineAt = (i: number): number => i + 1 + (i > 70_000 ? 5 : 0) + Math.floor(i / 100_000) * 7;
  const flows = 200_000;
  for (let i = 0; i < flows; i++) {
    table.add(lineAt(i), "applied");
    if (i % 1000 === 7) table.set(lineAt(i), "rejected", 17);
  }
  table.set(lineAt(150_000), "absent", 5);
  expect(table.count).toBe(flows);
  for (const i of [0, 7, 65_535, 65_536, 70_000, 70_001, 99_999, 100_007, 131_072, flows - 1]) {
    expect([i, table.lineOf(i), table.indexOfLine(lineAt(i))]).toEqual([i, lineAt(i), i]);
    expect(table.stateOf(i)).toBe(i % 1000 === 7 ? "rejected" : "applied");
    expect(table.errnoOf(i)).toBe(i % 1000 === 7 ? 17 : 0);
  }
  expect([table.stateOf(150_000), table.errnoOf(150_000)]).toEqual(["absent", 5]);
  expect(table.indexOfLine(70_003)).toBe(-1);
  expect([table.lineOf(-1), table.lineOf(flows)]).toEqual([0, 0]);
  expect(() => table.stateOf(flows)).toThrow();
});
