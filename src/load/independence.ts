import type { Batch } from "../netlink/batch.ts";
import { OVS_FLOW_ATTR_KEY, OVS_FLOW_ATTR_MASK, OVS_FLOW_ATTR_UFID } from "../uapi/openvswitch.ts";
import { findAttribute, hashAttribute, sameAttribute } from "./request-identity.ts";

/** Slots for each message: few of them collide. */
const SLOTS_PER_MESSAGE = 4;

/** Two sets of 32-bit hashes, by open addressing; allocated once. */
class HashSets {
  readonly #keys: Int32Array;
  readonly #ufids: Int32Array;
  readonly #mask: number;

  constructor(capacity: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(2, capacity * SLOTS_PER_MESSAGE)));
    this.#keys = new Int32Array(size);
    this.#ufids = new Int32Array(size);
    this.#mask = size - 1;
  }

  clear(): void {
    this.#keys.fill(0);
    this.#ufids.fill(0);
  }

  add(key: number, ufid: number): void {
    addTo(this.#keys, this.#mask, key);
    if (ufid !== 0) addTo(this.#ufids, this.#mask, ufid);
  }

  hasEither(key: number, ufid: number): boolean {
    return has(this.#keys, this.#mask, key) || (ufid !== 0 && has(this.#ufids, this.#mask, ufid));
  }
}

/**
 * Whether two parts of a batch may be carried out in any order. They may where all of its flows have the
 * same mask, byte for byte, and none of the one part has a key or a UFID of the other: then none
 * overlaps another one. What cannot be told, by a hash that is the same, counts as dependent.
 */
export class Independence {
  readonly #sets: HashSets;

  /** @param capacity the most messages of a batch */
  constructor(capacity: number) {
    this.#sets = new HashSets(capacity);
  }

  /** @param middle the first message of the second part */
  holds(batch: Batch, middle: number): boolean {
    const { count, starts, memory } = batch;
    const { u32 } = memory;
    const sets = this.#sets;
    const common = findAttribute(u32, starts[0]! >> 2, starts[1]! >> 2, OVS_FLOW_ATTR_MASK);
    sets.clear();
    for (let i = 0; i < count; i++) {
      const start = starts[i]! >> 2; // i < count <= capacity
      const end = starts[i + 1]! >> 2;
      if (!sameAttribute(u32, common, findAttribute(u32, start, end, OVS_FLOW_ATTR_MASK)))
        return false;
      const ufid = hashAttribute(u32, findAttribute(u32, start, end, OVS_FLOW_ATTR_UFID));
      // A delete by UFID alone has no key: its hash is that of nothing.
      const at = findAttribute(u32, start, end, OVS_FLOW_ATTR_KEY);
      const key = at < 0 ? ufid : hashAttribute(u32, at);
      if (i < middle) sets.add(key, ufid);
      else if (sets.hasEither(key, ufid)) return false;
    }
    return true;
  }
}

function addTo(slots: Int32Array, mask: number, hash: number): void {
  let at = hash & mask;
  while (slots[at] !== 0 && slots[at] !== hash) at = (at + 1) & mask;
  slots[at] = hash;
}

function has(slots: Int32Array, mask: number, hash: number): boolean {
  let at = hash & mask;
  while (slots[at] !== 0 && slots[at] !== hash) at = (at + 1) & mask;
  return slots[at] === hash;
}
