import { align } from "../../netlink/align.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { NLMSG_HEADER } from "../../netlink/message.ts";
import { OVS_PREFIX } from "../../ovs/message.ts";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from "../../uapi/netlink.ts";
import {
  OVS_FLOW_ATTR_ACTIONS,
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
  OVS_FLOW_VERSION,
} from "../../uapi/openvswitch.ts";
import { MARK_OWN_UFID } from "./layout.ts";

/**
 * A message of a flow set, in words of 32 bits. It is a request without what only the load knows:
 * the family and the datapath are 0, the sequence number holds its line, and the port id its marks.
 *
 *   0    1             2         3      4        5    6     7 … 10   11   12 …
 *  | len | type, flags | line − | marks | cmd   | 0  | UFID | hash  | KEY |  …  | MASK | … | ACTIONS | …
 *                       first
 *
 * UFID, KEY and MASK are present whatever the verb is, so that the request of each verb, with or
 * without a UFID, is a part of the message.
 */
const TYPE_AT = 1;
/** Words of a message: its line, relative to the chunk's. */
export const LINE_AT = 2;
export const MARKS_AT = 3;
const GENERIC_AT = 4;
const DATAPATH_AT = 5;
export const UFID_AT = 6;
export const KEY_AT = 11;
const HEADER_WORDS = (NLMSG_HEADER + OVS_PREFIX) >> 2;
const UFID_WORDS = KEY_AT - UFID_AT;

const TYPE_REQUEST = NLM_F_REQUEST << 16;
const TYPE_PUT = (NLM_F_REQUEST | NLM_F_CREATE) << 16;
const TYPE_ADD = (NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL) << 16;
const GENERIC_NEW = OVS_FLOW_CMD_NEW | (OVS_FLOW_VERSION << 8);
const GENERIC_SET = OVS_FLOW_CMD_SET | (OVS_FLOW_VERSION << 8);
const GENERIC_DEL = OVS_FLOW_CMD_DEL | (OVS_FLOW_VERSION << 8);
const MARKS = MARK_OWN_UFID;
const UFID_HEADER = (OVS_FLOW_ATTR_UFID << 16) | (UFID_WORDS * 4);

/**
 * Checks that `start` to `end` are complete messages, each of which identifies one flow; the kernel
 * judges the contents of key, mask and actions.
 * @param goingUp whether their lines must ascend
 * @returns how many, or -1 if they are invalid
 */
export function countMessages(
  words: Int32Array,
  start: number,
  end: number,
  goingUp: boolean,
): number {
  let count = 0;
  let line = -1;
  for (let at = start; at < end; count++) {
    if (end - at < KEY_AT + 2) return -1;
    const length = words[at]!;
    const next = at + (length >> 2);
    if ((length & 3) !== 0 || length <= 0 || next > end) return -1;
    const generic = words[at + GENERIC_AT]!;
    const type = words[at + TYPE_AT]!;
    const isNew = generic === GENERIC_NEW;
    const isVerb = isNew || generic === GENERIC_SET || generic === GENERIC_DEL;
    const isType = isNew ? type === TYPE_PUT || type === TYPE_ADD : type === TYPE_REQUEST;
    if (!isVerb || !isType) return -1;
    if (words[at + DATAPATH_AT] !== 0) return -1;
    const marks = words[at + MARKS_AT]!;
    if (!hasWholeUfid(words, at) || (marks & ~MARKS) !== 0) return -1;
    const mask = attributeEnd(words, at + KEY_AT, next, OVS_FLOW_ATTR_KEY);
    // A DEL whose key is empty would be a flush.
    if (mask < 0 || (generic === GENERIC_DEL && keyWords(words, at) === 0)) return -1;
    let after = attributeEnd(words, mask, next, OVS_FLOW_ATTR_MASK);
    if (after >= 0 && after < next) after = attributeEnd(words, after, next, OVS_FLOW_ATTR_ACTIONS);
    if (after !== next || words[at + LINE_AT]! <= line) return -1;
    if (goingUp) line = words[at + LINE_AT]!;
    at = next;
  }
  return count;
}

/** The word after the attribute at `at`, or -1 if it has another type or is incomplete. */
function attributeEnd(words: Int32Array, at: number, end: number, type: number): number {
  if (at >= end) return -1;
  const header = words[at]!;
  const length = header & 0xffff;
  const next = at + (align(length) >> 2);
  return header >>> 16 === type && length >= NLA_HEADER && next <= end ? next : -1;
}

