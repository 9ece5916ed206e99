import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { OVS_KEY_ATTR_ENCAP } from "../../uapi/openvswitch.ts";
import { attributeLength, attributeType, nextAttribute } from "../action/attributes.ts";
import { LEVELS } from "../key/levels.ts";
import { type KeyRecord, keyOffset } from "../key/record.ts";
import { SLOT_ETHERTYPE } from "../key/slots.ts";
import { SIZE_OF_SLOT, SLOT_OF_TYPE } from "../key/table.ts";
import type { ByteRange, FlowParts } from "../parts.ts";
import type { Field } from "../text/field.ts";

/** A value that may differ: its field, and the offset of its payload in the key. */
export type KeyHole = { readonly field: Field; readonly at: number };

/**
 * Keys with the same attributes and the same masks: they differ only in the bytes of a few values.
 */
export class KeyForm {
  /** The constant bits of each word, as mask and value. */
  readonly #fixedBits: Int32Array;
  readonly #fixed: Int32Array;
  readonly #mask: Int32Array;
  readonly #keyBytes: number;
  readonly #maskBytes: number;

  /** The form of a flow's key, with values at these holes. @param words a view of its bytes */
  constructor({ key, mask }: FlowParts, words: Int32Array, holes: readonly KeyHole[]) {
    this.#keyBytes = key.end - key.start;
    this.#maskBytes = mask.end - mask.start;
    this.#fixed = words.slice(key.start >> 2, key.end >> 2);
    this.#mask = words.slice(mask.start >> 2, mask.end >> 2);
    this.#fixedBits = new Int32Array(this.#fixed.length).fill(-1);
    const bytes = new Uint8Array(this.#fixedBits.buffer);
    for (const { field, at } of holes) {
      bytes.fill(0, at + field.offset, at + field.offset + field.size);
    }
    for (let i = 0; i < this.#fixed.length; i++) {
      this.#fixed[i] = this.#fixed[i]! & this.#fixedBits[i]!; // both have as many words
    }
  }

  /** Whether a flow's key and mask have the form. @param words a view of the flow's bytes */
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
}

/**
 * The offsets of plain attributes' payloads in a key, by their offsets in the record. An Ethernet
 * type of zero has a special text, so it is not a value.
 */
export function payloadsOf(
  { bytes, key }: FlowParts,
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
      } else if (slot >= 0 && slot !== SLOT_ETHERTYPE) {
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
