import { AttributeWriter } from "../../netlink/attribute-writer.ts";
import { PinnedMemory } from "../../sys/memory.ts";
import {
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_MASK,
  OVS_FLOW_ATTR_UFID,
} from "../../uapi/openvswitch.ts";
import { hashWords } from "../key/hash.ts";
import { LEVELS } from "../key/levels.ts";
import { normalize } from "../key/normal-form.ts";
import { KeyRecord, keyOffset, maskOffset, WORDS_OF_SLOT } from "../key/record.ts";
import { KEYS } from "../key/table.ts";
import { hashedWords, NO_OWNER, UFID_SIZE, writeUfid } from "../key/ufid.ts";
import { decodeFlow, FLOW_BYTES_MAX, type FlowParts, newFlowParts, readMatch } from "../parts.ts";
import { writeMaskNest, writeMatch } from "../write.ts";
import { KeyForm, type KeyHole, payloadsOf } from "./key-form.ts";
import { hashOf, isAligned, Kept, WordView } from "./kept.ts";

/** Keys that have fields which no rule looks at, so that their values decide nothing. */
const UNRULED = KEYS.filter(({ unruled }) => unruled.length > 0);

/** A word of a value: its place in the key as read, in the normal form, and in the hashed words. */
type ValueWord = {
  readonly from: number;
  readonly mask: number;
  readonly to: number;
  /** -1 if none of its attribute's bits is matched. */
  readonly hashed: number;
};

/** Matches of one form, which differ in a few values: their normal form and its hashed words. */
type MatchForm = {
  readonly form: KeyForm;
  /** Bytes of the KEY and the MASK attribute in normal form, without headers. */
  readonly key: Uint8Array;
  readonly mask: Uint8Array;
  readonly hashWords: Int32Array;
  readonly hashCount: number;
  readonly values: readonly ValueWord[];
};

/**
 * Reads matches, and computes the hash and the bytes of their normal form. Matches of one form
 * share work: only the values are copied.
 */
export class MatchNormalizer {
  /** The hash of the match read last: its UFID without an owner. */
  readonly hash: Int32Array = new Int32Array(UFID_SIZE / 4);
  readonly #hashBytes = new Uint8Array(this.hash.buffer);
  readonly #forms = new Kept<MatchForm>();
  readonly #words = new WordView();
  readonly #record = new KeyRecord();
  /** The form of the match read last, with its place; undefined if the match is in the record. */
  #form: MatchForm | undefined;
  #from: Int32Array = new Int32Array(0);
  #first = 0;

