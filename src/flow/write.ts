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

/** The UFID that a flow is sent with: the hash of its match for an owner, one of 1 to 16 bytes, or none. */
export type SentUfid = UfidSeed | Uint8Array | "none";

/**
 * Appends what names a flow and what it matches: UFID, KEY and MASK, in this order. A writer without room is
 * left failed.
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
  const mask = writer.nest(OVS_FLOW_ATTR_MASK);
  writeMask(record, writer);
  writer.endNest(mask);
  return keyBytes;
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
 * Appends a flow that was read, from a kernel say, as a request has it: its match in normal form, its actions
 * byte for byte. No text is made of it.
 * @param ufid the seed of the hash that a flow without a given UFID gets; or none
 * @param withActions false for a delete
 * @returns `malformed` where its key or mask cannot be read: nothing was written; `nameless` where neither a
 *   UFID nor a key names it, which as a delete would be a flush
 */
export function writeFlow(
  writer: AttributeWriter,
  flow: FlowParts,
  ufid: UfidSeed | "none",
  withActions: boolean,
): "written" | "malformed" | "nameless" {
  if (!readMatch(flow, RECORD)) return "malformed";
  const { bytes, actions } = flow;
  const given = hasGivenUfid(flow, ufid === "none" ? NO_OWNER : ufid);
  normalize(RECORD);
  const sent = given ? bytes.subarray(flow.ufid.start, flow.ufid.end) : ufid;
  const keyBytes = writeMatch(writer, RECORD, sent);
  if (withActions && actions.start >= 0) {
    writer.bytes(OVS_FLOW_ATTR_ACTIONS, bytes, actions.start, actions.end);
  }
  return keyBytes === 0 && sent === "none" ? "nameless" : "written";
}
