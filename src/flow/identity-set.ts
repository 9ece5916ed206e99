/**
 * A set of identities, which are attributes' payloads, by 64-bit hash, at most half full: 16 bytes
 * per flow. In a million flows, the chance that two different ones count as one is one in 37 million.
 */
export class IdentitySet {
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
