import { haveSameUfid, newFlowParts } from "../flow/parts.ts";
import type { LoadTarget } from "../load/send/connection.ts";
import { sameDeeds } from "../load/settle/same-flow.ts";
import { FlowTable } from "./flow-table.ts";
import { Obstacles } from "./obstacles.ts";
import { Owners, type Plan, type PlanOptions } from "./plan.ts";
import { readDatapath } from "./read-table.ts";
import { carryOut, countOf, deleteIfThere } from "./sync.ts";

/** How many requests undid a run, and how many of them failed. */
export type RolledBack = { readonly sent: number; readonly failed: number };

/**
 * Undoes what a run did to a datapath. Flows that it touched and that existed before get their
 * actions and identities back; flows that did not exist are deleted. All other flows are left
 * alone, even if they changed meanwhile; but a wide one is absent for a moment where it would keep
 * out a narrow one that is put back.
 * @param before the flows of the datapath before the run
 * @param touched the flows that the run put, changed or deleted
 * @param options whose flows may be absent; if another one's is in the way, a flow is not put back.
 * `owner` is also the one for whom the run put flows
 * @throws MillraceError `UNSOUND_DUMP`
 */
export async function takeBack(
  target: LoadTarget,
  before: FlowTable,
  touched: FlowTable,
  options: PlanOptions,
): Promise<RolledBack> {
  const now = readDatapath(target.datapath);
  const unseen = await deleteIfThere(unseenIn(now, touched, before), target, options.owner);
  const plan = planBack(before, touched, now, new Owners(options));
  const undone = await carryOut(plan, before, now, target, { keepNames: true });
  // What was not tried any more, because it ended early, was not undone either.
  const left = countOf(plan) - undone.added - undone.changed - undone.deleted;
  return { sent: unseen.sent + undone.sent, failed: unseen.failed + unseen.unknown + left };
}

/**
 * New flows of the run that a dump lacks. They may be there all the same: a walk passes over a flow
 * if another one is deleted meanwhile (`ovs_flow_tbl_dump_next` in net/openvswitch/flow_table.c),
 * and then the counts still agree.
 */
function unseenIn(now: FlowTable, touched: FlowTable, before: FlowTable): FlowTable {
  const unseen = new FlowTable();
  const view = newFlowParts();
  for (let index = 0; index < touched.size; index++) {
    const isUnseen = before.numberOf(touched, index) < 0 && now.numberOf(touched, index) < 0;
    if (isUnseen) unseen.put(touched.read(index, view));
  }
  return unseen;
}

/** The plan that turns the current flows into the previous ones, for flows that the run touched. */
function planBack(before: FlowTable, touched: FlowTable, now: FlowTable, owners: Owners): Plan {
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
  const out = inTheWay(before, now, { deletesFirst, adds, changes }, owners);
  const nothing = { deletes: [], conflicts: [], unchanged: 0, foreign: 0, owned: 0 };
  return {
    deletesFirst: [...deletesFirst, ...out.map(({ is }) => is)],
    adds: [...adds, ...out.map(({ was }) => was)],
    changes: changes.filter(({ held: is }) => !out.some((wide) => wide.is === is)),
    ...nothing,
  };
}

/** A flow that was there before, as a number in both tables. */
type Standing = { readonly was: number; readonly is: number };

/**
 * Wide flows because of which a kernel would refuse narrow ones that are put back: they came last
 * when all were put, and so have to come last again. One that another program changed stays.
 */
function inTheWay(
  before: FlowTable,
  now: FlowTable,
  { deletesFirst, adds, changes }: Pick<Plan, "deletesFirst" | "adds" | "changes">,
  owners: Owners,
): readonly Standing[] {
  const out: Standing[] = [];
  if (adds.length === 0) return out;
  const obstacles = new Obstacles(now);
  const old = newFlowParts();
  const held = newFlowParts();
  const gone = new Set(deletesFirst);
  const changed = new Set(changes.map(({ held: is }) => is));
  // A flow that is put back last may be refused because of another one.
  const news = [...adds];
  for (const index of news) {
    for (const is of obstacles.of(before.read(index, old))) {
      const was = before.numberOf(now, is);
      if (was < 0 || gone.has(is)) continue;
      before.read(was, old);
      now.read(is, held);
      const isAsBefore = haveSameUfid(old, held) && (sameDeeds(old, held) || changed.has(is));
      if (!isAsBefore || !owners.has(now, is, held)) continue;
      gone.add(is);
      out.push({ was, is });
      news.push(was);
    }
  }
  return out;
}
