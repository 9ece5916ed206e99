import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
} from "../uapi/openvswitch.ts";
import { writeKey, writeMask } from "./key/encode.ts";
import { normalize } from "./key/normal-form.ts";
import { KeyRecord } from "./key/record.ts";
import { NO_OWNER, UFID_SIZE, type UfidSeed, writeUfid } from "./key/ufid.ts";
import { type FlowParts, hasGivenUfid, readMatch } from "./parts.ts";

/**
 * The UFID with which a flow is sent: the hash of its match for an owner, given bytes (1 to 16), or
 * none.
 */
export type SentUfid = UfidSeed | Uint8Array | "none";

/**
 * Appends the identity and match of a flow: UFID, KEY and MASK, in this order. A writer without
 * room is left failed.
 * @param record in normal form
 * @returns bytes of the key's payload
 */
export function writeMatch(writer: AttributeWriter, record: KeyRecord, ufid: SentUfid): number {
  if (ufid !== "none") writeUfidAttribute(writer, record, ufid);
  const key = writer.nest(OVS_FLOW_ATTR_KEY);
  const keyStart = writer.position;
  writeKey(record, writer);
  const keyBytes = writer.position - keyStart;
  writer.endNest(key);
  writeMaskNest(writer, record);
  return keyBytes;
}

function writeMaskNest(writer: AttributeWriter, record: KeyRecord): void {
  const mask = writer.nest(OVS_FLOW_ATTR_MASK);
  writeMask(record, writer);
  writer.endNest(mask);
}

function writeUfidAttribute(
  writer: AttributeWriter,
  record: KeyRecord,
  ufid: UfidSeed | Uint8Array,
): void {
  if (ufid instanceof Uint8Array) {
    writer.bytes(OVS_FLOW_ATTR_UFID, ufid);
    return;
  }
  const at = writer.reserve(OVS_FLOW_ATTR_UFID, UFID_SIZE);
  if (at >= 0) writeUfid(record, writer.memory.i32, at, ufid);
}

const RECORD = new KeyRecord();

/**
 * The identity under which a flow that was read is sent: the hash of its match for an owner, unless
 * it has a given UFID; no UFID; or, with `kept`, its identity in the kernel: its UFID, or its key
 * as the kernel has it, including unmatched bits (`ovs_flow_cmp_unmasked_key` in
 * net/openvswitch/flow_table.c).
 */
export type WrittenName = UfidSeed | "none" | "kept";

/** The result of {@link writeFlow}. */
type Written = "written" | "malformed" | "nameless";

/**
 * Appends a flow that was read, for example from a kernel, as the attributes of a request: its
 * match in normal form, its actions byte for byte. No text is made.
 * @param withActions false for a delete
 * @returns `malformed` if its key or mask cannot be read: nothing was written; `nameless` if
 * neither a UFID nor a key identifies it: as a delete it would be a flush
 */
export function writeFlow(
  writer: AttributeWriter,
  flow: FlowParts,
  name: WrittenName,
  withActions: boolean,
): Written {
  if (!readMatch(flow, RECORD)) return "malformed";
  const ufid = name === "kept" ? keptUfid(flow) : sentUfid(flow, name);
  normalize(RECORD);
  return writeRead(writer, flow, RECORD, { ufid, withActions, keepKey: name === "kept" });
}

/** How a flow is written. */
type WriteOptions = {
  readonly ufid: SentUfid;
  readonly withActions: boolean;
  /** Whether its key is written as it was read if it has no UFID. */
  readonly keepKey: boolean;
};

/**
 * As {@link writeFlow}, for a flow whose match is already decoded.
 * @param record its match in normal form
 */
export function writeRead(
  writer: AttributeWriter,
  flow: FlowParts,
  record: KeyRecord,
  { ufid, withActions, keepKey }: WriteOptions,
): Written {
  const { bytes, key, actions } = flow;
  let keyBytes: number;
  if (keepKey && ufid === "none") {
    keyBytes = key.end - key.start;
    writer.bytes(OVS_FLOW_ATTR_KEY, bytes, key.start, key.end);
    writeMaskNest(writer, record);
  } else {
    keyBytes = writeMatch(writer, record, ufid);
  }
  if (withActions && actions.start >= 0) {
    writer.bytes(OVS_FLOW_ATTR_ACTIONS, bytes, actions.start, actions.end);
  }
  return keyBytes === 0 && ufid === "none" ? "nameless" : "written";
}

/** The UFID of a flow; none if its key identifies it. */
function keptUfid({ bytes, ufid }: FlowParts): Uint8Array | "none" {
  return ufid.start < 0 ? "none" : bytes.subarray(ufid.start, ufid.end);
}

function sentUfid(flow: FlowParts, name: UfidSeed | "none"): SentUfid {
  const given = hasGivenUfid(flow, name === "none" ? NO_OWNER : name);
  return given ? keptUfid(flow) : name;
}
