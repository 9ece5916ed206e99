import type { LineVerb } from "../flow/line.ts";
import { align } from "../netlink/align.ts";
import { NLA_HEADER } from "../netlink/attribute-writer.ts";
import type { Batch } from "../netlink/batch.ts";
import { NLMSG_HEADER } from "../netlink/message.ts";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from "../uapi/netlink.ts";
import {
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
} from "../uapi/openvswitch.ts";
import { decodeFlow, type FlowParts } from "../flow/parts.ts";
import { OVS_PREFIX } from "./message.ts";

/**
 * The layout of a flow request, as FlowRequests writes it into a batch: netlink header, generic
 * header and ovs_header, then UFID, KEY, MASK and ACTIONS, each padded to whole words. Code that
 * looks at every message of a batch reads its words in place.
 */

/**
 * What to do with a flow. `put` creates it or replaces its actions, `add` only creates it, `modify`
 * and `delete` require it to exist.
 *
 * A put is NEW with NLM_F_CREATE: if a flow is in the way, it fails with EEXIST, and the sender
 * finds out which flow that is. Without NLM_F_CREATE the kernel would replace the actions of a flow
 * with a wider mask (`ovs_flow_cmd_new` compares the new key with a masked one, but not the masks).
 * To the kernel, `add` is the same request; NLM_F_EXCL distinguishes the two here.
 */
export type FlowVerb = LineVerb;

/** Command and flags of each verb. */
export const COMMANDS: Readonly<Record<FlowVerb, readonly [command: number, flags: number]>> = {
  put: [OVS_FLOW_CMD_NEW, NLM_F_REQUEST | NLM_F_CREATE],
  add: [OVS_FLOW_CMD_NEW, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL],
  modify: [OVS_FLOW_CMD_SET, NLM_F_REQUEST],
  delete: [OVS_FLOW_CMD_DEL, NLM_F_REQUEST],
};

/** The words of a request that hold no attribute: type and flags, command and version, datapath. */
export const TYPE_AT = 1;
export const GENERIC_AT = 4;
export const DATAPATH_AT = 5;
export const ATTRIBUTES_AT: number = (NLMSG_HEADER + OVS_PREFIX) >> 2;

/** The family number in the requests of a batch. */
export function familyOf(batch: Batch): number {
  return (batch.memory.u32[((batch.starts[0] ?? 0) >> 2) + TYPE_AT] ?? 0) & 0xffff;
}

/** The command of request `index` of a batch, OVS_FLOW_CMD_NEW and so on. */
export function commandOf(batch: Batch, index: number): number {
  return (batch.memory.u32[((batch.starts[index] ?? 0) >> 2) + GENERIC_AT] ?? 0) & 0xff;
}

/** The verb of request `index` of a batch. */
export function verbOf(batch: Batch, index: number): FlowVerb {
  const command = commandOf(batch, index);
  const flags = (batch.memory.u32[((batch.starts[index] ?? 0) >> 2) + TYPE_AT] ?? 0) >>> 16;
  if (command === OVS_FLOW_CMD_DEL) return "delete";
  if (command === OVS_FLOW_CMD_SET) return "modify";
  return (flags & NLM_F_EXCL) === 0 ? "put" : "add";
}

/** Finds the parts of request `index` of a batch, which owns the bytes. */
export function decodeRequest(batch: Batch, index: number, into: FlowParts): FlowParts {
  const { u8, view } = batch.memory;
  const start = (batch.starts[index] ?? 0) + NLMSG_HEADER + OVS_PREFIX;
  decodeFlow({ bytes: u8, view, start, end: batch.starts[index + 1] ?? 0 }, into);
  return into;
}

/**
 * The attribute that identifies the flow of request `index`, as a word of the batch's memory: a
 * request begins with its UFID, or with its key if it has none.
 */
export function nameAt(batch: Batch, index: number): number {
  return ((batch.starts[index] ?? 0) >> 2) + ATTRIBUTES_AT;
}

/** Whether request `index` identifies its flow by a UFID. */
export function hasUfid(batch: Batch, index: number): boolean {
  return batch.memory.u32[nameAt(batch, index)]! >>> 16 === OVS_FLOW_ATTR_UFID;
}

/** The first word of an attribute of request `index`; -1 if it has none of this type. */
export function attributeAt(batch: Batch, index: number, type: number): number {
  const { u32 } = batch.memory;
  const end = (batch.starts[index + 1] ?? 0) >> 2;
  for (let at = nameAt(batch, index); at < end;) {
    const header = u32[at]!; // below the end of the message
    const length = header & 0xffff;
    if (header >>> 16 === type) return at;
    // A malformed attribute ends the list, as in the kernel (`nla_ok`).
    if (length < NLA_HEADER) return -1;
    at += align(length) >> 2;
  }
  return -1;
}

/** Words of the attribute that begins at a word, with its padding. */
export function attributeWords(u32: Uint32Array, at: number): number {
  return align((u32[at] ?? 0) & 0xffff) >> 2;
}

/** Whether two requests of a batch have the same mask, byte for byte; or neither has one. */
export function haveSameMask(batch: Batch, a: number, b: number): boolean {
  const { u32 } = batch.memory;
  const maskA = attributeAt(batch, a, OVS_FLOW_ATTR_MASK);
  const maskB = attributeAt(batch, b, OVS_FLOW_ATTR_MASK);
  if (maskA < 0 || maskB < 0) return maskA === maskB;
  const words = attributeWords(u32, maskA);
  for (let i = 0; i < words; i++) if (u32[maskA + i] !== u32[maskB + i]) return false;
  return true;
}

/** A hash of the UFID of request `index`; 0 only if it has none. */
export function hashUfid(batch: Batch, index: number): number {
  return hashAttribute(batch, attributeAt(batch, index, OVS_FLOW_ATTR_UFID), 0);
}

/** A hash of the key of request `index`, different from that of a UFID; 0 only if it has none. */
export function hashKey(batch: Batch, index: number): number {
  return hashAttribute(batch, attributeAt(batch, index, OVS_FLOW_ATTR_KEY), KEY_SEED);
}

const KEY_SEED = 0x5bd1e995;

function hashAttribute(batch: Batch, at: number, seed: number): number {
  if (at < 0) return 0;
  const { u32 } = batch.memory;
  const words = attributeWords(u32, at);
  let hash = words ^ seed;
  for (let i = 1; i < words; i++) {
    hash = Math.imul(hash ^ u32[at + i]!, 0x9e3779b1); // within the attribute
    hash ^= hash >>> 15;
  }
  return hash === 0 ? 1 : hash;
}
