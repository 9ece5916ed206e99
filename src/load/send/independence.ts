import type { Batch } from "../../netlink/batch.ts";
import { OVS_FLOW_ATTR_MASK } from "../../uapi/openvswitch.ts";
import { findAttribute, NamedFlows, sameAttribute } from "../named-flows.ts";

/**
 * Whether two parts of a batch may be carried out in any order. They may where all of its flows have the
 * same mask, byte for byte, and none of the one part has a key or a UFID of the other: then none
 * overlaps another one. What cannot be told, by a hash that is the same, counts as dependent.
 */
export class Independence {
  readonly #named: NamedFlows;

  /** @param capacity the most messages of a batch */
  constructor(capacity: number) {
    this.#named = new NamedFlows(capacity);
  }

  /** @param middle the first message of the second part */
  holds(batch: Batch, middle: number): boolean {
    const { count, starts, memory } = batch;
    const { u32 } = memory;
    const named = this.#named;
    const common = findAttribute(u32, starts[0]! >> 2, starts[1]! >> 2, OVS_FLOW_ATTR_MASK);
    named.clear();
    for (let i = 0; i < count; i++) {
      const start = starts[i]! >> 2; // i < count <= capacity
      const end = starts[i + 1]! >> 2;
      if (!sameAttribute(u32, common, findAttribute(u32, start, end, OVS_FLOW_ATTR_MASK)))
        return false;
      if (i < middle) named.add(batch, i);
      else if (named.has(batch, i)) return false;
    }
    return true;
  }
}
