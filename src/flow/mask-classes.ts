import { levelOfWord, lowestSlot, SLOT_UNKNOWN } from "./key/levels.ts";
import { type KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "./key/record.ts";
import { SLOT_IN_PORT } from "./key/slots.ts";

/*
 * Flows by what they mask, and which of the masks are in nobody's way. A put walks every mask that is there
 * (`ovs_flow_tbl_lookup`), so that many flows of few masks are to come before few flows of many. Flows of two masks may
 * change places where no packet is one of both: there is a bit that both match, and want other values of.
 */

/** Comparisons of single flows, in all: behind them flows count as overlapping. */
const COMPARISONS_MAX = 20_000_000;

/** How many flows tell which word of a mask differs most from flow to flow. */
const SAMPLE_FLOWS = 1024;

/** Flows of one mask. */
class MaskClass {
  /** Words of a key record in which the mask has bits, going up, and those bits. */
  readonly words: Int32Array;
  readonly masks: Int32Array;
  /** Bits that all keys have, and that any has; a word each. */
  readonly all: Int32Array;
  readonly any: Int32Array;
  /** The masked keys, one after the other. */
  values: Int32Array = new Int32Array(64);
  count = 0;
  #index: FlowIndex | undefined;

  constructor(words: Int32Array, masks: Int32Array) {
    this.words = words;
    this.masks = masks;
    this.all = new Int32Array(words.length).fill(-1);
    this.any = new Int32Array(words.length);
  }

  isOf(words: Int32Array, masks: Int32Array, length: number): boolean {
    if (this.words.length !== length) return false;
    for (let i = 0; i < length; i++)
      if (this.words[i] !== words[i] || this.masks[i] !== masks[i]) return false;
    return true;
  }

  keep(ints: Int32Array): void {
    const { words, masks } = this;
    const first = (this.count - 1) * words.length;
    if (first + words.length > this.values.length) {
      const longer = new Int32Array(Math.max(this.values.length * 2, words.length * 4));
      longer.set(this.values);
      this.values = longer;
    }
    for (let i = 0; i < words.length; i++) {
      const value = ints[words[i]!]! & masks[i]!;
      this.values[first + i] = value;
      this.all[i] = this.all[i]! & value;
      this.any[i] = this.any[i]! | value;
    }
  }

  /** The flows by the word in which they differ most. */
  get index(): FlowIndex {
    return (this.#index ??= new FlowIndex(this));
  }
}

/** The flows of a class by the value of one word. */
class FlowIndex {
  /** Which of the class's words; -1 where it has none. */
  readonly column: number;
  readonly #first = new Map<number, number>();
  readonly #next: Int32Array;

  constructor({ words, values, count }: MaskClass) {
    this.column = mostVaried(words.length, values, Math.min(count, SAMPLE_FLOWS));
    this.#next = new Int32Array(count);
    for (let flow = 0; flow < count; flow++) {
      const value = values[flow * words.length + this.column] ?? 0;
      this.#next[flow] = this.#first.get(value) ?? -1;
      this.#first.set(value, flow);
    }
  }

  /** A flow with that value; -1 for none. */
  first(value: number): number {
    return this.#first.get(value) ?? -1;
  }

  /** Another one with the same value; -1 for none. */
  next(flow: number): number {
    return this.#next[flow]!;
  }
}

function mostVaried(columns: number, values: Int32Array, flows: number): number {
  let best = -1;
  let most = 0;
  for (let column = 0; column < columns; column++) {
    const seen = new Set<number>();
    for (let flow = 0; flow < flows; flow++) seen.add(values[flow * columns + column] ?? 0);
    if (seen.size <= most) continue;
    best = column;
    most = seen.size;
  }
  return best;
}

/** Collects flows by their masks. */
export class MaskClasses {
  readonly #classes: MaskClass[] = [];
  readonly #byHash = new Map<number, number[]>();
  readonly #words = new Int32Array(512);
  readonly #masks = new Int32Array(512);
  readonly #keepFlows: boolean;
  #last = -1;
  #comparisons = 0;

  /** @param options whether flows are kept: {@link groups} wants them */
  constructor(options: { readonly keepFlows: boolean }) {
    this.#keepFlows = options.keepFlows;
  }

  /** How many masks there are. */
  get size(): number {
    return this.#classes.length;
  }

  /** How many flows a class has. */
  flows(number: number): number {
    return this.#classes[number]?.count ?? 0;
  }

  /**
   * Takes the match of a flow.
   * @param anyPort its port is not known yet, and may be any
   * @returns the number of its mask, from 0
   */
  add(match: KeyRecord, anyPort: boolean): number {
    const length = this.#readMask(match, anyPort);
    const found = this.#find(length);
    const maskClass = this.#classes[found]!;
    maskClass.count++;
    if (this.#keepFlows) maskClass.keep(match.ints);
    this.#last = found;
    return found;
  }

  /**
   * Puts classes whose flows might overlap into one group, and those of no other into one of their own.
   * @returns the group of each class, from 0
   */
  groups(): Int32Array {
    const parent = Int32Array.from(this.#classes, (_, i) => i);
    const rootOf = (index: number): number => {
      let root = index;
      while (parent[root] !== root) root = parent[root] = parent[parent[root]!]!;
      return root;
    };
    for (let later = 0; later < parent.length; later++) {
      for (let earlier = 0; earlier < later; earlier++) {
        const roots = [rootOf(later), rootOf(earlier)] as const;
        if (roots[0] === roots[1]) continue;
        if (!this.#areApart(this.#classes[later]!, this.#classes[earlier]!))
          parent[roots[0]] = roots[1];
      }
    }
    const numbers = new Map<number, number>();
    return parent.map((_, index) => {
      const root = rootOf(index);
      const number = numbers.get(root) ?? numbers.size;
      numbers.set(root, number);
      return number;
    });
  }

  // Writes the words that have a mask, and their masks. Returns how many.
  #readMask(match: KeyRecord, anyPort: boolean): number {
    let length = 0;
    for (let at = 0; at < match.present.length; at++) {
      const level = levelOfWord(at);
      for (let left = match.present[at]!; left !== 0; left &= left - 1) {
        const slot = lowestSlot(at, left);
        if (slot === SLOT_UNKNOWN || (anyPort && slot === SLOT_IN_PORT)) continue;
        const key = keyOffset(level, slot) >> 2;
        const mask = maskOffset(level, slot) >> 2;
        for (let i = 0; i < WORDS_OF_SLOT[slot]!; i++) {
          if (match.ints[mask + i] === 0) continue;
          this.#words[length] = key + i;
          this.#masks[length++] = match.ints[mask + i]!;
        }
      }
    }
    return length;
  }

  // The class of the mask that has just been read.
  #find(length: number): number {
    const words = this.#words;
    const masks = this.#masks;
    if (this.#classes[this.#last]?.isOf(words, masks, length) === true) return this.#last;
    let hash = length;
    for (let i = 0; i < length; i++) {
      hash = Math.imul(hash ^ words[i]!, 0x9e3779b1);
      hash = Math.imul(hash ^ masks[i]! ^ (hash >>> 15), 0x85ebca6b);
    }
    const known = this.#byHash.get(hash) ?? [];
    const found = known.find((number) => this.#classes[number]!.isOf(words, masks, length));
    if (found !== undefined) return found;
    const made = new MaskClass(words.slice(0, length), masks.slice(0, length));
    this.#byHash.set(hash, [...known, this.#classes.length]);
    return this.#classes.push(made) - 1;
  }

  // Whether no packet is one of a flow of both.
  #areApart(a: MaskClass, b: MaskClass): boolean {
    if (differByConstants(a, b)) return true;
    const [many, few] = a.count >= b.count ? [a, b] : [b, a];
    const { index } = many;
    const at = few.words.indexOf(many.words[index.column] ?? -1);
    const mask = many.masks[index.column] ?? 0;
    const indexed = at >= 0 && ((few.masks[at] ?? 0) & mask) === mask;
    for (let flow = 0; flow < few.count; flow++) {
      if (indexed) {
        const value = few.values[flow * few.words.length + at]! & mask;
        for (let held = index.first(value); held >= 0; held = index.next(held))
          if (!this.#isApart(few, flow, many, held)) return false;
      } else {
        for (let held = 0; held < many.count; held++)
          if (!this.#isApart(few, flow, many, held)) return false;
      }
    }
    return true;
  }

  // The same of two flows; false also where there were too many comparisons.
  #isApart(own: MaskClass, flow: number, met: MaskClass, held: number): boolean {
    if (++this.#comparisons > COMPARISONS_MAX) return false;
    const first = flow * own.words.length;
    const second = held * met.words.length;
    for (let i = 0, j = 0; i < own.words.length && j < met.words.length;) {
      const order = own.words[i]! - met.words[j]!;
      if (order === 0) {
        const both = own.masks[i]! & met.masks[j]!;
        if (((own.values[first + i]! ^ met.values[second + j]!) & both) !== 0) return true;
      }
      if (order <= 0) i++;
      if (order >= 0) j++;
    }
    return false;
  }
}

// Whether there is a bit that all flows of one class have set, and all of the other one clear.
function differByConstants(a: MaskClass, b: MaskClass): boolean {
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
