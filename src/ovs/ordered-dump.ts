import { LoadOrder } from "../flow/load-order.ts";
import { OVS_UFID_F_OMIT_ACTIONS } from "../uapi/openvswitch.ts";
import type { OvsChannel } from "./channel.ts";
import { type DatapathInfo, getDatapath } from "./datapath.ts";
import type { DumpCheck } from "./dump-check.ts";
import { dumpFlows } from "./flow.ts";
import { copyFlow, type FlowParts } from "../flow/parts.ts";

/**
 * Every flow of a datapath, as {@link dumpFlows}, in an order in which a kernel takes them again. Where
 * there is more than one mask that costs a second dump, for the masks, and a copy of each flow that may
 * be in another one's way.
 * @param check is shown each flow once
 */
export function* dumpToLoad(
  channel: OvsChannel,
  datapath: DatapathInfo,
  check?: DumpCheck,
): Generator<FlowParts, void> {
  // Flows of one mask do not overlap.
  const order =
    getDatapath(channel, datapath.name).megaflow.masks > 1 ? new LoadOrder(copyFlow) : undefined;
  if (order !== undefined) {
    const withoutActions = dumpFlows(channel, datapath, { omit: OVS_UFID_F_OMIT_ACTIONS });
    for (const view of withoutActions) order.learn(view);
  }
  for (const view of dumpFlows(channel, datapath, { check })) {
    if (order === undefined || order.admit(view)) yield view;
  }
  if (order !== undefined) yield* order.rest();
}
