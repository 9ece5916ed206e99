import { LEVELS, levelOfWord, lowestSlot, SLOT_UNKNOWN } from "./key/levels.ts";
import { type KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "./key/record.ts";
import { SLOT_ETHERNET, SLOT_ETHERTYPE, SLOT_IN_PORT } from "./key/slots.ts";

/*
 * Classes of flows by mask. Flows of one mask never overlap. For two masks, single flows often need
 * no comparison: a bit that all flows of one class have set and all of the other have clear keeps
 * the classes apart.
 */

/** What all flows of one mask have in common, and their number. */
export class MaskClass {
  /** The number of the class, from 0. */
  readonly number: number;
  /** Words of a key record in which the mask has bits, ascending, and those bits. */
  readonly words: Int32Array;
  readonly masks: Int32Array;
  /**
   * Bits that all masked keys have set, and bits that any has set; one word for each of
   * {@link words}.
   */
  readonly all: Int32Array;
  readonly any: Int32Array;
  /** The EtherTypes of the levels, if classes differ by them. */
  readonly types: Int32Array;
  readonly hasEthernet: boolean;
  count = 0;

  constructor(number: number, mask: MaskWords) {
    const { length } = mask;
    this.number = number;
    this.words = mask.words.slice(0, length);
    this.masks = mask.masks.slice(0, length);
    this.all = new Int32Array(length).fill(-1);
    this.any = new Int32Array(length);
    this.types = mask.types.slice();
    this.hasEthernet = mask.hasEthernet;
  }

  isOf({ words, masks, types, hasEthernet, length }: MaskWords): boolean {
    if (this.words.length !== length || this.hasEthernet !== hasEthernet) return false;
    for (let i = 0; i < length; i++)
      if (this.words[i] !== words[i] || this.masks[i] !== masks[i]) return false;
    for (let level = 0; level < LEVELS; level++)
      if (this.types[level] !== types[level]) return false;
    return true;
  }

  /**
   * Reads the masked key of a flow of this mask from its record, one value for each of
   * {@link words}.
   */
  read(ints: Int32Array, into: Int32Array): void {
    const { words, masks } = this;
    for (let i = 0; i < words.length; i++) into[i] = ints[words[i]!]! & masks[i]!;
  }

  /**
   * Adds a flow of this mask by its masked key. @returns whether the bits that all or any flows
   * have changed
   */
  add(values: Int32Array): boolean {
    const { all, any } = this;
    let changed = 0;
    for (let i = 0; i < all.length; i++) {
      const value = values[i]!;
      changed |= (all[i]! & ~value) | (value & ~any[i]!);
      all[i] = all[i]! & value;
      any[i] = any[i]! | value;
    }
    this.count++;
    return changed !== 0;
  }
}

/** The mask of a flow, in words of a key record. */
type MaskWords = {
  readonly words: Int32Array;
  readonly masks: Int32Array;
  readonly types: Int32Array;
  hasEthernet: boolean;
  length: number;
};

/** More words than a key record has. */
const WORDS_MAX = 1024;

/** Finds the class of a flow's mask. */
export class MaskClasses {
  readonly all: MaskClass[] = [];
  /** The masked key of the last flow, one value for each word of its mask. */
  readonly values: Int32Array = new Int32Array(WORDS_MAX);
  /** Increases when a class is made, or when what its flows have in common changes. */
  version = 0;
  readonly #byHash = new Map<number, MaskClass[]>();
  readonly #byType: boolean;
  readonly #mask: MaskWords = {
    words: new Int32Array(WORDS_MAX),
    masks: new Int32Array(WORDS_MAX),
    types: new Int32Array(LEVELS),
    hasEthernet: false,
    length: 0,
  };
  #last: MaskClass | undefined;

  /**
   * @param options `byType`: whether flows with different EtherTypes belong to different classes; a
   * kernel does not distinguish them
   */
  constructor(options: { readonly byType: boolean }) {
    this.#byType = options.byType;
  }

  /** Adds the match of a flow. @param anyPort whether its port is not known yet and may be any */
  add(match: KeyRecord, anyPort = false): MaskClass {
    this.#read(match, anyPort);
    const found = this.#find();
    found.read(match.ints, this.values);
    this.addTo(found);
    this.#last = found;
    return found;
  }

  /** Adds another flow of a class, whose masked key is in {@link values}. */
  addTo(own: MaskClass): void {
    if (own.add(this.values)) this.version++;
  }

  #read(match: KeyRecord, anyPort: boolean): void {
    const mask = this.#mask;
    mask.length = 0;
    mask.hasEthernet = match.has(0, SLOT_ETHERNET);
    for (let at = 0; at < match.present.length; at++) {
      const level = levelOfWord(at);
      for (let left = match.present[at]!; left !== 0; left &= left - 1) {
        const slot = lowestSlot(at, left);
        if (slot === SLOT_UNKNOWN || (anyPort && slot === SLOT_IN_PORT)) continue;
        const first = keyOffset(level, slot) >> 2;
        const bits = maskOffset(level, slot) >> 2;
        for (let i = 0; i < WORDS_OF_SLOT[slot]!; i++) {
          if (match.ints[bits + i] === 0) continue;
          mask.words[mask.length] = first + i;
          mask.masks[mask.length++] = match.ints[bits + i]!;
        }
      }
    }
    if (!this.#byType) return;
    for (let level = 0; level < LEVELS; level++) {
      const key = match.ints[keyOffset(level, SLOT_ETHERTYPE) >> 2]!;
      mask.types[level] = key & match.ints[maskOffset(level, SLOT_ETHERTYPE) >> 2]!;
    }
  }

  // The class of the mask just read.
  #find(): MaskClass {
    const mask = this.#mask;
    if (this.#last?.isOf(mask) === true) return this.#last;
    let hash = mask.types[0]!;
    for (let i = 0; i < mask.length; i++) {
      hash = Math.imul(hash ^ mask.words[i]!, 0x9e3779b1);
      hash = Math.imul(hash ^ mask.masks[i]! ^ (hash >>> 15), 0x85ebca6b);
    }
    const known = this.#byHash.get(hash) ?? [];
    const found = known.find((maskClass) => maskClass.isOf(mask));
    if (found !== undefined) return found;
    const made = new MaskClass(this.all.length, mask);
    this.#byHash.set(hash, [...known, made]);
    this.all.push(made);
    this.version++;
    return made;
  }
}

