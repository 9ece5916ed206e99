import { assert } from "../../sys/errors.ts";

/**
 * The layout of a KeyRecord. It has levels, and each level has a slot for each key. Each slot has a
 * bit: those of metadata are in one word, those of headers in another.
 */

/** Levels of a key: the outermost, inside encap(), and inside the encap() in that. */
export const LEVELS = 3;

/** Words of one level, a bit for each slot. The code below relies on there being two. */
export const SLOT_WORDS = 2;
export const METADATA_WORD = 0;
export const HEADER_WORD = 1;

/** Slots of one word. */
export const WORD_SLOTS = 32;

/** Slots of one level. */
export const SLOTS: number = SLOT_WORDS * WORD_SLOTS;

/** The last slot: attributes that KEYS does not have, kept byte for byte. */
export const SLOT_UNKNOWN: number = SLOTS - 1;

/** The slot of key `index` of a word. */
export function slotAt(word: number, index: number): number {
  const slot = word * WORD_SLOTS + index;
  assert(index < WORD_SLOTS && slot < SLOT_UNKNOWN, "a record has no slot for another key");
  return slot;
}

/** The index of a slot's word in an array with `SLOT_WORDS` words per level. */
export function wordAt(level: number, slot: number): number {
  return level * SLOT_WORDS + (slot >>> 5);
}

/** The bit of a slot in its word: a shift counts modulo 32. */
export function slotBit(slot: number): number {
  return 1 << slot;
}

/** The level of word `at` of such an array. */
export function levelOfWord(at: number): number {
  return at >> 1;
}

/** The slot of the lowest set bit of word `at` in such an array; -1 if no bit is set. */
export function lowestSlot(at: number, bits: number): number {
  return ((at & 1) << 5) | (31 - Math.clz32(bits & -bits));
}

/** The most entries of an MPLS stack (`MPLS_LABEL_DEPTH` in net/openvswitch/flow.h). */
export const MPLS_ENTRIES_MAX = 3;

/** The most bytes of Geneve options of one packet (`IP_TUNNEL_OPTS_MAX`). */
export const TUNNEL_OPTIONS_MAX = 255;
