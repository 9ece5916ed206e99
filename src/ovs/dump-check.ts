import { MillraceError } from "../sys/errors.ts";
import { type DatapathHandle, infoOf } from "./datapath.ts";
import type { FlowParts } from "../flow/parts.ts";

/** Why a dump of flows may differ from what the datapath held: flows changed meanwhile. */
export type DumpDoubt = {
  /** Distinct flows in the dump. */
  readonly dumped: number;
  /** How often a flow occurred again. */
  readonly repeated: number;
  /** Flows of the datapath at the beginning and at the end of the dump. */
  readonly before: number;
  readonly after: number;
};

/**
 * Checks whether a dump of flows can be complete. The kernel walks a hash table, releasing its lock
 * between the pieces of a dump (`ovs_flow_cmd_dump` in net/openvswitch/datapath.c), and never sets
 * NLM_F_DUMP_INTR. If the table grows, or is rehashed as happens every ten minutes, some flows come
 * twice and others not at all; a deletion can make the walk skip a neighbouring flow.
 *
 * The check detects a flow that comes twice, and fewer flows than the datapath held at either end.
 * It cannot detect a change in which as many flows were added as removed.
 */
export class DumpCheck {
  readonly #count: () => number;
  readonly #seen = new IdentitySet();
  /** Flows of the datapath when this was constructed. */
  readonly before: number;
  #repeated = 0;

  /** Construct it before the dump. @param count asks how many flows the datapath holds */
  constructor(count: () => number) {
    this.#count = count;
    this.before = count();
  }

  static of(datapath: DatapathHandle): DumpCheck {
    return new DumpCheck(() => infoOf(datapath).stats.flows);
  }

  /** Call for each flow of the dump. Does not allocate per flow. */
  add({ bytes, ufid, key }: FlowParts): void {
    const name = ufid.start < 0 ? key : ufid;
    if (!this.#seen.add(bytes, name.start, name.end)) this.#repeated++;
  }

  /** The doubts about the dump after its end; undefined if there are none. */
  doubt(): DumpDoubt | undefined {
    const { size: dumped } = this.#seen;
    return doubtOf({
      dumped,
      repeated: this.#repeated,
      before: this.before,
      after: this.#count(),
    });
  }
}

/** The counts of a dump if they cast doubt on it, as {@link DumpCheck} says; otherwise undefined. */
export function doubtOf(counts: DumpDoubt): DumpDoubt | undefined {
  const { dumped, repeated, before, after } = counts;
  return repeated === 0 && dumped >= Math.min(before, after) ? undefined : counts;
}

/** Describes a doubtful dump in words. */
export function doubtInWords({ dumped, repeated, before, after }: DumpDoubt): string {
  const held = before === after ? `${before}` : `${before} before and ${after} after it`;
  const doubles = repeated === 0 ? "" : `, ${repeated} of them came twice or more`;
  return (
    `flows changed during the dump, it may lack some: it has ${dumped}${doubles}; ` +
    `the datapath held ${held}`
  );
}

/** @throws MillraceError `UNSOUND_DUMP` */
export function throwDoubt(doubt: DumpDoubt): never {
  throw new MillraceError("UNSOUND_DUMP", doubtInWords(doubt));
}

/**
 * A set of byte strings, by 64-bit hash, at most half full: 16 bytes per flow. In a million flows,
 * the chance that two different ones count as one is one in 37 million.
 */
class IdentitySet {
  size = 0;
  #slots = new Int32Array(2 * 1024);

  /** @returns false if it is already there */
  add(bytes: Uint8Array, start: number, end: number): boolean {
    let low = end - start;
    let high = 0x2c1b3c6d;
    for (let i = start; i < end; i += 4) {
      // Attributes are padded with zeros to whole words, and nothing follows the last one.
      const word = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
      low = Math.imul(low ^ word, 0x85ebca6b);
      low ^= low >>> 13;
      high = Math.imul(high + word, 0x9e3779b1);
      high ^= high >>> 15;
    }
    if (!this.#put(low === 0 ? 1 : low, high)) return false;
    if (++this.size * 4 > this.#slots.length) this.#grow();
    return true;
  }

  // `low` is never 0, which marks an empty slot.
  #put(low: number, high: number): boolean {
    const slots = this.#slots;
    const last = slots.length - 1;
    for (let at = (low << 1) & last; ; at = (at + 2) & last) {
      if (slots[at] === 0) {
        slots[at] = low;
        slots[at + 1] = high;
        return true;
      }
      if (slots[at] === low && slots[at + 1] === high) return false;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 2) {
      const low = old[i]!; // below the length
      if (low !== 0) this.#put(low, old[i + 1]!); // below the length, which is even
    }
  }
}
