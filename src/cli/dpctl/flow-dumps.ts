import { identitiesOf } from "../../flow/identity.ts";
import { KeyRecord } from "../../flow/key/record.ts";
import type { PortNames } from "../../flow/ports.ts";
import { type FlowParts, readMatch, type FlowIdentity } from "../../flow/parts.ts";
import { TextSink } from "../../flow/text/sink.ts";
import type { DatapathHandle } from "../../ovs/datapath.ts";
import { DumpCheck, doubtInWords } from "../../ovs/dump-check.ts";
import { dumpFlows as dumpAll, getFlow as readFlow } from "../../ovs/flow.ts";
import { monotonicMs } from "../../sys/clock.ts";
import { EINVAL, ENOENT } from "../../sys/errno.ts";
import { assert, MillraceError } from "../../sys/errors.ts";
import { FlowFilter } from "./filter.ts";
import { printDpctlFlow } from "./flow-text.ts";
import { type DpctlSession, failAsFlow } from "./session.ts";

/** Output is written in pieces of this size. */
const PIECE_BYTES = 64 << 10;

/** `get-flow [DP] ufid:UFID` */
export function getFlow(session: DpctlSession, args: readonly string[]): number {
  const { datapath, rest } = session.openOptional(args, 2);
  if (rest.length < 1) failAsFlow(session, "parsing flow ufid", args, "the flow is missing");
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
  const found = readFlow(datapath, identity, (view) => printer.print(view));
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
  const check = DumpCheck.of(datapath);
  for (const view of dumpAll(datapath, { check })) printer.print(view);
  printer.flush();
  const doubt = check.doubt();
  return doubt === undefined ? 0 : session.complain(doubtInWords(doubt));
}

/**
 * The number for no thread (`PMD_ID_NULL` in OVS's lib/dpif.h): a kernel's flows belong to none.
 */
const NO_THREAD = 0x7fff_ffff;

// Whether the argument selects flows without a thread. Only OVS's userspace datapath has threads;
// as with ovs-dpctl, a named thread has none of a kernel's flows.
function isNoThread(session: DpctlSession, text: string): boolean {
  const digits = /^\s*([+-]?\d+)/.exec(text)?.[1];
  if (digits === undefined) {
    return session.fail(`Failed to parse pmd (${text})`, EINVAL, "expected the number of a thread");
  }
  return Number(digits) === NO_THREAD;
}

/** The types of flows; in the kernel's datapath all are `ovs`, and none is offloaded. */
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

  constructor(session: DpctlSession, datapath: DatapathHandle, filter?: FlowFilter) {
    this.#session = session;
    this.#style = { verbose: session.verbose, ports: session.shownNames(datapath) };
    this.#filter = filter;
  }

  print(view: FlowParts): void {
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
    // A long dump takes time, so the clock is read again.
    this.#nowMs = monotonicMs();
  }
}
