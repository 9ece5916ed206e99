import type { Batch } from "../../netlink/batch.ts";
import { haveSameMask } from "../../ovs/flow-request.ts";
import { NamedFlows } from "../named-flows.ts";

/**
 * Decides whether two parts of a batch may be carried out in any order. They may if all flows have
 * the same mask, byte for byte, and no flow of one part has a key or UFID of the other: then none
 * overlaps another. Equal hashes count as dependent.
 */
export class Independence {
  readonly #named: NamedFlows;

  /** @param capacity the most messages of a batch */
  constructor(capacity: number) {
    this.#named = new NamedFlows(capacity);
  }

  /** @param middle the first message of the second part */
  holds(batch: Batch, middle: number): boolean {
    const named = this.#named;
    named.clear();
    for (let i = 0; i < batch.count; i++) {
      if (!haveSameMask(batch, 0, i)) return false;
      if (i < middle) named.add(batch, i);
      else if (named.has(batch, i)) return false;
    }
    return true;
  }
}
