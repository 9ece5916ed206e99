import type { Batch } from "../netlink/batch.ts";
import { hashKey, hashUfid } from "../ovs/flow-request.ts";

/**
 * The set of flows that requests identify, by hashes of UFIDs and keys. Two that collide count as
 * the same flow, which only costs a round trip.
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

  /** Whether an added message identifies the flow of message `index` by the same UFID or key. */
  has(batch: Batch, index: number): boolean {
    return this.#holds(hashUfid(batch, index)) || this.#holds(hashKey(batch, index));
  }

  /** As {@link has}, and adds the flow if it is new. */
  hasOrAdd(batch: Batch, index: number): boolean {
    const ufid = hashUfid(batch, index);
    const key = hashKey(batch, index);
    if (this.#holds(ufid) || this.#holds(key)) return true;
    this.#put(ufid);
    this.#put(key);
    return false;
  }

  /** Whether message `index` has a key that was passed to {@link addKey}. */
  hasKey(batch: Batch, index: number): boolean {
    return this.#holds(hashKey(batch, index));
  }

  addKey(batch: Batch, index: number): void {
    this.#put(hashKey(batch, index));
  }

  add(batch: Batch, index: number): void {
    this.#put(hashUfid(batch, index));
    this.#put(hashKey(batch, index));
  }

  #holds(hash: number): boolean {
    return hash !== 0 && this.#slots[this.#find(hash)] === hash;
  }

  #put(hash: number): void {
    if (hash !== 0) this.#slots[this.#find(hash)] = hash;
  }

  // The slot of a hash, or the empty slot for it. There always is one, since a request takes two at
  // most.
  #find(hash: number): number {
    const slots = this.#slots;
    let at = hash & this.#mask;
    while (slots[at] !== 0 && slots[at] !== hash) at = (at + 1) & this.#mask;
    return at;
  }
}

/** A request has at most two hashes, so few of them collide. */
const SLOTS_PER_REQUEST = 8;
