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
  readonly #hashes = new Set<number>();

  clear(): void {
    this.#hashes.clear();
  }

  /** Whether message `index` names a flow that another one named by UFID or by key. */
  has(batch: Batch, index: number): boolean {
    return this.#hashes.has(ufidHash(batch, index)) || this.#hashes.has(keyHash(batch, index));
  }

  /** As {@link has}, for the one name by which the kernel looks. */
  hasName(batch: Batch, index: number): boolean {
    return this.#hashes.has(nameHash(batch, index));
  }

  addName(batch: Batch, index: number): void {
    this.#hashes.add(nameHash(batch, index));
  }

  add(batch: Batch, index: number): void {
    const ufid = ufidHash(batch, index);
    if (ufid !== NOTHING) this.#hashes.add(ufid);
    const key = keyHash(batch, index);
    if (key !== NOTHING) this.#hashes.add(key);
  }
}

const NOTHING = -1;

function nameHash(batch: Batch, index: number): number {
  const ufid = ufidHash(batch, index);
  return ufid === NOTHING ? keyHash(batch, index) : ufid;
}

function ufidHash(batch: Batch, index: number): number {
  return hashOf(batch, index, OVS_FLOW_ATTR_UFID);
}

// Apart from the hashes of UFIDs: those are even.
function keyHash(batch: Batch, index: number): number {
  const hash = hashOf(batch, index, OVS_FLOW_ATTR_KEY);
  return hash === NOTHING ? hash : hash + 1;
}

function hashOf(batch: Batch, index: number, type: number): number {
  const { u32 } = batch.memory;
  const start = (batch.starts[index] ?? 0) >> 2;
  const at = findAttribute(u32, start, (batch.starts[index + 1] ?? 0) >> 2, type);
  return at < 0 ? NOTHING : (hashAttribute(u32, at) >>> 0) * 2;
}

/**
 * Cuts a batch where the kernel has to be looked at anew. The flows of modifies and deletes are looked at
 * before any request of the segment is sent, so none of them may name a flow that an earlier request of the
 * segment creates.
 */
export class Segments {
  readonly #named = new NamedFlows();

  /**
   * Where the segment that begins with message `start` ends.
   * @param lookFirst puts are looked at, too, so they count as everything else
   */
  end(batch: Batch, start: number, lookFirst: boolean): number {
    if (!lookFirst && onlyCreates(batch)) return batch.count;
    const named = this.#named;
    named.clear();
    let some = false;
    for (let i = start; i < batch.count; i++) {
      const creates = commandOf(batch, i) === OVS_FLOW_CMD_NEW;
      const looks = !creates || (lookFirst && verbOf(batch, i) === "put");
      if (looks && some && named.has(batch, i)) return i;
      if (!creates && !lookFirst) continue;
      named.add(batch, i);
      some = true;
    }
    return batch.count;
  }
}
