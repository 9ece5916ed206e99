import { Flow } from "./flow/flow.ts";
import { notOneFlow } from "./flow/text/syntax-error.ts";
import { FlowFilter } from "./flow/filter/filter.ts";
import { identitiesOf } from "./flow/identity.ts";
import { ufidSeed } from "./flow/key/ufid.ts";
import { FlowLineEncoder } from "./flow/line.ts";
import {
  type ByteRange,
  type FlowParts,
  identityOf,
  isOwned,
  type FlowIdentity,
  FLOW_BYTES_MAX,
} from "./flow/parts.ts";
import type { PortNames } from "./flow/ports.ts";
import { brokenRule } from "./flow/rules/validate.ts";
import { ufidOf } from "./flow/text/ufid.ts";
import { Account } from "./load/account.ts";
import { type FlowException, hasFailed } from "./load/outcome.ts";
import { rejectionError } from "./load/rejection.ts";
import { SendConnection, type LoadTarget } from "./load/send/connection.ts";
import { sameMatch } from "./load/settle/same-flow.ts";
import { DEFAULT_BATCHING } from "./load/send/batching.ts";
import { Settler } from "./load/settle/settler.ts";
import { AttributeWriter } from "./netlink/attribute-writer.ts";
import { noPermission } from "./netlink/channel.ts";
import { NetlinkError } from "./netlink/errors.ts";
import type { FlowVerb } from "./ovs/flow-request.ts";
import { FlowRequests } from "./ovs/flow-requests.ts";
import type { FlowsOptions } from "./datapath-options.ts";
import { DumpCheck, throwDoubt } from "./ovs/dump-check.ts";
import { clearFlow, deleteFlow, dumpFlows, getFlow, omitting, TERSE } from "./ovs/flow.ts";
import { dumpToLoad } from "./ovs/ordered-dump.ts";
import { lazyPortNames, portNames } from "./ovs/vport.ts";
import { ENOENT, EPERM } from "./sys/errno.ts";
import { MillraceError } from "./sys/errors.ts";
import { PinnedMemory } from "./sys/memory.ts";
import {
  OVS_FLOW_ATTR_CLEAR,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
} from "./uapi/openvswitch.ts";

/**
 * Identifies a flow: `ufid:UUID`, its key or its line as text; or an object that was read, a `Flow`
 * or {@link FlowCounters}.
 */
export type FlowName = string | { readonly identity: FlowIdentity };

/** A flow in a terse dump. */
export type FlowCounters = {
  /** A UUID, or `0x…` if it is shorter; undefined for a flow identified by its key. */
  readonly ufid: string | undefined;
  readonly identity: FlowIdentity;
  readonly packets: number;
  readonly byteCount: number;
  /** When the last packet came, in `monotonicMs`; 0 for never. */
  readonly usedMs: number;
  /** TCP flags that it has seen. */
  readonly tcpFlags: number;
};

/** A filter that may name the ports of a datapath. @throws FlowSyntaxError */
export function filterOf({ datapath }: LoadTarget, where: string | FlowFilter): FlowFilter {
  if (where instanceof FlowFilter) return where;
  return FlowFilter.parse(where, { ports: lazyPortNames(datapath) });
}

/** See `Datapath.flows`. */
export function* flowsOf(
  target: LoadTarget,
  { where, terse, onDoubt = throwDoubt }: FlowsOptions & { readonly terse?: boolean },
): Generator<Flow | FlowCounters, void> {
  const filter = where === undefined ? undefined : filterOf(target, where);
  const check = DumpCheck.of(target.datapath);
  if (terse === true) yield* countersOfAll(target, check, filter);
  else {
    for (const view of dumpToLoad(target.datapath, { check, where: filter?.ofDump() })) {
      yield Flow.fromParts(view);
    }
  }
  const doubt = check.doubt();
  if (doubt !== undefined) onDoubt(doubt);
}

// Counters of every flow, or of those that pass a filter; keys and actions are dumped only for the
// filter.
function* countersOfAll(
  { datapath }: LoadTarget,
  check: DumpCheck,
  where: FlowFilter | undefined,
): Generator<FlowCounters, void> {
  const omit = where === undefined ? TERSE : omitting(where.needs);
  const isWanted = where?.ofDump();
  for (const view of dumpFlows(datapath, { omit, check })) {
    if (isWanted === undefined || isWanted(view)) yield countersOf(view);
  }
}

function countersOf(view: FlowParts): FlowCounters {
  const { packets, byteCount, usedMs, tcpFlags } = view;
  return { ufid: ufidOf(view), identity: identityOf(view), packets, byteCount, usedMs, tcpFlags };
}

/**
 * Carries out one request, and waits for the kernel's reply.
 * @param clear whether to reset its counters; with `modify`
 * @throws FlowSyntaxError; NotSupportedError if another kernel would take it; FlowRejectedError;
 * MillraceError `NO_PERMISSION`
 */
export function sendOne(
  target: LoadTarget,
  flow: string | Flow,
  verb: FlowVerb,
  clear = false,
): void {
  const text = flow.toString();
  const rejected = carryOut(target, verb, (writer) => {
    const encoder = new FlowLineEncoder({ ...namesOf(target), ufid: true, mode: verb });
    const line = new TextEncoder().encode(text);
    const taken = encoder.encode(line, 0, line.length, 1, writer);
    if (!taken || encoder.verb !== verb) throw notOneFlow(text);
    if (clear) writer.flag(OVS_FLOW_ATTR_CLEAR);
  });
  if (rejected !== undefined) throw errorOf(rejected, text);
}

