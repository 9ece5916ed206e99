import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { Cursor } from "../netlink/cursor.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { ENOENT } from "../sys/errno.ts";
import { assert } from "../sys/errors.ts";
import {
  OVS_FLOW_ATTR_CLEAR,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_ATTR_UFID_FLAGS,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_GET,
  OVS_FLOW_CMD_SET,
  OVS_FLOW_FAMILY,
  OVS_FLOW_VERSION,
  OVS_UFID_F_OMIT_ACTIONS,
  OVS_UFID_F_OMIT_KEY,
  OVS_UFID_F_OMIT_MASK,
} from "../uapi/openvswitch.ts";
import { onMessage } from "./channel.ts";
import type { DatapathHandle } from "./datapath.ts";
import type { DumpCheck } from "./dump-check.ts";
import {
  decodeFlow,
  type FlowParts,
  identityOf,
  newFlowParts,
  type FlowIdentity,
} from "../flow/parts.ts";

/**
 * A dump of counters alone: 44 bytes a flow instead of some 340. A flow without a UFID comes with its key.
 */
export const TERSE: number = OVS_UFID_F_OMIT_KEY | OVS_UFID_F_OMIT_MASK | OVS_UFID_F_OMIT_ACTIONS;

/** What a dump is to leave out where it is not looked at; counters are always there. */
export function omitting({ match, actions }: { match: boolean; actions: boolean }): number {
  const omitMatch = match ? 0 : OVS_UFID_F_OMIT_KEY | OVS_UFID_F_OMIT_MASK;
  return omitMatch | (actions ? 0 : OVS_UFID_F_OMIT_ACTIONS);
}

/** How flows are dumped. */
type DumpOptions = {
  /** OVS_UFID_F_OMIT_* bits: what the kernel is to leave out. */
  readonly omit?: number;
  /** Is shown every flow, and knows at the end whether the dump can be sound. */
  readonly check?: DumpCheck | undefined;
};

/**
 * Every flow of a datapath. The view is the same object each time, its bytes valid until the next one.
 * A flow whose actions a dump has no room for is read once more, alone. A dump beside which flows change
 * may lack some: only a {@link DumpCheck} sees it.
 */
export function dumpFlows(
  datapath: DatapathHandle,
  { omit = 0, check }: DumpOptions = {},
): Cursor<FlowParts> {
  const view = newFlowParts();
  const messages = datapath.channel.dump({
    ...flowRequest(OVS_FLOW_CMD_GET, datapath),
    doing: `dumping the flows of ${datapath.name}`,
    ...(omit === 0 ? {} : { write: (w: AttributeWriter) => w.u32(OVS_FLOW_ATTR_UFID_FLAGS, omit) }),
  });
  return new Cursor(
    () => {
      for (;;) {
        const message = messages.take();
        if (message === undefined) return undefined;
        decodeFlow(message, view);
        check?.add(view);
        // Its actions did not fit the dump's chunk: the flow alone has them.
        const cut = view.actions.start < 0 && (omit & OVS_UFID_F_OMIT_ACTIONS) === 0;
        const complete = cut ? readComplete(datapath, view) : view;
        if (complete !== undefined) return complete;
      }
    },
    () => messages.return(),
  );
}

// Undefined where the flow is gone meanwhile.
function readComplete(datapath: DatapathHandle, cut: FlowParts): FlowParts | undefined {
  let complete: FlowParts | undefined;
  getFlow(datapath, identityOf(cut), (view) => {
    complete = { ...view, bytes: view.bytes.slice(0, view.actions.end) };
  });
  return complete;
}

/** Reads one flow. @returns false, and calls nothing, where there is no such flow */
export function getFlow(
  datapath: DatapathHandle,
  identity: FlowIdentity,
  use: (view: FlowParts) => void,
): boolean {
  return whereThereIsOne(() =>
    datapath.channel.transact(
      {
        ...flowRequest(OVS_FLOW_CMD_GET, datapath),
        doing: `reading a flow of ${datapath.name}`,
        write: (writer) => putIdentity(writer, identity),
      },
      onMessage((message) => {
        const view = newFlowParts();
        decodeFlow(message, view);
        use(view);
      }),
    ),
  );
}

/** Deletes one flow. @returns false where there was no such flow */
export function deleteFlow(datapath: DatapathHandle, identity: FlowIdentity): boolean {
  return whereThereIsOne(() =>
    datapath.channel.transact({
      ...flowRequest(OVS_FLOW_CMD_DEL, datapath),
      doing: `deleting a flow of ${datapath.name}`,
      write: (writer) => putIdentity(writer, identity),
    }),
  );
}

/**
 * Sets the counters of one flow to zero, and when it was used last; its actions stay.
 * @returns false where there was no such flow
 */
export function clearFlow(datapath: DatapathHandle, identity: FlowIdentity): boolean {
  return whereThereIsOne(() =>
    datapath.channel.transact({
      ...flowRequest(OVS_FLOW_CMD_SET, datapath),
      doing: `clearing the counters of a flow of ${datapath.name}`,
      write: (writer) => {
        putIdentity(writer, identity);
        writer.flag(OVS_FLOW_ATTR_CLEAR);
      },
    }),
  );
}

function whereThereIsOne(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === ENOENT) return false;
    throw error;
  }
}

/** Deletes every flow of a datapath, whoever put it. */
export function flushFlows(datapath: DatapathHandle): void {
  datapath.channel.transact({
    ...flowRequest(OVS_FLOW_CMD_DEL, datapath),
    doing: `flushing the flows of ${datapath.name}`,
  });
}

function flowRequest(command: number, datapath: DatapathHandle) {
  return {
    family: OVS_FLOW_FAMILY,
    version: OVS_FLOW_VERSION,
    command,
    datapath: datapath.index,
  };
}

/**
 * Writes what names one flow.
 * @throws AssertionError for what names none: a DEL would be a flush, with a UFID of more than 16 bytes too
 */
export function putIdentity(writer: AttributeWriter, identity: FlowIdentity): void {
  if ("ufid" in identity) {
    assert(identity.ufid.length >= 1 && identity.ufid.length <= 16, "a UFID has 1 to 16 bytes");
    writer.bytes(OVS_FLOW_ATTR_UFID, identity.ufid);
  } else {
    assert(identity.key.length > 0, "a key is not empty");
    writer.bytes(OVS_FLOW_ATTR_KEY, identity.key);
  }
}
