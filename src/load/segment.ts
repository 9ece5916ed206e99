import type { Batch } from "../netlink/batch.ts";
import { commandOf, verbOf } from "../ovs/flow-message.ts";
import { OVS_FLOW_ATTR_KEY, OVS_FLOW_ATTR_UFID, OVS_FLOW_CMD_NEW } from "../uapi/openvswitch.ts";
import { findAttribute, hashAttribute } from "./request-identity.ts";

/** Whether a batch has nothing but requests that create: these can be sent without a look at what is there. */
export function onlyCreates(batch: Batch): boolean {
  for (let i = 0; i < batch.count; i++) {
    if (commandOf(batch, i) !== OVS_FLOW_CMD_NEW) return false;
  }
  return true;
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

  /** Whether message `index` names the very flow that {@link addFlow} was told of: by UFID and by key. */
  hasFlow(batch: Batch, index: number): boolean {
    return this.#holds(flowHash(batch, index));
  }

  addFlow(batch: Batch, index: number): void {
    this.#put(flowHash(batch, index));
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

// Of UFID and key together: a UFID may have been given to another flow.
function flowHash(batch: Batch, index: number): number {
  return Math.imul(ufidHash(batch, index), KEYS) ^ keyHash(batch, index) || 1;
}

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

/**
 * Cuts a batch where the kernel has to be looked at anew. The flows of modifies and deletes are looked at
 * before any request of the segment is sent, so none of them may name a flow that an earlier request of the
 * segment creates.
 */
export class Segments {
  readonly #named: NamedFlows;

  /** @param capacity the most messages of a batch */
  constructor(capacity: number) {
    this.#named = new NamedFlows(capacity);
  }

  /**
   * Where the segment that begins with message `start` ends.
   * @param lookFirst puts are looked at, too, so they count as everything else
   */
  end(batch: Batch, start: number, lookFirst: boolean): number {
    if (!lookFirst && onlyCreates(batch)) return batch.count;
    const named = this.#named;
    named.clear();
    for (let i = start; i < batch.count; i++) {
      const creates = commandOf(batch, i) === OVS_FLOW_CMD_NEW;
      const looks = !creates || (lookFirst && verbOf(batch, i) === "put");
      if (looks && lookFirst) {
        if (named.hasOrAdd(batch, i)) return i;
      } else if (looks) {
        if (named.has(batch, i)) return i;
      } else {
        named.add(batch, i);
      }
    }
    return batch.count;
  }
}
