import { LoadOrder } from "../flow/load-order.ts";
import { Cursor } from "../netlink/cursor.ts";
import { OVS_UFID_F_OMIT_ACTIONS } from "../uapi/openvswitch.ts";
import { type DatapathHandle, infoOf } from "./datapath.ts";
import type { DumpCheck } from "./dump-check.ts";
import { dumpFlows } from "./flow.ts";
import { copyFlow, type FlowParts } from "../flow/parts.ts";

/** Which flows are dumped, and how the dump is checked. */
export type OrderedDumpOptions = {
  /** Gets each flow once, including unwanted ones. */
  readonly check?: DumpCheck | undefined;
  /** Dumps only flows for which this is true. */
  readonly where?: ((flow: FlowParts) => boolean) | undefined;
};

/**
 * Every flow of a datapath, as {@link dumpFlows}, in an order in which a kernel accepts them. With
 * more than one mask, that costs a second dump, for the masks, and a copy of each flow that may
 * block another.
 */
export function dumpToLoad(
  datapath: DatapathHandle,
  { check, where }: OrderedDumpOptions = {},
): Cursor<FlowParts> {
  let order: LoadOrder<FlowParts> | undefined;
  let flows: Cursor<FlowParts> | undefined;
  let rest: Iterator<FlowParts> | undefined;
  const begin = (): Cursor<FlowParts> => {
    // Flows of one mask do not overlap.
    if (infoOf(datapath).megaflow.masks > 1) {
      order = new LoadOrder(copyFlow);
      const withoutActions = dumpFlows(datapath, { omit: OVS_UFID_F_OMIT_ACTIONS });
      for (const view of withoutActions) order.learn(view);
    }
    return dumpFlows(datapath, { check });
  };
  return new Cursor(
    () => {
      flows ??= begin();
      for (let view = flows.take(); view !== undefined; view = flows.take()) {
        if (where !== undefined && !where(view)) continue;
        if (order === undefined || order.admit(view)) return view;
      }
      rest ??= order?.rest();
      const step = rest?.next();
      return step === undefined || step.done === true ? undefined : step.value;
    },
    () => flows?.return(),
  );
}
