import { AttributeReader, counterAt } from "../netlink/attribute-reader.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_STATS,
  OVS_FLOW_ATTR_TCP_FLAGS,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_ATTR_USED,
} from "../uapi/openvswitch.ts";
import { decodeKey, NO_MASK } from "./key/decode.ts";
import { normalize } from "./key/normal-form.ts";
import { KeyRecord } from "./key/record.ts";
import { NO_OWNER, UFID_SIZE, type UfidSeed, writeUfid } from "./key/ufid.ts";

/** Room for the longest flow: key, mask and actions of 64 KiB each, and headers. */
export const FLOW_BYTES_MAX: number = 200 << 10;

/** The range of an attribute's payload; `start` is -1 if there is none. */
export type ByteRange = { start: number; end: number };

/** The statistics of a flow. */
export type FlowStatistics = {
  packets: number;
  byteCount: number;
  /** Monotonic milliseconds at the last packet; 0 for never. */
  usedMs: number;
  /** TCP flags seen; 0 for none. */
  tcpFlags: number;
};

/**
 * A flow as bytes, with the ranges of its attributes' payloads. It refers to a receive buffer, a
 * batch or its own bytes; the code that fills it says how long it is valid.
 */
export type FlowParts = FlowStatistics & {
  bytes: Uint8Array;
  readonly ufid: ByteRange;
  readonly key: ByteRange;
  readonly mask: ByteRange;
  /** Also absent if a dump's chunk had no room for them: `getFlow` has them. */
  readonly actions: ByteRange;
};

/** Empty parts, for {@link decodeFlow} to fill. */
export function newFlowParts(): FlowParts {
  return {
    bytes: new Uint8Array(0),
    ufid: { start: -1, end: -1 },
    key: { start: -1, end: -1 },
    mask: { start: -1, end: -1 },
    actions: { start: -1, end: -1 },
    packets: 0,
    byteCount: 0,
    usedMs: 0,
    tcpFlags: 0,
  };
}

/** A list of attributes: `bytes[start..end)`; `view` has the same memory. */
type AttributeList = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly start: number;
  readonly end: number;
};

const READER = new AttributeReader();

/** Finds the parts of a flow in the attributes of a message of the family ovs_flow. Allocates nothing. */
export function decodeFlow(
  { bytes, view, start: first, end }: AttributeList,
  into: FlowParts,
): void {
  into.bytes = bytes;
  into.ufid.start = into.key.start = into.mask.start = into.actions.start = -1;
  into.ufid.end = into.key.end = into.mask.end = into.actions.end = -1;
  into.packets = into.byteCount = into.usedMs = into.tcpFlags = 0;
  const reader = READER.reset(bytes, first, end);
  while (reader.next()) {
    const { start, length } = reader;
    switch (reader.type) {
      case OVS_FLOW_ATTR_UFID:
        setRange(into.ufid, start, length);
        break;
      case OVS_FLOW_ATTR_KEY:
        setRange(into.key, start, length);
        break;
      case OVS_FLOW_ATTR_MASK:
        setRange(into.mask, start, length);
        break;
      case OVS_FLOW_ATTR_ACTIONS:
        setRange(into.actions, start, length);
        break;
      case OVS_FLOW_ATTR_STATS:
        if (length < 16) break;
        into.packets = counterAt(view, start);
        into.byteCount = counterAt(view, start + 8);
        break;
      case OVS_FLOW_ATTR_USED:
        if (length >= 8) into.usedMs = counterAt(view, start);
        break;
      case OVS_FLOW_ATTR_TCP_FLAGS:
        if (length >= 1) into.tcpFlags = view.getUint8(start);
        break;
      default:
    }
  }
}

function setRange(range: ByteRange, start: number, length: number): void {
  range.start = start;
  range.end = start + length;
}

/** A copy of a flow that owns its bytes, and only those that it needs. */
export function copyFlow(flow: FlowParts): FlowParts {
  const there = [flow.ufid, flow.key, flow.mask, flow.actions].filter(({ start }) => start >= 0);
  const first = Math.min(...there.map(({ start }) => start));
  const end = Math.max(...there.map((range) => range.end));
  const moved = (range: ByteRange): ByteRange =>
    range.start < 0 ? { ...range } : { start: range.start - first, end: range.end - first };
  return {
    ...flow,
    bytes: flow.bytes.slice(first, end),
    ufid: moved(flow.ufid),
    key: moved(flow.key),
    mask: moved(flow.mask),
    actions: moved(flow.actions),
  };
}

/** Identifies one flow: by UFID, or by key if it was put without one. The caller owns the bytes. */
export type FlowIdentity =
  | { readonly ufid: Uint8Array }
  /** The payload of OVS_FLOW_ATTR_KEY, masked. */
  | { readonly key: Uint8Array };

/** The identity of a flow: its UFID, or its key if it has none. Copies the bytes. */
export function identityOf({
  bytes,
  ufid,
  key,
}: Pick<FlowParts, "bytes" | "ufid" | "key">): FlowIdentity {
  return ufid.start < 0
    ? { key: bytes.slice(key.start, key.end) }
    : { ufid: bytes.slice(ufid.start, ufid.end) };
}

/** Whether two flows have the same UFID, or neither has one. */
export function haveSameUfid(
  { bytes: a, ufid: own }: FlowParts,
  { bytes: b, ufid: held }: FlowParts,
): boolean {
  const length = own.end - own.start;
  if (length !== held.end - held.start) return false;
  for (let i = 0; i < length; i++) if (a[own.start + i] !== b[held.start + i]) return false;
  return true;
}

/** What a flow matches. */
type Match = Pick<FlowParts, "bytes" | "key" | "mask">;

/**
 * Reads the key and the mask of a flow into `record`.
 * @returns false if they are malformed
 */
export function readMatch({ bytes, key, mask }: Match, record: KeyRecord): boolean {
  const maskStart = mask.start < 0 ? NO_MASK : mask.start;
  return decodeKey(bytes, key.start, key.end, maskStart, mask.end, record);
}

const RECORD = new KeyRecord();

/**
 * Writes the hash of a flow's match, 16 bytes at `at`, regardless of the UFID that it was put with.
 * @param seed the seed of its owner
 * @returns false if the flow cannot be read
 */
export function hashMatch(
  flow: Match,
  out: Int32Array,
  at: number,
  seed: UfidSeed = NO_OWNER,
): boolean {
  if (!readMatch(flow, RECORD)) return false;
  normalize(RECORD);
  writeUfid(RECORD, out, at, seed);
  return true;
}

const HASH = new Int32Array(UFID_SIZE / 4);
const HASH_BYTES = new Uint8Array(HASH.buffer);

/** Whether an owner put a flow: its UFID is the hash of its match with the owner's seed. */
export function isOwned(flow: FlowParts, seed: UfidSeed = NO_OWNER): boolean {
  const { bytes, ufid } = flow;
  if (ufid.end - ufid.start !== UFID_SIZE || !hashMatch(flow, HASH, 0, seed)) return false;
  for (let i = 0; i < UFID_SIZE; i++) if (bytes[ufid.start + i] !== HASH_BYTES[i]) return false;
  return true;
}

/**
 * Whether a flow has a UFID to keep: one given by its author, or the hash for another owner. The
 * hash for this owner, or for no owner, is computed again.
 */
export function hasGivenUfid(flow: FlowParts, seed: UfidSeed = NO_OWNER): boolean {
  if (flow.ufid.start < 0 || isOwned(flow)) return false;
  return seed === NO_OWNER || !isOwned(flow, seed);
}
