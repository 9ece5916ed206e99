import { Flow } from "../../flow/flow.ts";
import { identitiesOf } from "../../flow/identity.ts";
import { FlowLineEncoder, type LineVerb } from "../../flow/line.ts";
import type { PortNames } from "../../flow/ports.ts";
import {
  decodeFlow,
  type FlowParts,
  identityOf,
  newFlowParts,
  type FlowIdentity,
  FLOW_BYTES_MAX,
} from "../../flow/parts.ts";
import { printStatistics } from "../../flow/print.ts";
import type { KernelFeatures } from "../../flow/rules/features.ts";
import { FlowSyntaxError } from "../../flow/text/syntax-error.ts";
import { TextSink } from "../../flow/text/sink.ts";
import { explainRejection } from "../../load/settle/explain.ts";
import { OverlapSearch } from "../../load/settle/overlap.ts";
import { fullOfMasks } from "../../load/settle/mask-limit.ts";
import { describe, otherFlowReason } from "../../load/settle/held-flows.ts";
import { sameMatch } from "../../load/settle/same-flow.ts";
import { pointed } from "../../load/request-text.ts";
import { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { NetlinkError } from "../../netlink/errors.ts";
import { onMessage } from "../../ovs/channel.ts";
import type { DatapathHandle } from "../../ovs/datapath.ts";
import { featuresOf } from "../../ovs/features.ts";
import { getFlow as readFlow, putIdentity } from "../../ovs/flow.ts";
import { monotonicMs } from "../../sys/clock.ts";
import { EEXIST, EINVAL, ENOENT } from "../../sys/errno.ts";
import { assert } from "../../sys/errors.ts";
import { PinnedMemory } from "../../sys/memory.ts";
import { NLM_F_CREATE, NLM_F_ECHO } from "../../uapi/netlink.ts";
import * as A from "../../uapi/openvswitch.ts";
import { CommandFailed, type DpctlSession, failAsFlow } from "./session.ts";

// ovs-dpctl's commands for single flows.

/** `add-flow [DP] FLOW ACTIONS` */
export function addFlow(session: DpctlSession, args: readonly string[]): number {
  return putFlow(session, args, "add");
}

/** `mod-flow [DP] FLOW ACTIONS`, or `mod-flow DP FLOW`, which keeps the flow's actions. */
export function modFlow(session: DpctlSession, args: readonly string[]): number {
  if (args.length === 2 && session.exists(args[0]) && !session.options.mayCreate) {
    return keepActions(session, args);
  }
  return putFlow(session, args, session.options.mayCreate ? "put" : "modify");
}

// Modifies a flow without changing its actions, to print or reset its counters.
function keepActions(session: DpctlSession, args: readonly string[]): number {
  const { datapath } = session.openOptional(args, 2);
  const { identity, named } = flowToChange(session, datapath, args.at(-1) ?? "", "modify");
  if (named !== undefined) refuseOther(named);
  const write = (writer: AttributeWriter): void => {
    putIdentity(writer, identity);
    if (session.options.clear) writer.flag(A.OVS_FLOW_ATTR_CLEAR);
  };
  try {
    request(session, datapath, { command: A.OVS_FLOW_CMD_SET, flags: 0, write });
    return 0;
  } catch (error) {
    if (!(error instanceof NetlinkError)) return session.complainOf("updating flow table", error);
    if (named !== undefined) return complainOfKernel(named, "updating flow table", error);
    const { reason } = explainRejection("modify", error.errno);
    return session.complain("updating flow table", error.errno, reason);
  }
}

function putFlow(
  session: DpctlSession,
  args: readonly string[],
  mode: Exclude<LineVerb, "delete">,
): number {
  const sent =
    mode === "modify"
      ? { command: A.OVS_FLOW_CMD_SET, flags: 0 }
      : { command: A.OVS_FLOW_CMD_NEW, flags: NLM_F_CREATE };
  const { datapath, rest } = session.openOptional(args, 3);
  if (rest.length < 2) failAsFlow(session, "parsing flow key", args, "the actions are missing");
  const flow = args.at(-2) ?? "";
  const actions = args.at(-1) ?? "";
  // As with ovs-dpctl, an empty argument is an empty list, which drops; a line of a file requires
  // `drop`.
  const line = new TextEncoder().encode(`${flow} ${actions.trim() === "" ? "drop" : actions}`);
  const encoder = new FlowLineEncoder({ ufid: false, mode, ports: session.portNames(datapath) });
  const write = (writer: AttributeWriter): void => {
    const found = encoder.encode(line, 0, line.length, 1, writer);
    if (!found || encoder.verb !== mode) session.fail("parsing flow key", EINVAL, flow);
    if (session.options.clear) writer.flag(A.OVS_FLOW_ATTR_CLEAR);
  };
  const named = { session, datapath, line, mode };
  try {
    if (mode === "modify") refuseOther(named);
    try {
      request(session, datapath, { ...sent, write });
    } catch (error) {
      const held = mode === "put" && isExisting(error) ? heldBy(named) : undefined;
      if (held === undefined) throw error;
      setActions(named, held);
    }
    return 0;
  } catch (error) {
    if (error instanceof FlowSyntaxError) return complainOfSyntax(session, error, flow);
    if (!(error instanceof NetlinkError)) return session.complainOf("updating flow table", error);
    return complainOfKernel(named, "updating flow table", error);
  }
}

/** A flow given as a line. */
type NamedFlow = {
  readonly session: DpctlSession;
  readonly datapath: DatapathHandle;
  readonly line: Uint8Array;
  readonly mode: LineVerb;
};

function partsOf({ session, datapath, line, mode }: NamedFlow, ufid = false): FlowParts {
  const writer = new AttributeWriter(new PinnedMemory(FLOW_BYTES_MAX));
  new FlowLineEncoder({ ufid, mode, ports: session.portNames(datapath) }).encode(
    line,
    0,
    line.length,
    1,
    writer,
  );
  return Flow.fromAttributes(writer.memory.u8, 0, writer.position).parts;
}

// Refuses to touch another flow: a kernel ignores the mask of a flow identified by its key, and the
// key of one identified by its UFID.
function refuseOther(named: NamedFlow): void {
  const { session, datapath } = named;
  const sent = partsOf(named);
  let differing: string | undefined;
  readFlow(datapath, identityOf(sent), (view) => {
    if (!sameMatch(sent, view)) differing = describe(view);
  });
  if (differing === undefined) return;
  const why = otherFlowReason(sent.ufid.start >= 0, differing);
  session.complain(named.mode === "delete" ? "deleting flow" : "updating flow table", ENOENT, why);
  throw new CommandFailed();
}

function isExisting(error: unknown): boolean {
  return error instanceof NetlinkError && error.errno === EEXIST;
}

// The identity of exactly this flow: its own, or the hash of its key and mask.
function heldBy(named: NamedFlow): FlowIdentity | undefined {
  const { datapath } = named;
  const sent = partsOf(named);
  for (const identity of [identityOf(sent), identityOf(partsOf(named, true))]) {
    let same = false;
    readFlow(datapath, identity, (view) => {
      same = sameMatch(sent, view);
    });
    if (same) return identity;
  }
  return undefined;
}

function setActions(named: NamedFlow, held: FlowIdentity): void {
  const { session, datapath } = named;
  const { bytes, key, mask, actions } = partsOf(named);
  const write = (writer: AttributeWriter): void => {
    if ("ufid" in held) putIdentity(writer, held);
    writer.bytes(A.OVS_FLOW_ATTR_KEY, bytes, key.start, key.end);
    writer.bytes(A.OVS_FLOW_ATTR_MASK, bytes, mask.start, mask.end);
    writer.bytes(A.OVS_FLOW_ATTR_ACTIONS, bytes, actions.start, actions.end);
    if (session.options.clear) writer.flag(A.OVS_FLOW_ATTR_CLEAR);
  };
  request(session, datapath, { command: A.OVS_FLOW_CMD_SET, flags: 0, write });
}

// Key and actions are one line here, but ovs-dpctl says which of the two has the error.
function complainOfSyntax(session: DpctlSession, error: FlowSyntaxError, flow: string): 1 {
  const { column, reason, text, caretAt: caret } = error;
  const where = { text, caret };
  const ufidLength = /^ufid:[^,\s]*/.exec(flow)?.[0].length ?? 0;
  if (column <= ufidLength) {
    return session.complain("parsing flow ufid", EINVAL, reason, where);
  }
  if (ufidLength > 0 && flow.length === ufidLength) {
    const why = "the kernel takes actions only with the flow's key, beside its UFID";
    return session.complain("updating flow table", EINVAL, why);
  }
  const isName = column === 1 && !/[(:]/.test(flow);
  const nor = isName ? `; nor is there a datapath "${flow}"` : "";
  const place = `column ${column}: ${reason}${nor}`;
  return column > Buffer.byteLength(flow)
    ? session.complain("parsing actions", EINVAL, reason, where)
    : session.complain(`parsing flow key (${place})`, EINVAL, "", where);
}

// Explains a rejection as a load does: the rule that the flow breaks, the missing feature, or the
// flow in its way.
function complainOfKernel(named: NamedFlow, message: string, error: NetlinkError): 1 {
  const { session, datapath, line, mode } = named;
  const sent = partsOf(named);
  const features = (): KernelFeatures => featuresOf(datapath);
  const masks = (): number | undefined => fullOfMasks(datapath);
  const why = explainRejection(mode, error.errno, { sent, features, masks });
  const overlaps = new OverlapSearch({ datapath });
  const { reason, broken } = overlaps.nameIn(why, mode, error.errno, sent);
  return session.complain(message, error.errno, reason, pointed(line, broken));
}

/** `del-flow [DP] FLOW` */
export function delFlow(session: DpctlSession, args: readonly string[]): number {
  const { datapath, rest } = session.openOptional(args, 2);
  if (rest.length < 1) failAsFlow(session, "parsing flow key", args, "the flow is missing");
  const { identity, named } = flowToChange(session, datapath, args.at(-1) ?? "", "delete");
  const write = (writer: AttributeWriter): void => putIdentity(writer, identity);
  if (named !== undefined) refuseOther(named);
  try {
    request(session, datapath, { command: A.OVS_FLOW_CMD_DEL, flags: 0, write });
    return 0;
  } catch (error) {
    if (!(error instanceof NetlinkError)) return session.complainOf("deleting flow", error);
    const { reason } = explainRejection("delete", error.errno);
    session.complain("deleting flow", error.errno, reason);
    if (error.errno === ENOENT) session.out("Perhaps you need to specify a UFID?\n");
    return 1;
  }
}

/** The identity of a flow for the kernel, and its line if that has the match. */
function flowToChange(
  session: DpctlSession,
  datapath: DatapathHandle,
  text: string,
  mode: LineVerb,
): { identity: FlowIdentity; named: NamedFlow | undefined } {
  const [byUfid, byKey] = identitiesOfText(session, text, session.portNames(datapath));
  // A UFID alone identifies a flow whatever it matches.
  if (byKey === undefined) return { identity: byUfid, named: undefined };
  const line = new TextEncoder().encode(text.trim());
  // With a UFID the kernel ignores the key; without one, it finds only flows that have none.
  const identity = text.trimStart().startsWith("ufid:") ? byUfid : byKey;
  return { identity, named: { session, datapath, line, mode } };
}

/** As {@link identitiesOf}; there is at least one. */
function identitiesOfText(
  session: DpctlSession,
  text: string,
  ports: PortNames,
): readonly [FlowIdentity, FlowIdentity?] {
  try {
    const [first, second] = identitiesOf(text, { ports });
    assert(first !== undefined, "text names a flow");
    return second === undefined ? [first] : [first, second];
  } catch (error) {
    if (!(error instanceof FlowSyntaxError)) throw error;
    const where = { text: error.text, caret: error.caretAt };
    session.complain(`column ${error.column}: ${error.reason}`, EINVAL, "", where);
    throw new CommandFailed();
  }
}

type FlowRequest = {
  readonly command: number;
  readonly flags: number;
  readonly write: (writer: AttributeWriter) => void;
};

// Sends a request; with -s the kernel's echo has the flow's counters.
function request(
  session: DpctlSession,
  datapath: DatapathHandle,
  { command, flags, write }: FlowRequest,
): void {
  const { statistics } = session.options;
  const view = newFlowParts();
  session.channel.transact(
    {
      family: A.OVS_FLOW_FAMILY,
      version: A.OVS_FLOW_VERSION,
      command,
      flags: flags | (statistics ? NLM_F_ECHO : 0),
      datapath: datapath.index,
      doing: `changing a flow of ${datapath.name}`,
      write,
    },
    onMessage((message) => decodeFlow(message, view)),
  );
  if (!statistics) return;
  const out = new TextSink(128);
  printStatistics(view, out, monotonicMs());
  session.out(`${out.toString()}\n`);
}
