import { type KeyRecord, keyOffset, maskOffset } from "../key/record.ts";
import { SLOT_ENCAP } from "../key/slots.ts";
import { type Field, getField, holdsNumber } from "../text/field.ts";
import { allWords, type FieldValue, sameWords } from "./field-value.ts";
import { mayHave } from "./may-have.ts";
import { ANY_LEVEL, type FlowField } from "./names.ts";
import { type Comparison, holds } from "./operator.ts";
import type { Test } from "./subject.ts";
import { hasPart, mayHavePart } from "./tunnel-parts.ts";

/**
 * Tests of the fields of a flow's key. A flow without the field passes none of them but `meets`.
 * The loops run over the words of one field, which lie within its payload: hence the `!`.
 */

/** `F` alone: some bit of the field is matched; for a header, the flow has it. */
export function isMatched(asked: FlowField): Test {
  const levelIn = levelFinder(asked);
  const { field } = asked;
  if (field === undefined) return (subject) => levelIn(subject.match()) >= 0;
  const all = allWords(field);
  const word = field.offset >> 2;
  return (subject) => {
    const record = subject.match();
    const level = levelIn(record);
    if (level < 0) return false;
    const mask = maskWord(level, asked) + word;
    for (let i = 0; i < all.length; i++) if ((record.ints[mask + i]! & all[i]!) !== 0) return true;
    return false;
  };
}

/** `F = V/M`: it is matched with exactly this value and this mask. */
export function isEqual(asked: FlowField, field: Field, wanted: FieldValue): Test {
  // A kernel may match bits of ct_state that have no name.
  const isFull = sameWords(wanted.mask, wanted.full);
  return hasBits(asked, wanted, isFull ? wanted.mask : allWords(field));
}

/** `F in V/M`: every packet of the flow has this value. */
export function isWithin(asked: FlowField, wanted: FieldValue): Test {
  return hasBits(asked, wanted, wanted.mask);
}

/** Whether the field has this value, and this mask in the `compared` bits. */
function hasBits(asked: FlowField, { value, mask, word }: FieldValue, compared: Int32Array): Test {
  const levelIn = levelFinder(asked);
  return (subject) => {
    const record = subject.match();
    const level = levelIn(record);
    if (level < 0) return false;
    const { ints } = record;
    const keyAt = keyWord(level, asked) + word;
    const maskAt = maskWord(level, asked) + word;
    for (let i = 0; i < mask.length; i++) {
      const bits = mask[i]!;
      if ((ints[maskAt + i]! & compared[i]!) !== bits) return false;
      if (((ints[keyAt + i]! ^ value[i]!) & bits) !== 0) return false;
    }
    return true;
  };
}

/** `F meets V/M`: some packet of the flow may have this value. */
export function mayMeet(asked: FlowField, { value, mask, word }: FieldValue): Test {
  const levelIn = levelFinder(asked);
  const mayHaveIt = absentFinder(asked);
  return (subject) => {
    const record = subject.match();
    const level = levelIn(record);
    if (level < 0) return mayHaveIt(record);
    const { ints } = record;
    const keyAt = keyWord(level, asked) + word;
    const maskAt = maskWord(level, asked) + word;
    for (let i = 0; i < mask.length; i++) {
      const both = ints[maskAt + i]! & mask[i]!;
      if (((ints[keyAt + i]! ^ value[i]!) & both) !== 0) return false;
    }
    return true;
  };
}

/** `F < V` and so on: the field is matched exactly, and its value compares so. */
export function isCompared(
  asked: FlowField,
  field: Field,
  comparison: Comparison,
  wanted: FieldValue,
): Test {
  const levelIn = levelFinder(asked);
  const { full, word, payload } = wanted;
  const difference = differenceTo(field, payload);
  return (subject) => {
    const record = subject.match();
    const level = levelIn(record);
    if (level < 0) return false;
    const maskAt = maskWord(level, asked) + word;
    for (let i = 0; i < full.length; i++) {
      const bits = full[i]!;
      if ((record.ints[maskAt + i]! & bits) !== bits) return false;
    }
    return holds(difference(record.bytes, keyOffset(level, asked.key.slot)), comparison);
  };
}

/** Negative if the value in a payload is less than the wanted one, positive if it is greater. */
function differenceTo(
  field: Field,
  wanted: Uint8Array,
): (bytes: Uint8Array, base: number) => number {
  if (holdsNumber(field)) {
    const number = getField(field, wanted, 0);
    return (bytes, base) => getField(field, bytes, base) - number;
  }
  const { offset, size } = field;
  // Labels have their least significant byte first, all other fields their most significant.
  const [first, step] = field.kind === "number128" ? [offset + size - 1, -1] : [offset, 1];
  return (bytes, base) => {
    for (let i = 0, at = first; i < size; i++, at += step) {
      const difference = bytes[base + at]! - wanted[at]!;
      if (difference !== 0) return difference;
    }
    return 0;
  };
}

/** Makes a function that returns the level at which a key has the field; -1 if it does not. */
export function levelFinder({
  key,
  level: wanted,
  part,
}: FlowField): (record: KeyRecord) => number {
  const { slot } = key;
  if (part !== undefined)
    return (record) => (record.has(0, slot) && hasPart(record, part) ? 0 : -1);
  if (wanted !== ANY_LEVEL) return (record) => (record.has(wanted, slot) ? wanted : -1);
  return (record) => {
    const levels = record.count.length;
    for (let level = 0; level < levels; level++) if (record.has(level, slot)) return level;
    return -1;
  };
}

/** Makes a function that tells whether packets of a key without the field may have it. */
function absentFinder({ key, level, part }: FlowField): (record: KeyRecord) => boolean {
  const { slot } = key;
  if (part !== undefined) return (record) => !record.has(0, slot) || mayHavePart(record, part);
  const mayHaveIt = mayHave(key);
  if (level === ANY_LEVEL) return mayHaveIt;
  return (record) => record.has(level - 1, SLOT_ENCAP) && mayHaveIt(record);
}

function keyWord(level: number, { key }: FlowField): number {
  return keyOffset(level, key.slot) >> 2;
}

function maskWord(level: number, { key }: FlowField): number {
  return maskOffset(level, key.slot) >> 2;
}