/** The word after the key of the message at `at`. */
export function keyEnd(words: Int32Array, at: number): number {
  return at + KEY_AT + (align(words[at + KEY_AT]! & 0xffff) >> 2);
}

/** The first word of the actions of the message at `at`, or -1 if it has none. */
export function actionsAt(words: Int32Array, at: number): number {
  const mask = keyEnd(words, at);
  const actions = mask + (align(words[mask]! & 0xffff) >> 2);
  return actions < at + (words[at]! >> 2) ? actions : -1;
}

/** The number of words of attributes in the key of the message at `at`. */
export function keyWords(words: Int32Array, at: number): number {
  return keyEnd(words, at) - at - KEY_AT - 1;
}

/** Whether the message at `at` begins with a UFID of 16 bytes, for which a set has room. */
export function hasWholeUfid(words: Int32Array, at: number): boolean {
  return words[at + UFID_AT] === UFID_HEADER;
}

/** Whether the message at `at` puts or adds its flow. */
export function isPut(words: Int32Array, at: number): boolean {
  return words[at + GENERIC_AT] === GENERIC_NEW;
}

/** Whether the message at `at` adds its flow without changing an existing one. */
export function isAdd(words: Int32Array, at: number): boolean {
  return words[at + TYPE_AT] === TYPE_ADD;
}

/** Whether the message at `at` has a given UFID. */
export function hasOwnUfid(words: Int32Array, at: number): boolean {
  return (words[at + MARKS_AT]! & MARK_OWN_UFID) !== 0;
}

/**
 * Finds the messages from `at` on that need changes only in their headers: all up to a DEL.
 * @param end the word after the last message
 * @returns the word after the last one found; `at` for none
 */
export function readyRun(words: Int32Array, at: number, end: number, countMax: number): number {
  let next = at;
  for (let count = 0; next < end && count < countMax; count++) {
    if (words[next + GENERIC_AT] === GENERIC_DEL) break;
    next += words[next]! >> 2;
  }
  return next;
}

/**
 * Whether the message at `at` is a delete, or becomes one because `deletes` turns puts into
 * deletes.
 */
function becomesDelete(words: Int32Array, at: number, deletes: boolean): boolean {
  const generic = words[at + GENERIC_AT]!;
  if (generic === GENERIC_DEL) return true;
  return deletes && generic === GENERIC_NEW && words[at + TYPE_AT] === TYPE_PUT;
}

/** Copies from messages only the parts that their verb and identity need. */
export class MessageCopier {
  /** The next message to copy. */
  at = 0;
  readonly #ufid: boolean;
  readonly #deletes: boolean;

  /**
   * @param ufid whether flows keep UFIDs that are the hash of their key and mask
   * @param deletes whether puts become deletes
   */
  constructor(ufid: boolean, deletes: boolean) {
    this.#ufid = ufid;
    this.#deletes = deletes;
  }

  /** Whether the message at `at` would be a delete with an empty key, which is a flush. */
  namesNoFlow(words: Int32Array, at: number): boolean {
    if (this.#ufid || hasOwnUfid(words, at) || !becomesDelete(words, at, this.#deletes))
      return false;
    return keyWords(words, at) === 0;
  }

  /**
   * Copies messages from {@link at} on, up to `end` of `words`, to `out` and no further than
   * `limit` of `to`.
   * @returns the word after the last one in `to`; `out` if there was no room for one, or it
   * {@link namesNoFlow}
   */
  copy(
    words: Int32Array,
    end: number,
    to: Int32Array,
    out: number,
    limit: number,
    countMax: number,
  ): number {
    const ufid = this.#ufid;
    const deletes = this.#deletes;
    let from = this.at;
    let position = out;
    for (let count = 0; from < end && count < countMax; count++) {
      const next = from + (words[from]! >> 2);
      const isDelete = becomesDelete(words, from, deletes);
      const marks = words[from + MARKS_AT]!;
      const keep = ufid || (marks & MARK_OWN_UFID) !== 0;
      const first = from + (keep ? UFID_AT : KEY_AT);
      const actions = actionsAt(words, from);
      const last = isDelete && actions >= 0 ? actions : next;
      const size = HEADER_WORDS + last - first;
      if (position + size > limit || this.namesNoFlow(words, from)) break;
      to[position] = size << 2;
      for (let i = 1; i < HEADER_WORDS; i++) to[position + i] = words[from + i]!;
      position += HEADER_WORDS;
      for (let i = first; i < last; i++) to[position++] = words[i]!;
      from = next;
    }
    this.at = from;
    return position;
  }
}
