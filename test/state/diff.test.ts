import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { Flow } from "../../src/flow/flow.ts";
import {
  Comparison,
  type DiffOptions,
  diffTables,
  type FlowDifference,
} from "../../src/state/diff.ts";
import { FlowTable } from "../../src/state/flow-table.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { flowOf } from "../flow/dumped-flow.ts";
import { PROPERTY } from "../flow/harness.ts";
import { nameOf, partsOf, printed, type Rule, rule, tableOf, takenOf } from "./matches.ts";

/** As flows of the second set come one by one. */
function* compared(before: readonly Rule[], after: readonly Rule[]): Generator<FlowDifference> {
  const comparison = new Comparison(tableOf(before));
  for (const one of after) expect(comparison.take(partsOf(one))).toBe("new");
  yield* comparison.differences();
}

const WAYS = [
  {
    way: "of two tables",
    differences: (before: readonly Rule[], after: readonly Rule[]) =>
      diffTables(tableOf(before), tableOf(after)),
  },
  { way: "of a table and flows as they come", differences: compared },
] as const;

test.each(WAYS)(
  "differences $way are those of two maps, and make the second set of the first",
  ({ differences }) => {
    const sets = fc.tuple(fc.array(rule), fc.array(rule)).map(([a, b]) => [takenOf(a), takenOf(b)]);
    fc.assert(
      fc.property(sets, ([before = [], after = []]) => {
        const made = new Map(before.map((one) => [printed(one), one]));
        const old = new Map(before.map((one) => [nameOf(one), one]));
        for (const difference of differences(before, after)) {
          if (difference.kind !== "added") {
            expect(made.delete(Flow.fromParts(difference.before).toString())).toBe(true);
          }
          if (difference.kind === "removed") continue;
          const text = Flow.fromParts(difference.after).toString();
          const one = after.find((it) => printed(it) === text);
          expect(old.has(nameOf(one ?? { key: [], mask: [], to: 0 }))).toBe(
            difference.kind === "changed",
          );
          if (one !== undefined) made.set(text, one);
        }
        const wanted = after.map((one) => printed(one));
        expect([...made.keys()].sort()).toEqual(wanted.sort());
      }),
      PROPERTY,
    );
  },
);

const only = (flow: ReturnType<typeof flowOf>): FlowTable => {
  const table = new FlowTable({ statistics: true });
  table.put(flow);
  return table;
};

function aspects(
  before: ReturnType<typeof flowOf>,
  after: ReturnType<typeof flowOf>,
  options?: DiffOptions,
) {
  const comparison = new Comparison(only(before), options);
  comparison.take(after);
  const [tables, came] = [
    diffTables(only(before), only(after), options),
    comparison.differences(),
  ].map((differences) =>
    [...differences].map((found) => (found.kind === "changed" ? found.what : found.kind)),
  );
  expect(came).toEqual(tables);
  return tables;
}

test("a UFID that was given differs from none, and the hash of a match does not", () => {
  const plain = flowOf(sampleLine(1));
  const keyed = { ...plain, ufid: { start: -1, end: -1 } };
  const given = flowOf(`ufid:12345678-1234-1234-1234-123456789abc, ${sampleLine(1)}`);
  expect(aspects(plain, keyed)).toEqual([]);
  expect(aspects(plain, given)).toEqual([["ufid"]]);
  expect(aspects(plain, given, { ufid: false })).toEqual([]);
  expect(aspects(given, given)).toEqual([]);
});

test("counters count only where that is asked for", () => {
  const one = flowOf(sampleLine(1), { packets: 3 });
  const other = flowOf(sampleLine(1), { packets: 4 });
  expect(aspects(one, other)).toEqual([]);
  expect(aspects(one, other, { stats: true })).toEqual([["stats"]]);
  expect(aspects(one, one, { stats: true })).toEqual([]);
});

test("a comparison knows flows that come again, changed or not", () => {
  const [plain, other] = [flowOf(sampleLine(1)), flowOf(sampleLine(1).replace(/2$/, "1"))];
  const added = flowOf(sampleLine(2));
  const comparison = new Comparison(only(plain));
  const taken = [plain, plain, other, other, added, added].map((flow) => comparison.take(flow));
  expect(taken).toEqual(["new", "repeated", "repeated", "repeated", "new", "repeated"]);
});
