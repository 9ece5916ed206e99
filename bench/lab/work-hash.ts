import type { DatapathHandle } from "../../src/ovs/datapath.ts";
import { dumpFlows } from "../../src/ovs/flow.ts";
import type { ByteRange } from "../../src/flow/parts.ts";

// The hash of a datapath's flows: variants that did the same work leave the same hash.

const FNV_PRIME = 0x01000193;
const FNV_START = 0x811c9dc5 | 0;

/**
 * A hash of the kernel's flows, independent of their order: the sum over all flows of a hash of
 * key, mask and actions as dumped. The UFID is left out: the same flow may have one or none. Two
 * sums are kept, modulo 2^32, over two mixes of each hash.
 */
export function workHash(datapath: DatapathHandle): string {
  let flows = 0;
  let first = 0;
  let second = 0;
  for (const { bytes, key, mask, actions } of dumpFlows(datapath)) {
    const hash = mix(bytes, actions, mix(bytes, mask, mix(bytes, key, FNV_START)));
    first = (first + hash) | 0;
    second = (second + Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)) | 0;
    flows++;
  }
  const hex = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");
  return `${flows}:${hex(first)}${hex(second)}`;
}

function mix(bytes: Uint8Array, range: ByteRange, start: number): number {
  let hash = start;
  for (let i = range.start; i < range.end; i++) {
    hash = Math.imul(hash ^ bytes[i]!, FNV_PRIME); // inside the message
  }
  return Math.imul(hash ^ (range.end - range.start), FNV_PRIME);
}
