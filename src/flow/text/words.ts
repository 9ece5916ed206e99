import type { Cursor } from "./cursor.ts";

/**
 * A fixed set of words, looked up by the bytes that a Cursor has just scanned: no string is made.
 * The index of a word is its place in the list from which the table was built.
 */
export class WordTable {
  readonly words: readonly string[];

  #layout: Layout | undefined;

  constructor(words: readonly string[]) {
    this.words = words;
  }

  /** The index of the word that `cursor.word()` just found, or -1. */
  find(cursor: Cursor): number {
    // Built on first use: most tables hold words that a given file does not use.
    const { bytes, hashes, places } = (this.#layout ??= layOut(this.words));
    const mask = places.length - 1;
    const hash = cursor.wordHash;
    const length = cursor.wordEnd - cursor.wordStart;
    let place = spread(hash) & mask;
    for (;;) {
      const index = places[place]! - 1;
      if (index < 0) return -1;
      if (hashes[index] === hash && bytes[index]!.length === length) {
        if (sameBytes(bytes[index]!, cursor.bytes, cursor.wordStart)) return index;
      }
      place = (place + 1) & mask;
    }
  }

  /** As {@link nearestWord}. */
  nearest(text: string): string | undefined {
    return nearestWord(this.words, text);
  }
}

/** The words of a table as bytes, and a hash index of them. */
type Layout = {
  readonly bytes: readonly Uint8Array[];
  readonly hashes: Int32Array;
  /** Open addressing, a power of two: index + 1 of the word, 0 for an empty place. */
  readonly places: Uint16Array;
};

function layOut(words: readonly string[]): Layout {
  const encoder = new TextEncoder();
  const bytes = words.map((word) => encoder.encode(word));
  const hashes = Int32Array.from(bytes, hashOf);
  let size = 16;
  while (size < words.length * 4) size *= 2;
  const places = new Uint16Array(size);
  for (let index = 0; index < words.length; index++) {
    let place = spread(hashes[index] ?? 0) & (size - 1);
    while (places[place] !== 0) place = (place + 1) & (size - 1);
    places[place] = index + 1;
  }
  return { bytes, hashes, places };
}

/** The word nearest to a misspelt one, or undefined if none is near. */
export function nearestWord(words: Iterable<string>, text: string): string | undefined {
  let best: string | undefined;
  // A third of the letters may differ, but never all of them.
  let bestDistance = Math.min(3, Math.floor(text.length / 3) + 1, text.length - 1) + 1;
  const wanted = text.toLowerCase().slice(0, 40);
  for (const word of words) {
    const distance = editDistance(wanted, word);
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}

function hashOf(bytes: Uint8Array): number {
  let hash = 0;
  for (const byte of bytes) hash = (Math.imul(hash, 31) + byte) | 0;
  return hash;
}

function spread(hash: number): number {
  return (Math.imul(hash, 0x9e3779b1) >>> 16) | 0;
}

function sameBytes(word: Uint8Array, bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[at + i] !== word[i]) return false;
  return true;
}

/**
 * The number of letters to insert, drop, change or swap with the next (optimal string alignment).
 */
function editDistance(a: string, b: string): number {
  const width = b.length + 1;
  const cells = new Uint8Array((a.length + 1) * width);
  const cell = (i: number, j: number): number => cells[i * width + j] ?? 0;
  for (let i = 0; i <= a.length; i++) {
    for (let j = 0; j <= b.length; j++) {
      let least = i + j;
      if (i > 0 && j > 0) {
        least = Math.min(
          cell(i - 1, j) + 1,
          cell(i, j - 1) + 1,
          cell(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1),
        );
        if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
          least = Math.min(least, cell(i - 2, j - 2) + 1);
      }
      cells[i * width + j] = least;
    }
  }
  return cell(a.length, b.length);
}
