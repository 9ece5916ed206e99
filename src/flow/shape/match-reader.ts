import { align } from "../../netlink/align.ts";
import { KeyRecord, keyOffset } from "../key/record.ts";
import { SLOT_VLAN } from "../key/slots.ts";
import { KEYS } from "../key/table.ts";
import { LEVELS } from "../key/levels.ts";
import { type FlowParts, readMatch } from "../parts.ts";
import { KeyForm, type KeyHole, payloadsOf } from "./key-form.ts";
import { hashOf, isAligned, Kept, WordView } from "./kept.ts";

/**
 * Reads keys and masks of flows as `readMatch` does, to the same records. Flows whose keys have the
 * same attributes and masks share work: after the first, only the values are read.
 */
export class MatchReader {
  readonly #record = new KeyRecord();
  readonly #forms = new Kept<ReadForm>();
  readonly #words = new WordView();

  /**
   * The key and mask of a flow, valid until the next call: the reader owns the record.
   * @returns undefined if they are malformed
   */
  read(flow: FlowParts): KeyRecord | undefined {
    const { bytes, key, mask } = flow;
    if (!isAligned(key, mask)) return this.#readSlowly(flow);
    const words = this.#words.of(bytes);
    const hash = hashOf(words, mask.start, mask.end, key.end - key.start);
    const kept = this.#forms.of(hash);
    if (kept !== undefined) {
      for (let i = 0; i < kept.length; i++) {
        const form = kept[i]!; // i is below its length
        if (form.matches(words, flow)) return form.read(words, key.start);
      }
    }
    if (!this.#forms.takes(kept)) return this.#readSlowly(flow);
    const record = new KeyRecord();
    if (!readMatch(flow, record)) return undefined;
    this.#forms.add(hash, new ReadForm(flow, words, record));
    return record;
  }

  #readSlowly(flow: FlowParts): KeyRecord | undefined {
    return readMatch(flow, this.#record) ? this.#record : undefined;
  }
}

/** Keys of one form, and a record that holds one of them. */
class ReadForm {
  readonly #form: KeyForm;
  readonly #record: KeyRecord;
  /** The words of the key that hold values, and their places in the record. */
  readonly #from: Int32Array;
  readonly #to: Int32Array;

  constructor(flow: FlowParts, words: Int32Array, record: KeyRecord) {
    const payloads = payloadsOf(flow, record);
    const holes: KeyHole[] = [];
    const [from, to]: [number[], number[]] = [[], []];
    for (let level = 0; level < LEVELS; level++) {
      for (const { slot, size, fields } of KEYS) {
        // The bits of a tag decide whether there is one, and so what else the key has.
        const base = keyOffset(level, slot);
        const at = slot === SLOT_VLAN ? undefined : payloads.get(base);
        if (at === undefined || !record.has(level, slot) || !isPadded(flow, at, size)) continue;
        for (const field of fields) holes.push({ field, at });
        for (let word = 0; word < align(size); word += 4) {
          from.push((at + word) >> 2);
          to.push((base + word) >> 2);
        }
      }
    }
    this.#form = new KeyForm(flow, words, holes);
    this.#record = record;
    this.#from = Int32Array.from(from);
    this.#to = Int32Array.from(to);
  }

  matches(words: Int32Array, { key, mask }: FlowParts): boolean {
    return this.#form.matches(words, key, mask);
  }

  /** Reads the key at `start`, for which {@link matches} is true. */
  read(words: Int32Array, start: number): KeyRecord {
    const { ints } = this.#record;
    const first = start >> 2;
    for (let i = 0; i < this.#from.length; i++) {
      ints[this.#to[i]!] = words[first + this.#from[i]!]!; // within the key, and the slot
    }
    return this.#record;
  }
}

/** Whether a payload is padded with zeros to whole words, as in the record. */
function isPadded({ bytes, key }: FlowParts, at: number, size: number): boolean {
  for (let i = at + size; i < at + align(size); i++) if (bytes[key.start + i] !== 0) return false;
  return true;
}