  /** Reads a match; its bytes must stay until {@link write}. @returns false if it cannot be read */
  read(flow: FlowParts): boolean {
    const { bytes, key, mask } = flow;
    this.#form = undefined;
    if (!isAligned(key, mask)) return this.#readAlone(flow);
    const words = this.#words.of(bytes);
    const hash = hashOf(words, mask.start, mask.end, key.end - key.start);
    const kept = this.#forms.of(hash);
    if (kept !== undefined) {
      for (let i = 0; i < kept.length; i++) {
        const form = kept[i]!; // i is below its length
        if (!form.form.matches(words, key, mask)) continue;
        this.#readValues(form, words, key.start >> 2);
        return true;
      }
    }
    if (!this.#readAlone(flow)) return false;
    if (this.#forms.takes(kept)) {
      const form = formOf(flow, words, this.#record);
      if (form !== undefined) this.#forms.add(hash, form);
    }
    return true;
  }

  /** Whether the UFID at `start` is the hash of the match read last. */
  isHash(bytes: Uint8Array, start: number): boolean {
    const own = this.#hashBytes;
    for (let i = 0; i < UFID_SIZE; i++) if (bytes[start + i] !== own[i]) return false;
    return true;
  }

  /** Appends the hash of the match read last, as its UFID. A writer without room is left failed. */
  writeHash(writer: AttributeWriter): void {
    writer.bytes(OVS_FLOW_ATTR_UFID, this.#hashBytes);
  }

  /**
   * Appends the KEY and MASK attributes of the match read last. A writer without room is left
   * failed.
   * @param kept the flow, if its key must be written as it was read, because the kernel identifies
   * it by that
   */
  write(writer: AttributeWriter, kept?: FlowParts): void {
    const form = this.#form;
    if (kept !== undefined) {
      writer.bytes(OVS_FLOW_ATTR_KEY, kept.bytes, kept.key.start, kept.key.end);
      if (form === undefined) writeMaskNest(writer, this.#record);
      else writer.bytes(OVS_FLOW_ATTR_MASK, form.mask);
      return;
    }
    if (form === undefined) {
      writeMatch(writer, this.#record, "none");
      return;
    }
    const to = (writer.position >> 2) + 1;
    writer.bytes(OVS_FLOW_ATTR_KEY, form.key);
    writer.bytes(OVS_FLOW_ATTR_MASK, form.mask);
    if (writer.failed) return;
    const { values } = form;
    const { i32 } = writer.memory;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!; // i is below its length
      i32[to + value.to] = this.#from[this.#first + value.from]! & value.mask;
    }
  }

  #readAlone(flow: FlowParts): boolean {
    if (!readMatch(flow, this.#record)) return false;
    normalize(this.#record);
    writeUfid(this.#record, this.hash, 0);
    return true;
  }

  #readValues(form: MatchForm, words: Int32Array, first: number): void {
    const { values, hashWords: hashed, hashCount } = form;
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!; // i is below its length
      if (value.hashed >= 0) hashed[value.hashed] = words[first + value.from]! & value.mask;
    }
    hashWords(hashed, hashCount, this.hash, 0, NO_OWNER);
    this.#form = form;
    this.#from = words;
    this.#first = first;
  }
}

/** The buffer for the normal form of a form's first match. */
let scratch: AttributeWriter | undefined;

/**
 * The form of a match.
 * @param record its normal form
 * @returns undefined if a value is not in the normal form as it was read
 */
function formOf(flow: FlowParts, words: Int32Array, record: KeyRecord): MatchForm | undefined {
  scratch ??= new AttributeWriter(new PinnedMemory(FLOW_BYTES_MAX));
  scratch.reset(0, scratch.memory.size);
  writeMatch(scratch, record, "none");
  if (scratch.failed) return undefined;
  const { u8: bytes, view, i32 } = scratch.memory;
  const normal = newFlowParts();
  decodeFlow({ bytes, view, start: 0, end: scratch.position }, normal);
  const read = new KeyRecord();
  readMatch(flow, read);
  const before = payloadsOf(flow, read);
  const after = payloadsOf(normal, record);
  const { words: hashed, count, sources } = hashedWords(record);
  const holes: KeyHole[] = [];
  const values: ValueWord[] = [];
  for (let level = 0; level < LEVELS; level++) {
    for (const { slot, fields, unruled } of UNRULED) {
      const base = keyOffset(level, slot);
      const from = before.get(base);
      const to = after.get(base);
      if (from === undefined || to === undefined) continue;
      for (const field of fields) {
        if (unruled.includes(field.name)) holes.push({ field, at: from });
      }
      for (let word = 0; word < WORDS_OF_SLOT[slot]!; word++) {
        const mask = record.ints[(maskOffset(level, slot) >> 2) + word]!;
        const value = {
          from: (from >> 2) + word,
          mask,
          to: (to >> 2) + word,
          hashed: sources.indexOf(base + word * 4),
        };
        const isCopied =
          i32[(normal.key.start >> 2) + value.to] ===
          (words[(flow.key.start >> 2) + value.from]! & mask);
        if (!isCopied) return undefined;
        values.push(value);
      }
    }
  }
  return {
    form: new KeyForm(flow, words, holes),
    key: bytes.slice(normal.key.start, normal.key.end),
    mask: bytes.slice(normal.mask.start, normal.mask.end),
    hashWords: hashed,
    hashCount: count,
    values,
  };
}
