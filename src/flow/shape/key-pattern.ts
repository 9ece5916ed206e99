import type { ByteRange, FlowParts } from "../parts.ts";
import type { PortNames } from "../ports.ts";
import { printKey } from "../key/print.ts";
import { type KeyRecord, keyOffset } from "../key/record.ts";
import { LEVELS, SLOT_ETHERTYPE, SLOTS } from "../key/slots.ts";
import { SIZE_OF_SLOT, SLOT_OF_TYPE } from "../key/table.ts";
import { type PrintStyle, printValue } from "../text/field-print.ts";
import type { Field } from "../text/field.ts";
import type { TextSink } from "../text/sink.ts";
import { attributeLength, attributeType, nextAttribute } from "../action/attributes.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { OVS_KEY_ATTR_ENCAP } from "../../uapi/openvswitch.ts";

/** Kinds whose text rests on nothing but the bytes of the field. */
const VALUE_KINDS: ReadonlySet<Field["kind"]> = new Set([
  "number",
  "number64",
  "hex64",
  "number128",
  "mac",
  "ipv4",
  "ipv6",
  "port",
]);

/** A value in the text of a key: its field, where its payload is in the record, and where its text is. */
export type PrintedValue = {
  readonly field: Field;
  readonly base: number;
  readonly start: number;
  readonly end: number;
};

/** Prints the key of a record. @returns the values in it that may differ between keys of one pattern */
export function recordValues(
  record: KeyRecord,
  out: TextSink,
  style: PrintStyle,
): readonly PrintedValue[] {
  const values: PrintedValue[] = [];
  const onValue = (field: Field, base: number, start: number, end: number): void => {
    if (VALUE_KINDS.has(field.kind)) values.push({ field, base, start, end });
  };
  printKey(record, out, { ...style, onValue });
  return values;
}

/** A value of a pattern: where its payload is, from the beginning of the key. */
type Hole = { readonly field: Field; readonly at: number; readonly names: boolean };

/**
 * Keys of the same attributes under the same masks: all of their bytes are the same but those of a few values. The
 * text of such a key is pieces that are always the same, with a value after each but the last.
 */
export class KeyPattern {
  /** The bits of each word that are no value, and what they are. */
  readonly #fixedBits: Int32Array;
  readonly #fixed: Int32Array;
  readonly #mask: Int32Array;
  readonly #keyBytes: number;
  readonly #maskBytes: number;
  readonly #text: Uint8Array;
  /** Where each piece of the text ends. */
  readonly #ends: Int32Array;
  readonly #holes: readonly Hole[];

  /**
   * @param words over the bytes of the flow
   * @param record its key and mask, and `text` that of its key, with its values
   */
  constructor(
    { bytes, key, mask }: FlowParts,
    words: Int32Array,
    record: KeyRecord,
    text: TextSink,
    values: readonly PrintedValue[],
  ) {
    this.#keyBytes = key.end - key.start;
    this.#maskBytes = mask.end - mask.start;
    this.#fixed = words.slice(key.start >> 2, key.end >> 2);
    this.#mask = words.slice(mask.start >> 2, mask.end >> 2);
    this.#fixedBits = new Int32Array(this.#fixed.length).fill(-1);
    const care = new Uint8Array(this.#fixedBits.buffer);
    const payloads = payloadsOf(bytes, key, record);
    const holes: Hole[] = [];
    const pieces: number[] = [];
    const ends: number[] = [];
    let from = 0;
    for (const { field, base, start, end } of values) {
      const payload = payloads.get(base);
      // What is not as it lies in the record has no place of its own.
      if (payload === undefined) continue;
      care.fill(0, payload + field.offset, payload + field.offset + field.size);
      pieces.push(...text.bytes.subarray(from, start));
      ends.push(pieces.length);
      holes.push({ field, at: payload, names: field.kind === "port" });
      from = end;
    }
    pieces.push(...text.bytes.subarray(from, text.length));
    ends.push(pieces.length);
    this.#text = Uint8Array.from(pieces);
    this.#ends = Int32Array.from(ends);
    this.#holes = holes;
    for (let i = 0; i < this.#fixed.length; i++) {
      this.#fixed[i] = this.#fixed[i]! & this.#fixedBits[i]!; // both have as many words
    }
  }

  /** Whether a flow's key and mask are of the pattern. @param words over the bytes of the flow */
  matches(words: Int32Array, key: ByteRange, mask: ByteRange): boolean {
    if (key.end - key.start !== this.#keyBytes || mask.end - mask.start !== this.#maskBytes) {
      return false;
    }
    const fixed = this.#fixed;
    const bits = this.#fixedBits;
    let at = key.start >> 2;
    for (let i = 0; i < fixed.length; i++, at++) {
      if ((words[at]! & bits[i]!) !== fixed[i]) return false; // within the key
    }
    const known = this.#mask;
    at = mask.start >> 2;
    for (let i = 0; i < known.length; i++, at++) if (words[at] !== known[i]) return false;
    return true;
  }

  /** Prints the key that begins at `start`, which {@link matches}. */
  print(bytes: Uint8Array, start: number, out: TextSink, ports: PortNames | undefined): void {
    const text = this.#text;
    const ends = this.#ends;
    let from = 0;
    for (let i = 0; i < this.#holes.length; i++) {
      const { field, at, names } = this.#holes[i]!; // i is below its length
      const end = ends[i]!; // one more than holes
      out.copy(text, from, end);
      printValue(out, field, bytes, start + at, names ? ports : undefined);
      from = end;
    }
    out.copy(text, from, text.length);
  }
}

/**
 * Where the payloads of plain attributes are in a key, from its beginning, by where they are in the record. An
 * Ethernet type of zero has a text of its own, so it is no value.
 */
function payloadsOf(
  bytes: Uint8Array,
  key: ByteRange,
  record: KeyRecord,
): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  const walk = (start: number, end: number, level: number): void => {
    for (let at = start, length = attributeLength(bytes, at, end); length > 0;) {
      const type = attributeType(bytes, at);
      const payload = at + NLA_HEADER;
      const slot = SLOT_OF_TYPE[type] ?? -1;
      if (type === OVS_KEY_ATTR_ENCAP) {
        if (level + 1 < LEVELS) walk(payload, at + length, level + 1);
      } else if (slot >= 0 && slot < SLOTS && slot !== SLOT_ETHERTYPE) {
        const base = keyOffset(level, slot);
        const size = SIZE_OF_SLOT[slot] ?? 0;
        const isCopy =
          length - NLA_HEADER === size &&
          bytes
            .subarray(payload, payload + size)
            .every((byte, i) => byte === record.bytes[base + i]);
        if (isCopy) found.set(base, payload - key.start);
      }
      at = nextAttribute(at, length, end);
      length = attributeLength(bytes, at, end);
    }
  };
  walk(key.start, key.end, 0);
  return found;
}
