import type { ByteRange } from "../parts.ts";

/** Patterns that are kept. */
const KEPT_MAX = 1024;

/** The most patterns kept per hash: more would be single values rather than patterns. */
const KEPT_PER_HASH = 4;

/** A word view of bytes, reused for bytes in the same memory, as those of dumps and batches are. */
export class WordView {
  #bytes: Uint8Array = new Uint8Array(0);
  #words: Int32Array = new Int32Array(0);

  /** A view of the bytes if they are word-aligned, otherwise of a copy. */
  of(bytes: Uint8Array): Int32Array {
    if (this.#bytes !== bytes) {
      this.#bytes = bytes;
      const source = (bytes.byteOffset & 3) === 0 ? bytes : bytes.slice();
      this.#words = new Int32Array(source.buffer, source.byteOffset, source.length >> 2);
    }
    return this.#words;
  }
}

/** Whether a flow has a mask, and its parts begin and end at whole words: only these are compared. */
export function isAligned(key: ByteRange, mask: ByteRange, actions: ByteRange = key): boolean {
  const places = key.start | key.end | mask.start | mask.end | actions.start | actions.end;
  return (places & 3) === 0 && mask.start >= 0;
}

/** Known entries, by hash. */
export class Kept<T> {
  readonly #byHash = new Map<number, T[]>();
  #size = 0;

  of(hash: number): readonly T[] | undefined {
    return this.#byHash.get(hash);
  }

  /** Whether there is room for another entry with the hash of `known`. */
  takes(known: readonly T[] | undefined): boolean {
    return this.#size < KEPT_MAX && (known?.length ?? 0) < KEPT_PER_HASH;
  }

  add(hash: number, value: T): void {
    const known = this.#byHash.get(hash);
    if (known === undefined) this.#byHash.set(hash, [value]);
    else known.push(value);
    this.#size++;
  }
}

/** A hash of the words from `start` to `end`. */
export function hashOf(words: Int32Array, start: number, end: number, seed: number): number {
  let hash = seed + end - start;
  for (let at = start >> 2; at < end >> 2; at++) {
    hash = Math.imul(hash ^ words[at]!, 0x9e3779b1); // the attribute lies in the words
    hash ^= hash >>> 15;
  }
  return hash;
}

/** Whether the bytes `start` to `end` equal the known ones. */
export function isSame(bytes: Uint8Array, start: number, end: number, known: Uint8Array): boolean {
  if (end - start !== known.length) return false;
  for (let i = 0; i < known.length; i++) if (bytes[start + i] !== known[i]) return false;
  return true;
}
