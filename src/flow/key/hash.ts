/**
 * MurmurHash3_x86_128 over 32-bit words. It must never change: its result names a flow in a kernel,
 * and every version of millrace must compute the same.
 */

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

/** The state of a hash: four words, and the number of words hashed so far. */
export type HashState = Int32Array;

/** Words of the state. */
const STATE_WORDS = 5;
const COUNT_AT = 4;

/** The initial state of a hash without a seed. */
const BEGIN: HashState = new Int32Array(STATE_WORDS);

/** The initial state of a hash seeded with the hash of some words. */
export function seedOf(words: Int32Array): HashState {
  const padded = new Int32Array((words.length + 3) & ~3);
  padded.set(words);
  const seed = new Int32Array(STATE_WORDS);
  hashWords(padded, words.length, seed, 0, BEGIN);
  return seed;
}

/**
 * The state after the first `count` words, a multiple of four: for many hashes with a common
 * beginning.
 */
export function hashBegun(words: Int32Array, count: number, seed: HashState): HashState {
  const state = new Int32Array(STATE_WORDS);
  hashWords(words, count, state, 0, seed, true);
  state[COUNT_AT] = seed[COUNT_AT]! + count;
  return state;
}

/**
 * Hashes `count` words. Zeros must follow them up to a multiple of four; the count, mixed in at the
 * end, distinguishes them from words. The result is four words at the byte offset `at` of `out`.
 * @param begun a seed, or the state that {@link hashBegun} returned for preceding words
 * @param open whether to write the state so far instead of the finished hash
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
