import { type FlowParts, newFlowParts } from "../flow/parts.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { doTheSame } from "./diff.ts";
import type { FlowTable } from "./flow-table.ts";
import type { Plan } from "./plan.ts";
import { readDatapath } from "./read-table.ts";
import { carryOut, type SyncReport } from "./sync.ts";

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
): Promise<SyncReport> {
  const now = readDatapath(target.datapath);
  const plan = planBack(before, touched, now);
  return carryOut(plan, before, now, target, { keepNames: true });
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
      if (!haveSameName(old, held)) {
        // It was taken out and put back: a change would keep the name that it has now.
        deletesFirst.push(is);
        adds.push(was);
      } else if (!doTheSame(old, held)) changes.push({ wanted: was, held: is });
    }
  }
  const nothing = { deletes: [], conflicts: [], unchanged: 0, foreign: 0, owned: 0 };
  return { deletesFirst, adds, changes, ...nothing };
}

/** Whether the kernel names two flows alike: by the same UFID, or both by their keys. */
function haveSameName(
  { bytes: a, ufid }: FlowParts,
  { bytes: b, ufid: other }: FlowParts,
): boolean {
  const length = ufid.end - ufid.start;
  if (length !== other.end - other.start) return false;
  for (let i = 0; i < length; i++) if (a[ufid.start + i] !== b[other.start + i]) return false;
  return true;
}
