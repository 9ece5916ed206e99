import { UFID_SIZE } from "../flow/key/ufid.ts";
import { type FlowParts, hashMatch } from "../flow/parts.ts";

// A digest of the flows that a load has taken: equal flows, equal digest.

const FNV_PRIME = 0x01000193;
const FNV_START = 0x811c9dc5 | 0;

/**
 * A 128-bit digest of the matches and actions of a set of flows, independent of their order: the
 * sum of a hash of each. Keys and masks count by meaning, actions byte by byte, since the kernel
 * dumps most actions as it got them.
 */
export class FlowDigest {
  /** How many flows were added. */
  flows = 0;
  readonly #sums = new Int32Array(UFID_SIZE / 4);
  readonly #hash = new Int32Array(UFID_SIZE / 4);

  add(flow: FlowParts): void {
    this.flows++;
    hashMatch(flow, this.#hash, 0);
    let actions = FNV_START;
    for (let i = flow.actions.start; i < flow.actions.end; i++) {
      actions = Math.imul(actions ^ (flow.bytes[i] ?? 0), FNV_PRIME);
    }
    for (let i = 0; i < this.#sums.length; i++) {
      const word = (this.#hash[i] ?? 0) ^ actions;
      this.#sums[i] = (this.#sums[i] ?? 0) + Math.imul(word ^ (word >>> 15), 0x2c1b3c6d);
    }
  }

  /** Whether both hold the same flows. */
  equals(other: FlowDigest): boolean {
    return this.flows === other.flows && this.#sums.every((sum, i) => sum === other.#sums[i]);
  }
}
