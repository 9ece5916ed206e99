import { KeyRecord } from "./key/record.ts";
import { areApart, type MaskClass, MaskClasses } from "./mask-class.ts";
import { type FlowParts, readMatch } from "./parts.ts";
import { MaskReader } from "./shape/mask-reader.ts";

/**
 * Finds masks whose flows can be loaded in any order. Flows of two masks may change places if no
 * packet matches both: they require different values of a bit that both match.
 */

/** The total number of comparisons of single flows; after that, flows count as overlapping. */
const COMPARISONS_MAX = 20_000_000;

/** The sample size for finding the word of a mask that differs most between flows. */
const SAMPLE_FLOWS = 1024;

/** The flows of a mask: each one's masked key, only the words in which the mask has bits. */
class MaskFlows {
  readonly mask: MaskClass;
  values: Int32Array = new Int32Array(64);
  #index: FlowIndex | undefined;

  constructor(mask: MaskClass) {
    this.mask = mask;
  }

  /** Adds the masked key of the flow that its class just counted. */
  add(key: Int32Array): void {
    const { words, count } = this.mask;
    const first = (count - 1) * words.length;
    if (first + words.length > this.values.length) {
      const longer = new Int32Array(Math.max(this.values.length * 2, words.length * 4));
      longer.set(this.values);
      this.values = longer;
    }
    for (let i = 0; i < words.length; i++) this.values[first + i] = key[i]!;
  }

  /** The flows by the word in which they differ most. */
  get index(): FlowIndex {
    return (this.#index ??= new FlowIndex(this));
  }
}

/** The flows of a mask by the value of one word. */
class FlowIndex {
  /** The index of the word among the mask's; -1 if the mask has none. */
  readonly column: number;
  readonly #first = new Map<number, number>();
  readonly #next: Int32Array;

  constructor({ mask: { words, count }, values }: MaskFlows) {
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

  /** Another flow with the same value; -1 for none. */
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

/** Collects flows and finds out which of their masks may change places. */
export class MaskGroups {
  readonly #classes = new MaskClasses({ byType: false });
  readonly #reader = new MaskReader(this.#classes);
  readonly #record = new KeyRecord();
  readonly #flows: MaskFlows[] = [];
  #comparisons = 0;

  /** The masks. */
  get masks(): readonly MaskClass[] {
    return this.#classes.all;
  }

  /**
   * Adds a flow.
   * @param anyPort whether its port is not known yet and may be any
   * @returns the number of its mask, from 0; -1 if the flow cannot be read
   */
  add(flow: FlowParts, anyPort: boolean): number {
    const mask = anyPort ? this.#addOfAnyPort(flow) : this.#reader.add(flow);
    if (mask === undefined) return -1;
    (this.#flows[mask.number] ??= new MaskFlows(mask)).add(this.#classes.values);
    return mask.number;
  }

  #addOfAnyPort(flow: FlowParts): MaskClass | undefined {
    const record = this.#record;
    return readMatch(flow, record) ? this.#classes.add(record, true) : undefined;
  }

  /**
   * Puts masks whose flows might overlap into one group; other masks get a group each.
   * @returns the group of each mask, from 0
   */
  groups(): Int32Array {
    const parent = Int32Array.from(this.#flows, (_, i) => i);
    const rootOf = (index: number): number => {
      let root = index;
      while (parent[root] !== root) root = parent[root] = parent[parent[root]!]!;
      return root;
    };
    for (let later = 0; later < parent.length; later++) {
      for (let earlier = 0; earlier < later; earlier++) {
        const roots = [rootOf(later), rootOf(earlier)] as const;
        if (roots[0] === roots[1]) continue;
        if (!this.#areApart(this.#flows[later]!, this.#flows[earlier]!))
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

  // Whether no packet matches flows of both masks.
  #areApart(a: MaskFlows, b: MaskFlows): boolean {
    if (areApart(a.mask, b.mask)) return true;
    const [many, few] = a.mask.count >= b.mask.count ? [a, b] : [b, a];
    const { index } = many;
    const at = few.mask.words.indexOf(many.mask.words[index.column] ?? -1);
    const bits = many.mask.masks[index.column] ?? 0;
    const indexed = at >= 0 && ((few.mask.masks[at] ?? 0) & bits) === bits;
    for (let flow = 0; flow < few.mask.count; flow++) {
      if (indexed) {
        const value = few.values[flow * few.mask.words.length + at]! & bits;
        for (let held = index.first(value); held >= 0; held = index.next(held))
          if (!this.#isApart(few, flow, many, held)) return false;
      } else {
        for (let held = 0; held < many.mask.count; held++)
          if (!this.#isApart(few, flow, many, held)) return false;
      }
    }
    return true;
  }

  // Whether no packet matches both flows; also false after too many comparisons.
  #isApart(own: MaskFlows, flow: number, met: MaskFlows, held: number): boolean {
    if (++this.#comparisons > COMPARISONS_MAX) return false;
    const { words, masks } = own.mask;
    const { words: metWords, masks: metMasks } = met.mask;
    const first = flow * words.length;
    const second = held * metWords.length;
    for (let i = 0, j = 0; i < words.length && j < metWords.length;) {
      const order = words[i]! - metWords[j]!;
      if (order === 0) {
        const both = masks[i]! & metMasks[j]!;
        if (((own.values[first + i]! ^ met.values[second + j]!) & both) !== 0) return true;
      }
      if (order <= 0) i++;
      if (order >= 0) j++;
    }
    return false;
  }
}