/** Deletes one flow. @returns false if there is no such flow @throws as {@link sendOne} */
export function removeOne(target: LoadTarget, flow: FlowName): boolean {
  const named = findName(target, flow);
  if (!("parts" in named)) return deleteFlow(target.datapath, named.identity);
  return isThere(carryOut(target, "delete", (writer) => writeName(writer, named.parts)));
}

/** Resets the counters of one flow. @returns as {@link removeOne} */
export function clearOne(target: LoadTarget, flow: FlowName): boolean {
  const named = findName(target, flow);
  if (!("parts" in named)) return clearFlow(target.datapath, named.identity);
  return isThere(
    carryOut(target, "modify", (writer) => {
      writeName(writer, named.parts);
      writer.flag(OVS_FLOW_ATTR_CLEAR);
    }),
  );
}

/**
 * Reads one flow.
 * @returns undefined if there is no such flow
 * @throws FlowSyntaxError; FlowRejectedError if the key breaks a rule of the kernel's; NetlinkError
 */
export function readOne(target: LoadTarget, flow: FlowName): Flow | undefined {
  const { datapath } = target;
  const named = findName(target, flow);
  const parts = "parts" in named ? named.parts : undefined;
  const ways: FlowIdentity[] = [named.identity];
  // A flow with a given UFID is no flow without it: nothing else would change or delete it either.
  const isHash = parts !== undefined && isOwned(parts, ufidSeed(target.owner));
  if (isHash && parts.key.end > parts.key.start) {
    ways.push({ key: parts.bytes.slice(parts.key.start, parts.key.end) });
  }
  let found: Flow | undefined;
  try {
    for (const identity of ways) {
      getFlow(datapath, identity, (view) => {
        if (parts === undefined || sameMatch(parts, view)) found = Flow.fromParts(view);
      });
      if (found !== undefined) break;
    }
  } catch (error) {
    if (!(error instanceof NetlinkError) || typeof flow !== "string") throw error;
    const reason = parts && brokenRule(parts)?.reason;
    if (reason === undefined) throw error;
    throw rejectionError({ errno: error.errno, reason, text: flow, cause: error });
  }
  return found;
}

/** A flow to look for: its identity, and its match if known. */
type NamedFlow = Flow | { readonly identity: FlowIdentity };

// Text that is only a UFID, and counters of a dump, identify a flow whatever it matches.
function findName(target: LoadTarget, flow: FlowName): NamedFlow {
  if (typeof flow !== "string") return flow;
  const names = namesOf(target);
  const [identity, ...others] = identitiesOf(flow, names);
  if (identity !== undefined && others.length === 0) return { identity };
  const writer = new AttributeWriter(new PinnedMemory(FLOW_BYTES_MAX));
  const encoder = new FlowLineEncoder({ ...names, ufid: true, mode: "delete" });
  const line = new TextEncoder().encode(flow.trim());
  if (!encoder.encode(line, 0, line.length, 1, writer)) throw notOneFlow(flow);
  return Flow.fromAttributes(writer.memory.u8, 0, writer.position);
}

function writeName(writer: AttributeWriter, { bytes, ufid, key, mask }: FlowParts): void {
  const put = (type: number, { start, end }: ByteRange): void => {
    if (start >= 0) writer.bytes(type, bytes, start, end);
  };
  put(OVS_FLOW_ATTR_UFID, ufid);
  put(OVS_FLOW_ATTR_KEY, key);
  put(OVS_FLOW_ATTR_MASK, mask);
}

function isThere(rejected: FlowException | undefined): boolean {
  if (rejected === undefined) return true;
  if (rejected.errno === ENOENT) return false;
  throw errorOf(rejected, rejected.text);
}

function errorOf(rejected: FlowException, text: string): Error {
  const { errno, reason, missing } = rejected;
  if (errno === EPERM) return noPermission("changing a flow");
  return rejectionError({ errno, reason, text, missing });
}

// Carries out a load of one request.
function carryOut(
  target: LoadTarget,
  verb: FlowVerb,
  write: (writer: AttributeWriter) => void,
): FlowException | undefined {
  const { datapath, connections } = target;
  const { channel } = datapath;
  const connection =
    connections?.take(channel, DEFAULT_BATCHING) ?? new SendConnection(channel, DEFAULT_BATCHING);
  let done = false;
  try {
    const requests = FlowRequests.to(datapath, connection.batch);
    const account = new Account();
    const settler = new Settler(target, connection, account, {
      tolerate: new Set(),
    });
    write(requests.begin());
    if (!requests.commit(verb, 1)) {
      throw new MillraceError("TOO_LONG", "the flow is longer than a request can be");
    }
    settler.begin(requests.batch, false);
    settler.settle(Number.POSITIVE_INFINITY);
    done = true;
    return account.firstExceptions.find(hasFailed);
  } finally {
    if (done && connections !== undefined) connections.give(connection);
    else connection.close();
  }
}

// The ports that names in a text refer to, and the flow's owner.
function namesOf({ datapath, owner = "" }: LoadTarget): {
  ports: PortNames;
  owner: string;
} {
  return { ports: portNames(datapath), owner };
}
