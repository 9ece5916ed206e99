import { haveSameUfid, newFlowParts } from "../flow/parts.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { sameDeeds } from "../load/settle/same-flow.ts";
import type { FlowTable } from "./flow-table.ts";
import type { Plan } from "./plan.ts";
import { readDatapath } from "./read-table.ts";
import { carryOut } from "./sync.ts";

/** How many requests undid a run, and how many of them failed. */
export type RolledBack = { readonly sent: number; readonly failed: number };

/**
 * Undoes what a run did to a datapath. Flows that it touched and that existed before get their
 * actions and identities back; flows that did not exist are deleted. All other flows are left
 * alone, even if they changed meanwhile.
 * @param before the flows of the datapath before the run
 * @param touched the flows that the run put, changed or deleted
 * @throws MillraceError `UNSOUND_DUMP`
 */
export async function takeBack(
  target: LoadTarget,
  before: FlowTable,
  touched: FlowTable,
): Promise<RolledBack> {
  const now = readDatapath(target.datapath);
  const plan = planBack(before, touched, now);
  const { sent, failed, unknown } = await carryOut(plan, before, now, target, { keepNames: true });
  return { sent, failed: failed + unknown };
}

/** The plan that turns the current flows into the previous ones, for flows that the run touched. */
function planBack(before: FlowTable, touched: FlowTable, now: FlowTable): Plan {
  const deletesFirst: number[] = [];
  const adds: number[] = [];
  const changes: { wanted: number; held: number }[] = [];
  const old = newFlowParts();
  const held = newFlowParts();
  for (let index = 0; index < touched.size; index++) {
    const was = before.numberOf(touched, index);
    const is = now.numberOf(touched, index);
    if (was < 0 && is >= 0) deletesFirst.push(is);
    else if (was >= 0 && is < 0) adds.push(was);
    else if (was >= 0 && is >= 0) {
      before.read(was, old);
      now.read(is, held);
      if (!haveSameUfid(old, held)) {
        // It was taken out and put back: a change would keep the name that it has now.
        deletesFirst.push(is);
        adds.push(was);
      } else if (!sameDeeds(old, held)) changes.push({ wanted: was, held: is });
    }
  }
  const nothing = { deletes: [], conflicts: [], unchanged: 0, foreign: 0, owned: 0 };
  return { deletesFirst, adds, changes, ...nothing };
}
