import { readContainer } from "../text/field.ts";
import { matchesIpv6 } from "./needless.ts";
import type { KeyRecord } from "./record.ts";
import { keyOffset, WORDS_OF_SLOT } from "./record.ts";
import {
  LEVELS,
  SLOT_CT_TUPLE4,
  SLOT_CT_TUPLE6,
  SLOT_ENCAP,
  SLOT_ETHERNET,
  SLOT_IPV6_EXTHDRS,
  SLOT_MPLS,
  SLOT_TUNNEL,
  SLOT_UNKNOWN,
} from "./slots.ts";
import * as T from "./tunnel-fields.ts";

/** Bytes of a UFID. */
export const UFID_SIZE = 16;

/** Goes into every hash: another one means that the flows of an older millrace are not its own. */
const UFID_VERSION = 1;

/** The most words of one level that have a name, and the zeros behind all words. */
const SCRATCH_RESERVE = 512;

/** Words that are hashed; grown only for keys with large attributes that have no name. */
let scratch = new Int32Array(4 * SCRATCH_RESERVE);

/**
 * The words that {@link writeUfid} hashes, copied, and for each the word of the record's key half that
 * it is, or -1: for who hashes many keys of one shape. Zeros follow them, as {@link hashWords} wants.
 */
export function hashedWords(record: KeyRecord): {
  words: Int32Array;
  count: number;
  sources: Int32Array;
} {
  const count = gatherWords(record);
  const sources = new Int32Array(count).fill(-1);
  gatherWords(record, sources);
  const words = new Int32Array((count + 3) & ~3);
  words.set(scratch.subarray(0, count));
  return { words, count, sources };
}

/**
 * Writes the UFID of a key in normal form: 16 bytes at `at`, a multiple of four, of `out`.
 *
 * It is a fixed 128-bit hash of what the kernel matches: attributes with a mask that is not zero,
 * whether there is an Ethernet header, and a tunnel. So a flow as text and the same flow as the kernel
 * dumps it have the same UFID, and millrace knows its own flows by that.
 */
export function writeUfid(record: KeyRecord, out: Int32Array, at: number): void {
  const count = gatherWords(record);
  // Room for three zeros is always left: see the sizes of the scratch words.
  scratch[count] = 0;
  scratch[count + 1] = 0;
  scratch[count + 2] = 0;
  hashWords(scratch, count, out, at);
}

/** Collects what is hashed into the scratch words. @returns how many */
function gatherWords(record: KeyRecord, sources?: Int32Array): number {
  let count = 0;
  for (let level = 0; level < LEVELS; level++) {
    for (let left = record.present[level]!; left !== 0; left &= left - 1) {
      const slot = 31 - Math.clz32(left & -left);
      if (slot === SLOT_ENCAP) continue;
      if (slot === SLOT_UNKNOWN) {
        count = gatherUnknown(record, level, count);
        continue;
      }
      if (slot === SLOT_TUNNEL) {
        count = gatherTunnel(record, count, sources);
        continue;
      }
      const wild = record.isWild(level, slot);
      if (wild && slot !== SLOT_ETHERNET) continue;
      if (isHidden(record, level, slot)) continue;
      const words = slot === SLOT_MPLS ? record.mplsEntries[level]! : WORDS_OF_SLOT[slot]!;
      scratch[count++] = slot | (level << 8) | ((wild ? 0 : words) << 16);
      if (wild) continue;
      const key = keyOffset(level, slot) >> 2;
      const mask = key + WORDS_OF_SLOT[slot]!;
      for (let i = 0; i < words; i++) {
        if (sources !== undefined) sources[count] = key + i;
        // A value that decides what else is there may have bits outside its mask.
        scratch[count++] = record.ints[key + i]! & record.ints[mask + i]!;
        scratch[count++] = record.ints[mask + i]!;
      }
    }
  }
  return count;
}

