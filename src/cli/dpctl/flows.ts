import { Flow } from "../../flow/flow.ts";
import { type FlowIdentity, identitiesOf } from "../../flow/identity.ts";
import { KeyRecord } from "../../flow/key/record.ts";
import { FlowLineEncoder, type LineVerb } from "../../flow/line.ts";
import type { PortNames } from "../../flow/ports.ts";
import { type FlowParts, readMatch } from "../../flow/parts.ts";
import { printStatistics } from "../../flow/print.ts";
import type { KernelFeatures } from "../../flow/rules/features.ts";
import { FlowSyntaxError } from "../../flow/text/syntax-error.ts";
import { TextSink } from "../../flow/text/sink.ts";
import { explainRejection } from "../../load/explain.ts";
import { OverlapSearch } from "../../load/overlap.ts";
import { fullOfMasks } from "../../load/mask-limit.ts";
import { describe, otherFlowReason } from "../../load/held.ts";
import { sameMatch } from "../../load/same-flow.ts";
import { pointed } from "../../load/sent.ts";
import { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { NetlinkError } from "../../netlink/errors.ts";
import { onMessage } from "../../ovs/channel.ts";
import type { DatapathInfo } from "../../ovs/datapath.ts";
import { DumpCheck, doubtInWords } from "../../ovs/dump-check.ts";
import { featuresOf } from "../../ovs/features.ts";
import { dumpFlows as dumpAll, getFlow as readFlow, putIdentity } from "../../ovs/flow.ts";
import { decodeFlow, type FlowView, identityOf, newFlowView } from "../../ovs/flow-view.ts";
import { monotonicMs } from "../../sys/clock.ts";
import { EEXIST, EINVAL, ENOENT } from "../../sys/errno.ts";
import { assert, MillraceError } from "../../sys/errors.ts";
import { PinnedMemory } from "../../sys/memory.ts";
import { NLM_F_CREATE, NLM_F_ECHO } from "../../uapi/netlink.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_CLEAR,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
  OVS_FLOW_FAMILY,
  OVS_FLOW_VERSION,
} from "../../uapi/openvswitch.ts";
import { FlowFilter } from "./filter.ts";
import { printDpctlFlow } from "./flow-text.ts";
import { CommandFailed, type DpctlSession } from "./session.ts";

/** `ufid:` and a UUID. */
const UFID_TEXT_LENGTH = 41;

/** Output goes out in pieces of this size. */
const PIECE_BYTES = 64 << 10;

/** `add-flow [DP] FLOW ACTIONS` */
export function addFlow(session: DpctlSession, args: readonly string[]): number {
  return putFlow(session, args, OVS_FLOW_CMD_NEW, NLM_F_CREATE, "add");
}

/** `mod-flow [DP] FLOW ACTIONS` */
export function modFlow(session: DpctlSession, args: readonly string[]): number {
  return session.options.mayCreate
    ? putFlow(session, args, OVS_FLOW_CMD_NEW, NLM_F_CREATE, "put")
    : putFlow(session, args, OVS_FLOW_CMD_SET, 0, "modify");
}

