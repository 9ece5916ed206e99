import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { attributeLength, attributeType, nextAttribute } from "../action/attributes.ts";
import { keyOffset, KeyRecord } from "../key/record.ts";
import { SLOT_ENCAP, SLOT_ETHERTYPE, SLOT_NSH, SLOT_TUNNEL } from "../key/slots.ts";
import { SIZE_OF_SLOT, SLOT_OF_TYPE } from "../key/table.ts";
import type { MaskClass, MaskClasses } from "../mask-class.ts";
import { type FlowParts, readMatch } from "../parts.ts";
import { hashOf, isAligned, Kept, WordView } from "./kept.ts";

/** Keys with the same attributes and the same mask, so that the places of values are known. */
type MaskForm = {
  readonly own: MaskClass;
  /** The constant words of the key: headers, and the EtherType. */
  readonly fixedAt: Int32Array;
  readonly fixed: Int32Array;
  readonly keyBytes: number;
  readonly mask: Int32Array;
  /**
   * For each word of the mask, the word of the key with its value; -1 if it is always that of
   * {@link constants}.
   */
  readonly valueAt: Int32Array;
  readonly constants: Int32Array;
};

/** Attributes whose layout in a record differs from that in a key. */
const NESTED: ReadonlySet<number> = new Set([SLOT_ENCAP, SLOT_TUNNEL, SLOT_NSH]);

/** Sorts flows into classes by mask; flows of one form share work. */
export class MaskReader {
  readonly #classes: MaskClasses;
  readonly #record = new KeyRecord();
  readonly #words = new WordView();
  readonly #forms = new Kept<MaskForm>();

  constructor(classes: MaskClasses) {
    this.#classes = classes;
  }

  /**
   * Adds a flow, and leaves its masked key in the classes' `values`. @returns its class; undefined
   * if it cannot be read
   */
  add(flow: FlowParts): MaskClass | undefined {
    const { bytes, key, mask } = flow;
    if (!isAligned(key, mask)) return this.#addAlone(flow);
    const words = this.#words.of(bytes);
    const hash = hashOf(words, mask.start, mask.end, key.end - key.start);
    const kept = this.#forms.of(hash);
    if (kept !== undefined) {
      for (let i = 0; i < kept.length; i++) {
        const form = kept[i]!; // i is below its length
        if (!matches(form, flow, words)) continue;
        readValues(form, words, key.start >> 2, this.#classes.values);
        this.#classes.addTo(form.own);
        return form.own;
      }
    }
    const own = this.#addAlone(flow);
    if (own === undefined || !this.#forms.takes(kept)) return own;
    const form = formOf(flow, words, own, this.#classes.values);
    if (form !== undefined) this.#forms.add(hash, form);
    return own;
  }

  #addAlone(flow: FlowParts): MaskClass | undefined {
    return readMatch(flow, this.#record) ? this.#classes.add(this.#record) : undefined;
  }
}

function matches(form: MaskForm, { key, mask }: FlowParts, words: Int32Array): boolean {
  if (key.end - key.start !== form.keyBytes) return false;
  const { fixedAt, fixed, mask: known } = form;
  const first = key.start >> 2;
  for (let i = 0; i < fixed.length; i++) if (words[first + fixedAt[i]!] !== fixed[i]) return false;
  if ((mask.end - mask.start) >> 2 !== known.length) return false;
  const maskFirst = mask.start >> 2;
  for (let i = 0; i < known.length; i++) if (words[maskFirst + i] !== known[i]) return false;
  return true;
}

function readValues(form: MaskForm, words: Int32Array, first: number, into: Int32Array): void {
  const { valueAt, constants } = form;
  const { masks } = form.own;
  for (let i = 0; i < valueAt.length; i++) {
    const at = valueAt[i]!;
    into[i] = at < 0 ? constants[i]! : words[first + at]! & masks[i]!;
  }
}

/** The form of a flow of a class; undefined if an attribute is nested or unknown. */
function formOf(
  { bytes, key, mask }: FlowParts,
  words: Int32Array,
  own: MaskClass,
  values: Int32Array,
): MaskForm | undefined {
  const isValue = new Uint8Array((key.end - key.start) >> 2);
  const placeOf = new Map<number, number>();
  for (let at = key.start, length = attributeLength(bytes, at, key.end); length > 0;) {
    const slot = SLOT_OF_TYPE[attributeType(bytes, at)] ?? -1;
    const size = SIZE_OF_SLOT[slot] ?? 0;
    if (slot < 0 || NESTED.has(slot) || length - NLA_HEADER !== size) return undefined;
    if (slot !== SLOT_ETHERTYPE) {
      const from = (at + NLA_HEADER - key.start) >> 2;
      for (let i = 0; i < (size + 3) >> 2; i++) {
        isValue[from + i] = 1;
        placeOf.set((keyOffset(0, slot) >> 2) + i, from + i);
      }
    }
    at = nextAttribute(at, length, key.end);
    length = attributeLength(bytes, at, key.end);
  }
  const fixedAt = Int32Array.from(isValue.keys().filter((at) => isValue[at] === 0));
  return {
    own,
    fixedAt,
    fixed: fixedAt.map((at) => words[(key.start >> 2) + at]!),
    keyBytes: key.end - key.start,
    mask: words.slice(mask.start >> 2, mask.end >> 2),
    valueAt: own.words.map((word) => placeOf.get(word) ?? -1),
    constants: values.slice(0, own.words.length),
  };
}
