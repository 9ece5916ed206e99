import { align } from "../netlink/align.ts";
import { NLA_HEADER } from "../netlink/attribute-writer.ts";
import type { Batch } from "../netlink/batch.ts";
import { NLMSG_HEADER } from "../netlink/message.ts";
import { OVS_PREFIX } from "../ovs/message.ts";
import { OVS_FLOW_ATTR_KEY, OVS_FLOW_ATTR_UFID } from "../uapi/openvswitch.ts";

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
function hashAttribute(u32: Uint32Array, at: number): number {
  if (at < 0) return 0;
  const words = align(u32[at]! & 0xffff) >> 2;
  let hash = words;
  for (let i = 1; i < words; i++) {
    hash = Math.imul(hash ^ u32[at + i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  return hash === 0 ? 1 : hash;
}

/**
 * The flows that requests name, by hashes of their UFIDs and of their keys: two that collide count as the
 * same flow, which costs a round trip and nothing else.
 */
export class NamedFlows {
  readonly #slots: Int32Array;
  readonly #mask: number;

  /** @param capacity the most requests between two calls of {@link clear} */
  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, capacity * SLOTS_PER_REQUEST)));
    this.#slots = new Int32Array(size);
    this.#mask = size - 1;
  }

  clear(): void {
    this.#slots.fill(0);
  }

  /** Whether message `index` names a flow that another one named by UFID or by key. */
  has(batch: Batch, index: number): boolean {
    return this.#holds(ufidHash(batch, index)) || this.#holds(keyHash(batch, index));
  }

  /** As {@link has}; a flow that was not named is from now on. */
  hasOrAdd(batch: Batch, index: number): boolean {
    const ufid = ufidHash(batch, index);
    const key = keyHash(batch, index);
    if (this.#holds(ufid) || this.#holds(key)) return true;
    this.#put(ufid);
    this.#put(key);
    return false;
  }

  /** Whether message `index` has the key of one that {@link addKey} was told of. */
  hasKey(batch: Batch, index: number): boolean {
    return this.#holds(keyHash(batch, index));
  }

  addKey(batch: Batch, index: number): void {
    this.#put(keyHash(batch, index));
  }

  add(batch: Batch, index: number): void {
    this.#put(ufidHash(batch, index));
    this.#put(keyHash(batch, index));
  }

  #holds(hash: number): boolean {
    return hash !== 0 && this.#slots[this.#find(hash)] === hash;
  }

  #put(hash: number): void {
    if (hash !== 0) this.#slots[this.#find(hash)] = hash;
  }

  // The slot of a hash, or the empty one where it goes; there is one, for a request takes two at most.
  #find(hash: number): number {
    const slots = this.#slots;
    let at = hash & this.#mask;
    while (slots[at] !== 0 && slots[at] !== hash) at = (at + 1) & this.#mask;
    return at;
  }
}

/** A request has two hashes at most: few of them collide. */
const SLOTS_PER_REQUEST = 8;

/** Keeps the hashes of keys from those of UFIDs. */
const KEYS = 0x5bd1e995;

function ufidHash(batch: Batch, index: number): number {
  return hashOf(batch, index, OVS_FLOW_ATTR_UFID);
}

function keyHash(batch: Batch, index: number): number {
  const hash = hashOf(batch, index, OVS_FLOW_ATTR_KEY);
  return hash === 0 ? 0 : hash ^ KEYS || 1;
}

// Never 0 for an attribute that is there.
function hashOf(batch: Batch, index: number, type: number): number {
  const { u32 } = batch.memory;
  const start = (batch.starts[index] ?? 0) >> 2;
  const end = (batch.starts[index + 1] ?? 0) >> 2;
  return hashAttribute(u32, findAttribute(u32, start, end, type));
}
