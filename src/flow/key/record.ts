import { align } from "../../netlink/align.ts";
import { setFull } from "../text/field.ts";
import type { UserspaceKind } from "../userspace-only.ts";
import {
  HEADER_WORD,
  LEVELS,
  METADATA_WORD,
  SLOT_WORDS,
  SLOTS,
  slotBit,
  wordAt,
} from "./levels.ts";
import { SLOT_ENCAP, SLOT_MPLS, SLOT_TUNNEL } from "./slots.ts";
import { KEY_BY_SLOT, SIZE_OF_SLOT } from "./table.ts";

/**
 * A key and its mask, flattened: each attribute of KEYS has a slot with a key half and a mask half,
 * in the kernel's byte layout, at each of three levels (outermost, in encap(), in the encap() in
 * that). Every conversion between text, netlink, JSON and hash goes through a KeyRecord, which is
 * reused: {@link clear} touches only what was set, and nothing here allocates.
 *
 * An attribute is either present, with both halves, or absent. Where netlink has only one half, the
 * record says it this way: a key without a mask has a zero mask; `eth_type(0/0xffff)` is an 802.2
 * frame (no key, but a mask), `in_port(4294967295)` is no port.
 *
 * The record owns its buffers. Unset bytes and padding are always zero.
 */
export class KeyRecord {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  /** The same bytes as signed words: hot loops are faster with signed 32-bit integers. */
  readonly ints: Int32Array;
  /** A bit for each present slot: SLOT_WORDS words per level, see {@link wordAt}. */
  readonly present: Int32Array = new Int32Array(LEVELS * SLOT_WORDS);
  /**
   * The slots in the order in which they were set, SLOTS places per level; printing keeps this
   * order.
   */
  readonly order: Uint8Array = new Uint8Array(LEVELS * SLOTS);
  readonly count: Int32Array = new Int32Array(LEVELS);
  /** Entries of the MPLS stack, by level. */
  readonly mplsEntries: Int32Array = new Int32Array(LEVELS);
  /**
   * Whether the normal form depends on values of types and protocols, because some of its
   * attributes match nothing. A key with other values may have another form.
   */
  headersByType = false;
  /** Attributes that KEYS does not have, in the order in which they came. */
  readonly unknown: UnknownKey[] = [];
  /** In a key from text, the words that only OVS's userspace datapath knows. */
  readonly userspace: UserspaceWord[] = [];

  constructor() {
    const buffer = new ArrayBuffer(LEVEL_SIZE * LEVELS);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint32Array(buffer);
    this.ints = new Int32Array(buffer);
  }

  /** Forgets everything. */
  clear(): this {
    for (let level = 0; level < LEVELS; level++) {
      const count = this.count[level]!;
      if (count === 0) continue;
      for (let i = 0; i < count; i++) {
        const slot = this.order[level * SLOTS + i]!;
        const from = keyOffset(level, slot) >> 2;
        const words = WORDS_OF_SLOT[slot]! * 2;
        for (let word = from; word < from + words; word++) this.ints[word] = 0;
      }
      this.count[level] = 0;
      this.present[level * SLOT_WORDS + METADATA_WORD] = 0;
      this.present[level * SLOT_WORDS + HEADER_WORD] = 0;
      this.mplsEntries[level] = 0;
    }
    if (this.unknown.length > 0) this.unknown.length = 0;
    if (this.userspace.length > 0) this.userspace.length = 0;
    return this;
  }

  has(level: number, slot: number): boolean {
    return ((this.present[wordAt(level, slot)]! >>> slot) & 1) === 1;
  }

  /** A bit for each key of metadata that is present. */
  metadata(level: number): number {
    return this.present[level * SLOT_WORDS + METADATA_WORD]!;
  }

  /** A bit for each header that is present. */
  headers(level: number): number {
    return this.present[level * SLOT_WORDS + HEADER_WORD]!;
  }

  /**
   * Makes an attribute present, with zero bytes.
   * @returns false if it is already present
   */
  add(level: number, slot: number): boolean {
    const word = wordAt(level, slot);
    const present = this.present[word]!;
    const bit = slotBit(slot);
    if ((present & bit) !== 0) return false;
    this.present[word] = present | bit;
    const count = this.count[level]!;
    this.order[level * SLOTS + count] = slot;
    this.count[level] = count + 1;
    return true;
  }

