import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { FlowTable } from "../../src/state/flow-table.ts";
import { type Plan, planSync, type PlanOptions } from "../../src/state/plan.ts";
import { inLoadOrder } from "../../src/state/sync.ts";
import { PROPERTY } from "../flow/harness.ts";
import {
  ModelTable,
  nameOf,
  partsOf,
  printed,
  type Rule,
  rule,
  tableOf,
  takenOf,
  textOf,
} from "./matches.ts";

const set = (min: number): fc.Arbitrary<Rule[]> =>
  fc.array(rule, { minLength: min, maxLength: 25 }).map(takenOf);

/** Sets that have flows in common, some with other actions. */
const sets = fc
  .tuple(set(1), set(0), fc.array(fc.nat(), { maxLength: 12 }))
  .map(([held, other, shared]) => {
    const common = shared.map((at) => held[at % held.length]).filter((one) => one !== undefined);
    const changed = common.map((one, i) => (i % 3 === 0 ? { ...one, to: 3 - one.to } : one));
    return { held, wanted: takenOf([...changed, ...other]) };
  });

function planOf(held: readonly Rule[], wanted: readonly Rule[], options: PlanOptions): Plan {
  return planSync(tableOf(wanted), tableOf(held), options);
}

/** The wanted rules in the order in which a sync puts them. */
function orderOf(wanted: readonly Rule[], adds: readonly number[]): Rule[] {
  const rules = new Map(wanted.map((one) => [printed(one), one]));
  const order = [...inLoadOrder(tableOf(wanted), adds)];
  return order.map((flow) => rules.get(flow.toString()) ?? never());
}

function never(): never {
  throw new Error("a flow is none of the wanted");
}

test("a plan without conflicts makes the wanted set, and no flow of both is ever absent", () => {
  fc.assert(
    fc.property(sets, fc.boolean(), ({ held, wanted }, allowGap) => {
      const plan = planOf(held, wanted, { all: true, allowGap });
      if (allowGap) expect(plan.conflicts).toEqual([]);
      if (plan.conflicts.length > 0) return;
      const kernel = new ModelTable();
      for (const one of held) expect(kernel.put(one)).toBe(true);
      const isWanted = new Set(wanted.map(nameOf));
      const shared = held.map(nameOf).filter((name) => isWanted.has(name));
      const isWhole = (): boolean => allowGap || shared.every((name) => kernel.held.has(name));
      const step = (run: () => void): void => {
        run();
        expect(isWhole()).toBe(true);
      };
      for (const at of plan.deletesFirst) step(() => kernel.delete(held[at] ?? never()));
      for (const one of orderOf(wanted, plan.adds)) {
        step(() => expect(kernel.put(one)).toBe(true));
      }
      for (const change of plan.changes) {
        const next = wanted[change.wanted] ?? never();
        expect(nameOf(next)).toBe(nameOf(held[change.held] ?? never()));
        step(() => kernel.put(next));
      }
      for (const at of plan.deletes) step(() => kernel.delete(held[at] ?? never()));
      expect([...kernel.held.values()].map(textOf).sort()).toEqual(wanted.map(textOf).sort());
      expect(plan.unchanged + plan.adds.length + plan.changes.length).toBe(wanted.length);
    }),
    PROPERTY,
  );
});

test("a gap is asked for exactly where a flow of both sets keeps a new one out", () => {
  fc.assert(
    fc.property(sets, ({ held, wanted }) => {
      const { conflicts } = planOf(held, wanted, { all: true });
      const isWanted = new Set(wanted.map(nameOf));
      const isHeld = new Set(held.map(nameOf));
      const staying = new ModelTable();
      for (const one of held) if (isWanted.has(nameOf(one))) staying.put(one);
      const kept = wanted
        .filter((one) => !isHeld.has(nameOf(one)) && staying.obstacleOf(one) !== undefined)
        .map(textOf);
      const told = new Set(conflicts.map((conflict) => textOf(wanted[conflict.wanted] ?? never())));
      expect([...told].sort()).toEqual(kept.sort());
      for (const conflict of conflicts) expect(conflict.why).toBe("gap");
    }),
    PROPERTY,
  );
});

test("flows that are not the owner's are neither deleted nor changed", () => {
  fc.assert(
    fc.property(sets, ({ held, wanted }) => {
      // Of nobody's: a flow that is found by its key has no UFID, and so no owner.
      const plan = planSync(tableOf(wanted), keyed(held));
      expect([plan.deletes, plan.deletesFirst, plan.changes]).toEqual([[], [], []]);
      const previous = planSync(tableOf(wanted), keyed(held), { previous: tableOf(held) });
      expect(previous.foreign).toBe(0);
      expect(previous.owned).toBe(held.length);
    }),
    PROPERTY,
  );
});

/** The rules as flows that are identified by their keys: nobody's. */
function keyed(rules: readonly Rule[]): FlowTable {
  const table = new FlowTable();
  for (const one of rules) table.put({ ...partsOf(one), ufid: { start: -1, end: -1 } });
  return table;
}
