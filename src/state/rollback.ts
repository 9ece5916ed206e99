import { newFlowParts } from "../flow/parts.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { doTheSame } from "./diff.ts";
import type { FlowTable } from "./flow-table.ts";
import type { Plan } from "./plan.ts";
import { readDatapath } from "./read-table.ts";
import { carryOut, type SyncReport } from "./sync.ts";

/**
 * Takes back what a run did to a datapath: of the flows that it touched, those that were there before have their
 * actions again, by the names that they had, and those that were not there go. Others are left alone, be they changed
 * meanwhile.
 * @param before the flows of the datapath before the run
 * @param touched the flows that the run put, changed or deleted
 * @throws MillraceError `UNSOUND_DUMP`
 */
export async function takeBack(
  target: LoadTarget,
  before: FlowTable,
  touched: FlowTable,
): Promise<SyncReport> {
  const now = readDatapath(target.datapath);
  const plan = planBack(before, touched, now);
  return carryOut(plan, before, now, target, { keepNames: true });
}

/** What makes of the flows of now those of before, where the run touched them. */
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
    else if (was >= 0 && is >= 0 && !doTheSame(before.read(was, old), now.read(is, held))) {
      changes.push({ wanted: was, held: is });
    }
  }
  const nothing = { deletes: [], conflicts: [], unchanged: 0, foreign: 0, owned: 0 };
  return { deletesFirst, adds, changes, ...nothing };
}
