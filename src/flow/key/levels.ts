import { assert } from "../../sys/errors.ts";

/*
 * Where a KeyRecord has room for keys: it has levels, each level has a slot for each key, and each slot a bit,
 * in one word those of the metadata, in the other those of the headers.
 */

/** Levels of a key: the outermost, inside encap(), and inside the encap() in that. */
export const LEVELS = 3;

/** Words of one level, a bit for each slot. What follows counts on there being two. */
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

/** Where the word of a slot is in an array with `SLOT_WORDS` words a level. */
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

/** The slot of the lowest bit of word `at`, of such an array or of one level; -1 where it has none. */
export function lowestSlot(at: number, bits: number): number {
  return ((at & 1) << 5) | (31 - Math.clz32(bits & -bits));
}

/** The most entries of an MPLS stack (`MPLS_LABEL_DEPTH` in net/openvswitch/flow.h). */
export const MPLS_ENTRIES_MAX = 3;

/** The most bytes of Geneve options of one packet (`IP_TUNNEL_OPTS_MAX`). */
export const TUNNEL_OPTIONS_MAX = 255;
