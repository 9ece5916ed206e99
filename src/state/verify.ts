import type { DatapathHandle } from "../ovs/datapath.ts";
import type { FlowTable } from "./flow-table.ts";
import { type PlanOptions, planSync } from "./plan.ts";
import { readDatapath } from "./read-table.ts";

/** How the flows of a datapath agree with the wanted ones. */
export type Verification = {
  readonly wanted: number;
  /** Flows of the datapath. */
  readonly held: number;
  /** Wanted flows that exist with their actions. */
  readonly equal: number;
  /** Wanted flows that are missing. */
  readonly missing: number;
  /** Wanted flows that exist with other actions. */
  readonly different: number;
  /** The owner's flows that are not wanted. */
  readonly extra: number;
  /** Flows of other owners. */
  readonly foreign: number;
};

/**
 * Compares the flows of a datapath with the wanted ones, by match and actions. It requires a
 * complete dump: as many flows as the kernel counts before and after, none of them twice.
 * @throws MillraceError `UNSOUND_DUMP`
 */
export function verifyFlows(
  datapath: DatapathHandle,
  wanted: FlowTable,
  options: Pick<PlanOptions, "owner" | "all"> = {},
): Verification {
  const held = readDatapath(datapath);
  const plan = planSync(wanted, held, options);
  const taken = plan.conflicts.filter(({ why }) => why === "taken").length;
  const missing = wanted.size - plan.unchanged - plan.changes.length - taken;
  const different = plan.changes.length + taken;
  const equal = plan.unchanged;
  const extra = held.size - equal - different - plan.foreign;
  return {
    wanted: wanted.size,
    held: held.size,
    equal,
    missing,
    different,
    extra,
    foreign: plan.foreign,
  };
}