/**
 * A kernel matches it, and does not dump it (`ovs_ct_put_key`, `__ovs_nla_put_key`): a tuple whose
 * protocol is zero, and extension headers of what is not IPv6. A hash that is the dump's as well
 * cannot have it.
 */
function isHidden(record: KeyRecord, level: number, slot: number): boolean {
  const at = keyOffset(level, slot);
  if (slot === SLOT_CT_TUPLE4) return record.bytes[at + CT_TUPLE4_PROTO] === 0;
  if (slot === SLOT_CT_TUPLE6) return record.bytes[at + CT_TUPLE6_PROTO] === 0;
  return slot === SLOT_IPV6_EXTHDRS && !matchesIpv6(record);
}

const CT_TUPLE4_PROTO = 12;
const CT_TUPLE6_PROTO = 36;

/** The presence bits that are part of what is matched. */
const TUNNEL_HASHED: number = T.TUNNEL_HAS_ID | T.TUNNEL_HAS_OPTIONS;

function gatherTunnel(record: KeyRecord, from: number, sources?: Int32Array): number {
  const base = keyOffset(0, SLOT_TUNNEL);
  const present = readContainer(record.bytes, base + T.TUNNEL_PRESENT, 4, false);
  const length = readContainer(record.bytes, base + T.TUNNEL_OPTIONS_LENGTH, 2, false);
  let count = from;
  scratch[count++] = SLOT_TUNNEL | (length << 16);
  // A kernel does not dump Geneve options that are none.
  const shown = length === 0 ? present & ~T.TUNNEL_HAS_GENEVE : present;
  scratch[count++] = shown & TUNNEL_HASHED;
  const key = base >> 2;
  const mask = key + WORDS_OF_SLOT[SLOT_TUNNEL]!;
  const options = T.TUNNEL_OPTIONS + Math.max(length, T.ERSPAN_SIZE);
  for (let i = T.TUNNEL_FIELDS_START >> 2; i < (options + 3) >> 2; i++) {
    if (sources !== undefined) sources[count] = key + i;
    // A destination may have bits outside its mask.
    scratch[count++] = record.ints[key + i]! & record.ints[mask + i]!;
    scratch[count++] = record.ints[mask + i]!;
  }
  return count;
}

function gatherUnknown(record: KeyRecord, level: number, from: number): number {
  let count = from;
  for (const { level: of, type, key, mask } of record.unknown) {
    if (of !== level || mask.every((byte) => byte === 0)) continue;
    const needed = count + SCRATCH_RESERVE + key.length * 2;
    if (needed > scratch.length) {
      const grown = new Int32Array(needed * 2);
      grown.set(scratch.subarray(0, count));
      scratch = grown;
    }
    scratch[count++] = SLOT_UNKNOWN | (level << 8) | (type << 16);
    for (let i = 0; i < key.length; i++) {
      scratch[count++] = key[i]!;
      scratch[count++] = mask[i]!;
    }
  }
  return count;
}

const C1 = 0x239b961b;
const C2 = 0xab0e9789 | 0;
const C3 = 0x38b34ae5;
const C4 = 0xa1e38b93 | 0;

const SEED: Int32Array = new Int32Array(4).fill(UFID_VERSION);

/** The state behind the first `count` words, a multiple of four: for many hashes that begin alike. */
export function hashBegun(words: Int32Array, count: number): Int32Array {
  const state = new Int32Array(4);
  hashWords(words, count, state, 0, SEED, 0, true);
  return state;
}

/**
 * MurmurHash3_x86_128 over whole words, `count` of them, with the version as its seed. Up to a multiple
 * of four, zeros must follow them: the count, mixed in at the end, tells these from words.
 * The result is four words at the byte offset `at` of `out`.
 * @param begun what {@link hashBegun} gave for the words that come first, `before` of them
 * @param open the result is the state so far
 */
export function hashWords(
  words: Int32Array,
  count: number,
  out: Int32Array,
  at: number,
  begun: Int32Array = SEED,
  before = 0,
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
    const length = (before + count) * 4;
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