function putFlow(
  session: DpctlSession,
  args: readonly string[],
  command: number,
  flags: number,
  mode: LineVerb,
): number {
  const { datapath } = session.openOptional(args, 3);
  const flow = args.at(-2) ?? "";
  const actions = args.at(-1) ?? "";
  // As with ovs-dpctl an empty argument is an empty list, which drops; a line of a file wants the word.
  const line = new TextEncoder().encode(`${flow} ${actions.trim() === "" ? "drop" : actions}`);
  const encoder = new FlowLineEncoder({ ufid: false, mode, ports: session.portNames(datapath) });
  const write = (writer: AttributeWriter): void => {
    const found = encoder.encode(line, 0, line.length, 1, writer);
    if (!found || encoder.verb !== mode) session.fail("parsing flow key", EINVAL, flow);
    if (session.options.clear) writer.flag(OVS_FLOW_ATTR_CLEAR);
  };
  const named = { session, datapath, line, mode };
  try {
    if (mode === "modify") refuseOther(named);
    try {
      request(session, datapath, { command, flags, write });
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

/** A flow that is named by its line. */
type NamedFlow = {
  readonly session: DpctlSession;
  readonly datapath: DatapathInfo;
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

// A kernel does not compare the mask of a flow that is named by its key, nor the key of one named by its UFID.
function refuseOther(named: NamedFlow): void {
  const { session, datapath } = named;
  const sent = partsOf(named);
  let other: string | undefined;
  readFlow(session.channel, datapath, identityOf(sent), (view) => {
    if (!sameMatch(sent, view)) other = describe(view);
  });
  if (other === undefined) return;
  const why = otherFlowReason(sent.ufid.start >= 0, other);
  session.complain(named.mode === "delete" ? "deleting flow" : "updating flow table", ENOENT, why);
  throw new CommandFailed();
}

function isExisting(error: unknown): boolean {
  return error instanceof NetlinkError && error.errno === EEXIST;
}

// What the very flow is named by: its own name, or the hash of its key and mask.
function heldBy(named: NamedFlow): FlowIdentity | undefined {
  const { session, datapath } = named;
  const sent = partsOf(named);
  for (const identity of [identityOf(sent), identityOf(partsOf(named, true))]) {
    let same = false;
    readFlow(session.channel, datapath, identity, (view) => {
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
    writer.bytes(OVS_FLOW_ATTR_KEY, bytes, key.start, key.end);
    writer.bytes(OVS_FLOW_ATTR_MASK, bytes, mask.start, mask.end);
    writer.bytes(OVS_FLOW_ATTR_ACTIONS, bytes, actions.start, actions.end);
    if (session.options.clear) writer.flag(OVS_FLOW_ATTR_CLEAR);
  };
  request(session, datapath, { command: OVS_FLOW_CMD_SET, flags: 0, write });
}

/** Room for the longest flow: key, mask and actions of 64 KiB each. */
const FLOW_BYTES_MAX = 200 << 10;

// The key and the actions are one line here, and ovs-dpctl says in which of the two it stumbled.
function complainOfSyntax(session: DpctlSession, error: FlowSyntaxError, flow: string): 1 {
  const { column, reason, text, caretAt: caret } = error;
  const where = { text, caret };
  if (flow.startsWith("ufid:") && column <= UFID_TEXT_LENGTH) {
    return session.complain("parsing flow ufid", EINVAL, reason, where);
  }
  if (flow.length === UFID_TEXT_LENGTH && flow.startsWith("ufid:")) {
    const why = "the kernel takes actions only with the flow's key, beside its UFID";
    return session.complain("updating flow table", EINVAL, why);
  }
  const place = `column ${column}: ${reason}`;
  return column > Buffer.byteLength(flow)
    ? session.complain("parsing actions", EINVAL, reason, where)
    : session.complain(`parsing flow key (${place})`, EINVAL, "", where);
}

// As a load does: the rule that the flow breaks, what this kernel lacks, or the flow that is in its way.
function complainOfKernel(named: NamedFlow, message: string, error: NetlinkError): 1 {
  const { session, datapath, line, mode } = named;
  const { channel } = session;
  const sent = partsOf(named);
  const features = (): KernelFeatures => featuresOf(channel, datapath);
  const masks = (): number | undefined => fullOfMasks(channel, datapath);
  const why = explainRejection(mode, error.errno, sent, features, masks);
  const overlaps = new OverlapSearch({ channel, datapath });
  const { reason, broken } = overlaps.nameIn(why, mode, error.errno, sent);
  return session.complain(message, error.errno, reason, pointed(line, broken));
}

/** `del-flow [DP] FLOW` */
export function delFlow(session: DpctlSession, args: readonly string[]): number {
  const { datapath } = session.openOptional(args, 2);
  const text = args.at(-1) ?? "";
  const identity = identityOfText(session, text, session.portNames(datapath));
  const write = (writer: AttributeWriter): void => putIdentity(writer, identity);
  const line = new TextEncoder().encode(text.trim());
  // A UFID alone names a flow whatever it matches.
  if (identitiesOf(text, session.portNames(datapath)).length > 1) {
    refuseOther({ session, datapath, line, mode: "delete" });
  }
  try {
    request(session, datapath, { command: OVS_FLOW_CMD_DEL, flags: 0, write });
    return 0;
  } catch (error) {
    if (!(error instanceof NetlinkError)) return session.complainOf("deleting flow", error);
    const { reason } = explainRejection("delete", error.errno);
    session.complain("deleting flow", error.errno, reason);
    if (error.errno === ENOENT) session.out("Perhaps you need to specify a UFID?\n");
    return 1;
  }
}

// With a UFID the kernel does not look at the key, and without one it finds only what has none.
function identityOfText(session: DpctlSession, text: string, ports: PortNames): FlowIdentity {
  try {
    const [byUfid, byKey] = identitiesOf(text, ports);
    const identity = text.trimStart().startsWith("ufid:") ? byUfid : byKey;
    assert(identity !== undefined, "text names a flow");
    return identity;
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
  datapath: DatapathInfo,
  { command, flags, write }: FlowRequest,
): void {
  const { statistics } = session.options;
  const view = newFlowView();
  session.channel.transact(
    {
      family: OVS_FLOW_FAMILY,
      version: OVS_FLOW_VERSION,
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

/** `get-flow [DP] ufid:UFID` */
export function getFlow(session: DpctlSession, args: readonly string[]): number {
  const { datapath } = session.openOptional(args, 2);
  const text = args.at(-1) ?? "";
  if (!text.startsWith("ufid:")) return session.complain("parsing flow ufid");
  let identity: FlowIdentity;
  try {
    const [first] = identitiesOf(text);
    assert(first !== undefined, "text names a flow");
    identity = first;
  } catch (error) {
    return session.complainOf("parsing flow ufid", error);
  }
  const printer = new FlowPrinter(session, datapath);
  const found = readFlow(session.channel, datapath, identity, (view) => printer.print(view));
  if (!found) return session.complain("getting flow", ENOENT);
  printer.flush();
  return 0;
}

/** `dump-flows [DP] [filter=FILTER] [type=TYPE]` */
export function dumpFlows(session: DpctlSession, args: readonly string[]): number {
  const left = [...args];
  let filterText: string | undefined;
  let isOfThread = true;
  for (;;) {
    const last = left.at(-1) ?? "";
    if (last.startsWith("filter=") && filterText === undefined) filterText = last.slice(7);
    else if (last.startsWith("type=")) checkTypes(session, last.slice(5));
    else if (last.startsWith("pmd=")) isOfThread = isNoThread(session, last.slice(4));
    else break;
    left.pop();
  }
  const { datapath } = session.openOptional(left, 1);
  const filter = readFilter(session, filterText, session.portNames(datapath));
  const printer = new FlowPrinter(session, datapath, filter);
  if (!isOfThread) return 0;
  const check = DumpCheck.of(session.channel, datapath);
  for (const view of dumpAll(session.channel, datapath, { check })) printer.print(view);
  printer.flush();
  const doubt = check.doubt();
  return doubt === undefined ? 0 : session.complain(doubtInWords(doubt));
}

/** What stands for no thread (`PMD_ID_NULL` in OVS's lib/dpif.h): a kernel's flows are of none. */
const NO_THREAD = 0x7fff_ffff;

// Threads are those of OVS's userspace datapath: as with ovs-dpctl a kernel's flows are of none that is named.
function isNoThread(session: DpctlSession, text: string): boolean {
  const digits = /^\s*([+-]?\d+)/.exec(text)?.[1];
  if (digits === undefined) {
    return session.fail(`Failed to parse pmd (${text})`, EINVAL, "expected the number of a thread");
  }
  return Number(digits) === NO_THREAD;
}

/** Where flows can be; in the kernel's datapath they are all `ovs`, and none is offloaded. */
const TYPES = ["ovs", "tc", "dpdk", "offloaded", "non-offloaded", "partially-offloaded", "all"];
const TYPES_HERE = new Set(["ovs", "non-offloaded", "all"]);

function checkTypes(session: DpctlSession, list: string): void {
  const types = list.split(",").filter((type) => type !== "");
  for (const type of types) {
    if (!TYPES.includes(type)) {
      session.fail(`Failed to parse type (${type})`, EINVAL, `expected ${TYPES.join(", ")}`);
    }
  }
  if (!types.some((type) => TYPES_HERE.has(type))) {
    session.fail(`no flows of type ${list}`, 0, "a kernel's datapath has only type=ovs");
  }
}

function readFilter(
  session: DpctlSession,
  text: string | undefined,
  ports: PortNames,
): FlowFilter | undefined {
  if (text === undefined) return undefined;
  try {
    return new FlowFilter(text, ports);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return session.fail(`Failed to parse filter (${text}: ${error.message})`);
  }
}

class FlowPrinter {
  readonly #session: DpctlSession;
  readonly #style: { readonly verbose: boolean; readonly ports: PortNames | undefined };
  readonly #filter: FlowFilter | undefined;
  readonly #record = new KeyRecord();
  readonly #out = new TextSink(PIECE_BYTES * 2);
  #nowMs = monotonicMs();

  constructor(session: DpctlSession, datapath: DatapathInfo, filter?: FlowFilter) {
    this.#session = session;
    this.#style = { verbose: session.verbose, ports: session.shownNames(datapath) };
    this.#filter = filter;
  }

  print(view: FlowView): void {
    if (!readMatch(view, this.#record)) {
      throw new MillraceError("MALFORMED", "the kernel sent a flow that cannot be decoded");
    }
    if (this.#filter?.passes(this.#record) === false) return;
    printDpctlFlow(view, this.#out, this.#style, this.#nowMs);
    this.#out.byte(0x0a);
    if (this.#out.length >= PIECE_BYTES) this.flush();
  }

  flush(): void {
    this.#session.out(this.#out.bytes.subarray(0, this.#out.length));
    this.#out.clear();
    // A long dump goes on while time does.
    this.#nowMs = monotonicMs();
  }
}