  /** Makes an attribute absent again. */
  remove(level: number, slot: number): void {
    if (!this.has(level, slot)) return;
    const word = wordAt(level, slot);
    this.present[word] = this.present[word]! & ~slotBit(slot);
    const first = level * SLOTS;
    const at = this.order.indexOf(slot, first);
    this.order.copyWithin(at, at + 1, first + this.count[level]!);
    this.count[level] = this.count[level]! - 1;
    const from = keyOffset(level, slot);
    this.bytes.fill(0, from, from + WORDS_OF_SLOT[slot]! * 8);
    if (slot === SLOT_MPLS) this.mplsEntries[level] = 0;
  }

  /** Whether no bit of the attribute is matched. ENCAP and UNKNOWN have no mask of their own. */
  isWild(level: number, slot: number): boolean {
    const from = maskOffset(level, slot) >> 2;
    const words = WORDS_OF_SLOT[slot]!;
    for (let i = from; i < from + words; i++) if (this.ints[i] !== 0) return false;
    return true;
  }

  /** Sets the mask of an attribute to the one implied by text without a mask. */
  setExact(level: number, slot: number): void {
    const from = maskOffset(level, slot);
    const full = FULL_MASKS[slot];
    if (full !== undefined) this.bytes.set(full, from);
    if (slot === SLOT_MPLS) this.bytes.fill(0xff, from, from + this.mplsEntries[level]! * 4);
  }
}

/** An attribute that KEYS does not have. */
export type UnknownKey = {
  readonly level: number;
  readonly type: number;
  readonly key: Uint8Array;
  /** As long as the key. */
  readonly mask: Uint8Array;
};

/** A word that no kernel knows, and its place in the text. */
type UserspaceWord = {
  readonly name: string;
  readonly kind: UserspaceKind;
  readonly level: number;
  readonly at: number;
};

/** Offset of an attribute's key half in {@link KeyRecord.bytes}; a multiple of four. */
export function keyOffset(level: number, slot: number): number {
  return level * LEVEL_SIZE + OFFSET_OF_SLOT[slot]!;
}

/** Offset of an attribute's mask half in {@link KeyRecord.bytes}; a multiple of four. */
export function maskOffset(level: number, slot: number): number {
  return level * LEVEL_SIZE + OFFSET_OF_SLOT[slot]! + WORDS_OF_SLOT[slot]! * 4;
}

/** Words of one half of each slot. */
export const WORDS_OF_SLOT: Int32Array = Int32Array.from(SIZE_OF_SLOT, (size) => align(size) >> 2);

const OFFSET_OF_SLOT: Int32Array = new Int32Array(SLOTS);
const LEVEL_SIZE: number = placeSlots();

function placeSlots(): number {
  let at = 0;
  for (let slot = 0; slot < SLOTS; slot++) {
    OFFSET_OF_SLOT[slot] = at;
    at += (WORDS_OF_SLOT[slot] ?? 0) * 8;
  }
  return at;
}

/** Whether an attribute's payload has the length that the kernel requires; nests may have any. */
export function isWellSized(slot: number, length: number): boolean {
  const size = SIZE_OF_SLOT[slot]!;
  if (IS_NESTED[slot] === 1) return true;
  // A wildcarded stack is dumped with no entries.
  if (slot === SLOT_MPLS) return length <= size && (length & 3) === 0;
  return length === size;
}

const IS_NESTED: Uint8Array = Uint8Array.from(KEY_BY_SLOT, (key) => (key?.nested === true ? 1 : 0));

/**
 * The mask of an exact match, by slot. That of MPLS depends on the entries; the parser makes a
 * tunnel's.
 */
const FULL_MASKS: readonly (Uint8Array | undefined)[] = KEY_BY_SLOT.map((spec, slot) => {
  if (spec === undefined || slot === SLOT_MPLS || slot === SLOT_ENCAP || slot === SLOT_TUNNEL)
    return undefined;
  const mask = new Uint8Array(spec.size);
  for (const field of spec.fields) setFull(field, mask, 0);
  return mask;
});
