import type { KeyRecord } from "./record.ts";

/** Enough words for the largest key without unnamed attributes. */
const WORDS = 2048;

/**
 * Collects attributes in the form that a UFID hashes; see {@link writeUfid}. Reused for one key
 * after another.
 */
export class HashedWords {
  words: Int32Array = new Int32Array(WORDS);
  count = 0;
  /**
   * For each word of a value, the offset in the record of its first byte; -1 for all other words.
   * For callers that hash many keys of one pattern.
   */
  readonly sources: Int32Array | undefined;

  constructor(options: { readonly sources: boolean }) {
    this.sources = options.sources ? new Int32Array(WORDS) : undefined;
  }

  clear(): this {
    this.count = 0;
    this.sources?.fill(-1);
    return this;
  }

  /** Adds an attribute without value and mask. */
  bare(type: number): void {
    this.words[this.count++] = type;
  }

  /** Adds an attribute without a payload, whose presence is matched. */
  flag(type: number, isThere: boolean): void {
    this.words[this.count++] = type;
    this.words[this.count++] = isThere ? 1 : 0;
  }

  /** Begins a nested list of attributes. @returns its place, for {@link endNest} */
  nest(type: number): number {
    this.words[this.count] = type;
    return this.count++;
  }

  /** Ends a nested list. @param isKept whether it is kept if it is empty */
  endNest(start: number, isKept: boolean): void {
    const size = (this.count - start - 1) * 4;
    if (size === 0 && !isKept) this.count = start;
    else this.words[start] = this.words[start]! | (size << 16);
  }

  /**
   * Adds an attribute whose value and mask are whole words of a record, at these indexes.
   * @returns false if none of its bits is matched: then it is left out
   */
  attribute(ints: Int32Array, type: number, size: number, key: number, mask: number): boolean {
    const { words, sources } = this;
    const count = (size + 3) >> 2;
    const at = this.count + 1;
    let matched = 0;
    for (let i = 0; i < count; i++) {
      const bits = ints[mask + i]!;
      matched |= bits;
      // A deciding value may have bits outside its mask.
      words[at + i] = ints[key + i]! & bits;
      words[at + count + i] = bits;
    }
    if (matched === 0) return false;
    words[at - 1] = type | (size << 16);
    if (sources !== undefined) for (let i = 0; i < count; i++) sources[at + i] = (key + i) * 4;
    this.count = at + count * 2;
    return true;
  }

  /** Adds an attribute whose value and mask are bytes of a record, at these offsets. */
  member({ bytes }: KeyRecord, type: number, size: number, key: number, mask: number): void {
    const { words, sources } = this;
    const count = (size + 3) >> 2;
    let at = this.count;
    words[at++] = type | (size << 16);
    for (let i = 0; i < size; i += 4, at++) {
      if (sources !== undefined) sources[at] = key + i;
      let value = 0;
      let bits = 0;
      for (let k = 0; k < 4 && i + k < size; k++) {
        value |= (bytes[key + i + k]! & bytes[mask + i + k]!) << (k * 8);
        bits |= bytes[mask + i + k]! << (k * 8);
      }
      words[at] = value;
      words[at + count] = bits;
    }
    this.count = at + count;
  }

  /** Adds an attribute that KEYS does not have. */
  unknown(type: number, key: Uint8Array, mask: Uint8Array): void {
    const { length } = key;
    const count = (length + 3) >> 2;
    this.#makeRoom(1 + 2 * count);
    const { words } = this;
    words[this.count++] = type | (length << 16);
    const from = this.count;
    words.fill(0, from, from + 2 * count);
    for (let i = 0; i < length; i++) {
      const shift = (i & 3) * 8;
      const at = from + (i >> 2);
      words[at] = words[at]! | ((key[i]! & mask[i]!) << shift);
      words[at + count] = words[at + count]! | (mask[i]! << shift);
    }
    this.count = from + 2 * count;
  }

  /** Appends zeros to the words, up to a multiple of four. */
  end(): void {
    const { words, count } = this;
    words[count] = 0;
    words[count + 1] = 0;
    words[count + 2] = 0;
  }

  // Makes room for `count` words, and keeps enough for all named attributes.
  #makeRoom(count: number): void {
    const needed = this.count + count + WORDS;
    if (needed <= this.words.length) return;
    const grown = new Int32Array(needed * 2);
    grown.set(this.words.subarray(0, this.count));
    this.words = grown;
  }
}
