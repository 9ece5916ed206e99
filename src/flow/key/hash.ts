/*
 * MurmurHash3_x86_128 over whole words of 32 bits. It is fixed: what it gives is a flow's name in a kernel, and
 * has to be the same for every millrace.
 */

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

/** What hashing some words has come to: four words of state, and how many words that were. */
export type HashState = Int32Array;

/** Words of the state. */
const STATE_WORDS = 5;
const COUNT_AT = 4;

/** The state from which a hash begins that has no seed. */
const BEGIN: HashState = new Int32Array(STATE_WORDS);

/** The state of a hash whose seed is the hash of some words. */
export function seedOf(words: Int32Array): HashState {
  const padded = new Int32Array((words.length + 3) & ~3);
  padded.set(words);
  const seed = new Int32Array(STATE_WORDS);
  hashWords(padded, words.length, seed, 0, BEGIN);
  return seed;
}

/** The state behind the first `count` words, a multiple of four: for many hashes that begin alike. */
export function hashBegun(words: Int32Array, count: number, seed: HashState): HashState {
  const state = new Int32Array(STATE_WORDS);
  hashWords(words, count, state, 0, seed, true);
  state[COUNT_AT] = seed[COUNT_AT]! + count;
  return state;
}

/**
 * Hashes words, `count` of them. Up to a multiple of four, zeros must follow them: the count, mixed in at the
 * end, tells these from words. The result is four words at the byte offset `at` of `out`.
 * @param begun a seed, or what {@link hashBegun} gave for the words that come first
 * @param open the result is the state so far
 */
export function hashWords(
  words: Int32Array,
  count: number,
  out: Int32Array,
  at: number,
  begun: HashState,
  open = false,
): void {
  let h1 = begun[0]!;
  let h2 = begun[1]!;
  let h3 = begun[2]!;
  let h4 = begun[3]!;
  for (let i = 0; i < count; i += 4) {
    let k = Math.imul(words[i]!, C1);
    h1 ^= Math.imul((k << 15) | (k >>> 17), C2);
    h1 = (((h1 << 19) | (h1 >>> 13)) + h2) | 0;
    h1 = (Math.imul(h1, 5) + 0x561ccd1b) | 0;

    k = Math.imul(words[i + 1]!, C2);
    h2 ^= Math.imul((k << 16) | (k >>> 16), C3);
    h2 = (((h2 << 17) | (h2 >>> 15)) + h3) | 0;
    h2 = (Math.imul(h2, 5) + 0x0bcaa747) | 0;

    k = Math.imul(words[i + 2]!, C3);
    h3 ^= Math.imul((k << 17) | (k >>> 15), C4);
    h3 = (((h3 << 15) | (h3 >>> 17)) + h4) | 0;
    h3 = (Math.imul(h3, 5) + (0x96cd1c35 | 0)) | 0;

    k = Math.imul(words[i + 3]!, C4);
    h4 ^= Math.imul((k << 18) | (k >>> 14), C1);
    h4 = (((h4 << 13) | (h4 >>> 19)) + h1) | 0;
    h4 = (Math.imul(h4, 5) + 0x32ac3b17) | 0;
  }
  const to = at >> 2;
  if (!open) {
    const length = (begun[COUNT_AT]! + count) * 4;
    h1 ^= length;
    h2 ^= length;
    h3 ^= length;
    h4 ^= length;
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = (h2 + h1) | 0;
    h3 = (h3 + h1) | 0;
    h4 = (h4 + h1) | 0;
    h1 = finish(h1);
    h2 = finish(h2);
    h3 = finish(h3);
    h4 = finish(h4);
    h1 = (h1 + h2 + h3 + h4) | 0;
    h2 = (h2 + h1) | 0;
    h3 = (h3 + h1) | 0;
    h4 = (h4 + h1) | 0;
  }
  out[to] = h1;
  out[to + 1] = h2;
  out[to + 2] = h3;
  out[to + 3] = h4;
}

function finish(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85eb_ca6b | 0);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2_ae35 | 0);
  return h ^ (h >>> 16);
}