/**
 * Whether no packet can match flows of both classes: there is a bit that all flows of one have set
 * and all of the other have clear.
 */
export function areApart(a: MaskClass, b: MaskClass): boolean {
  for (let i = 0, j = 0; i < a.words.length && j < b.words.length;) {
    const order = a.words[i]! - b.words[j]!;
    if (order === 0) {
      const both = a.masks[i]! & b.masks[j]!;
      const set = (a.all[i]! & ~b.any[j]!) | (b.all[j]! & ~a.any[i]!);
      if ((set & both) !== 0) return true;
    }
    if (order <= 0) i++;
    if (order >= 0) j++;
  }
  return false;
}

/**
 * Whether a kernel might refuse a flow of `later` while a flow of `own` is there. It does not if
 * that flow matches a nonzero bit that the mask of `later` leaves out (`ovs_flow_tbl_lookup` in
 * `ovs_flow_cmd_new`).
 * @param values the flow's masked key, a value for each word of its mask; absent to ask about all flows of `own`
 */
export function mayRefuse(own: MaskClass, later: MaskClass, values?: Int32Array): boolean {
  if (own.hasEthernet !== later.hasEthernet) return false;
  for (let i = 0, j = 0; i < own.words.length; i++) {
    const word = own.words[i]!;
    while (j < later.words.length && later.words[j]! < word) j++;
    const isThere = later.words[j] === word;
    const mask = own.masks[i]!;
    const free = isThere ? mask & later.masks[j]! : 0;
    const all = values === undefined ? own.all[i]! : values[i]!;
    const any = values === undefined ? own.any[i]! : all;
    if ((all & mask & ~free) !== 0) return false;
    if (isThere && (((all & ~later.any[j]!) | (later.all[j]! & ~any)) & free) !== 0) return false;
  }
  return true;
}
