/**
 * A set of identities, which are attributes' payloads, by 64-bit hash, 8 bytes each, at most three
 * quarters full. In a million flows, the chance that two different ones count as one is one in 37
 * million.
 */
export class IdentitySet {
  size = 0;
  #slots: Int32Array;
  /** From the upper half of a hash, as a fraction of 2^32, to a slot. */
  #scale: number;

  /**
   * @param expected how many will be added: if it is right, no memory is touched but what is needed,
   * and all of it once
   */
  constructor(expected = 0) {
    this.#slots = slotsFor(Math.min(expected, EXPECTED_MAX));
    this.#scale = this.#slots.length / 2 ** 33;
  }

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
    if (++this.size * 8 > this.#slots.length * 3) this.#grow();
    return true;
  }

  // `low` is never 0, which marks an empty slot.
  #put(low: number, high: number): boolean {
    const slots = this.#slots;
    for (let at = ((low >>> 0) * this.#scale) << 1; ; at += 2) {
      if (at === slots.length) at = 0;
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
    this.#slots = slotsFor(this.size * 2);
    this.#scale = this.#slots.length / 2 ** 33;
    for (let i = 0; i < old.length; i += 2) {
      const low = old[i]!; // below the length
      if (low !== 0) this.#put(low, old[i + 1]!); // below the length, which is even
    }
  }
}

/** More than that are not made room for before they come. */
const EXPECTED_MAX = 1 << 24;

/** Empty slots, two words each, for that many identities and a few more. */
function slotsFor(identities: number): Int32Array {
  const slots = new Int32Array(2 * (Math.ceil((identities * 4) / 3) + 1024));
  // Written at once: pages that are read first would cost a fault for the read, and one for the write.
  return slots.fill(0);
}
