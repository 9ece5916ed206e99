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
 * The flags for a dump of counters only: 44 bytes per flow instead of some 340. A flow without a
 * UFID comes with its key.
 */
export const TERSE: number = OVS_UFID_F_OMIT_KEY | OVS_UFID_F_OMIT_MASK | OVS_UFID_F_OMIT_ACTIONS;

/** The flags that omit the unneeded parts of a dump; counters are always included. */
export function omitting({ match, actions }: { match: boolean; actions: boolean }): number {
  const omitMatch = match ? 0 : OVS_UFID_F_OMIT_KEY | OVS_UFID_F_OMIT_MASK;
  return omitMatch | (actions ? 0 : OVS_UFID_F_OMIT_ACTIONS);
}

/** How flows are dumped. */
type DumpOptions = {
  /** OVS_UFID_F_OMIT_* bits: the parts that the kernel leaves out. */
  readonly omit?: number;
  /** Gets every flow, and knows at the end whether the dump can be complete. */
  readonly check?: DumpCheck | undefined;
};

/**
 * Every flow of a datapath. The view is the same object each time, its bytes valid until the next
 * one. A flow whose actions do not fit the dump is read again, alone. A dump may lack flows if
 * flows change meanwhile; only a {@link DumpCheck} detects that.
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
        // Its actions did not fit the dump's chunk; a read of the flow has them.
        const cut = view.actions.start < 0 && (omit & OVS_UFID_F_OMIT_ACTIONS) === 0;
        const complete = cut ? readComplete(datapath, view) : view;
        if (complete !== undefined) return complete;
      }
    },
    () => messages.return(),
  );
}

// Undefined if the flow is gone meanwhile.
function readComplete(datapath: DatapathHandle, cut: FlowParts): FlowParts | undefined {
  let complete: FlowParts | undefined;
  getFlow(datapath, identityOf(cut), (view) => {
    complete = { ...view, bytes: view.bytes.slice(0, view.actions.end) };
  });
  return complete;
}

/** Reads one flow. @returns false, without a call, if there is no such flow */
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

/** Deletes one flow. @returns false if there was no such flow */
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
 * Resets the counters of one flow and its time of last use; keeps its actions.
 * @returns false if there was no such flow
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

/** Deletes all flows of a datapath, of every owner. */
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
 * Writes the identity of one flow.
 * @throws AssertionError for an invalid identity, with which a DEL would be a flush; that includes
 * a UFID of more than 16 bytes
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
