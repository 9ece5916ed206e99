import { align } from "../netlink/align.ts";
import { NLA_HEADER } from "../netlink/attribute-writer.ts";
import { NLMSG_HEADER } from "../netlink/message.ts";
import { OVS_PREFIX } from "../ovs/message.ts";

/*
 * What tells flow requests apart, read from their words where they lie: for code that looks at every
 * message of a batch.
 */

const FIRST_WORD = (NLMSG_HEADER + OVS_PREFIX) >> 2;

/**
 * The word where an attribute of the request from word `start` to `end` begins; -1 where it has none.
 * Attributes are padded to words.
 */
export function findAttribute(u32: Uint32Array, start: number, end: number, type: number): number {
  for (let at = start + FIRST_WORD; at < end;) {
    const header = u32[at]!; // below the end of the message
    const length = header & 0xffff;
    if (header >>> 16 === type) return at;
    // What is no attribute ends the list, as in the kernel (`nla_ok`).
    if (length < NLA_HEADER) return -1;
    at += align(length) >> 2;
  }
  return -1;
}

/** Two attributes, by the words where they begin, are the same bytes; or neither is there. */
export function sameAttribute(u32: Uint32Array, one: number, other: number): boolean {
  if (one < 0 || other < 0) return one === other;
  const words = align(u32[one]! & 0xffff) >> 2;
  for (let i = 0; i < words; i++) if (u32[one + i] !== u32[other + i]) return false;
  return true;
}

/** A hash of an attribute's payload that is never 0; 0 for one that is not there. */
export function hashAttribute(u32: Uint32Array, at: number): number {
  if (at < 0) return 0;
  const words = align(u32[at]! & 0xffff) >> 2;
  let hash = words;
  for (let i = 1; i < words; i++) {
    hash = Math.imul(hash ^ u32[at + i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash === 0 ? 1 : hash;
}
