import { Flow } from "../flow/flow.ts";
import { newFlowParts } from "../flow/parts.ts";
import type { DatapathHandle } from "../ovs/datapath.ts";
import type { FlowTable } from "./flow-table.ts";
import { type Plan, type PlanOptions, planSync } from "./plan.ts";
import { type OnRead, readDatapath } from "./read-table.ts";

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

/** A flow that is not as wanted; `held` is the datapath's. */
export type Deviation =
  | { readonly what: "missing"; readonly wanted: Flow }
  | { readonly what: "different"; readonly wanted: Flow; readonly held: Flow }
  | { readonly what: "extra"; readonly held: Flow };

/** How a datapath is verified. */
type VerifyOptions = Pick<PlanOptions, "owner" | "all"> & {
  /** Called now and then while the datapath is read. */
  readonly onRead?: OnRead;
  /** Takes the flows that are not as wanted, as far as it asks for them. */
  readonly onDeviations?: (deviations: Iterable<Deviation>) => void;
};

/**
 * Compares the flows of a datapath with the wanted ones, by match and actions. It requires a
 * complete dump: as many flows as the kernel counts before and after, none of them twice.
 * @throws MillraceError `UNSOUND_DUMP`
 */
export function verifyFlows(
  datapath: DatapathHandle,
  wanted: FlowTable,
  { onRead, onDeviations, ...options }: VerifyOptions = {},
): Verification {
  const held = readDatapath(datapath, onRead === undefined ? {} : { onRead });
  const plan = planSync(wanted, held, options);
  onDeviations?.(deviations(plan, wanted, held));
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

// Missing flows first, then different ones, then the owner's that are not wanted.
function* deviations(
  { adds, changes, conflicts, deletesFirst, deletes }: Plan,
  wanted: FlowTable,
  held: FlowTable,
): Generator<Deviation, void> {
  const at = (table: FlowTable, index: number): Flow =>
    Flow.fromParts(table.read(index, newFlowParts()));
  for (const index of adds) yield { what: "missing", wanted: at(wanted, index) };
  const taken = conflicts.filter(({ why }) => why === "taken");
  for (const one of [...changes, ...taken]) {
    yield { what: "different", wanted: at(wanted, one.wanted), held: at(held, one.held) };
  }
  for (const index of [...deletesFirst, ...deletes]) {
    yield { what: "extra", held: at(held, index) };
  }
}
