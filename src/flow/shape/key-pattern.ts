import { printKey } from "../key/print.ts";
import type { KeyRecord } from "../key/record.ts";
import type { ByteRange, FlowParts } from "../parts.ts";
import type { PortNames } from "../ports.ts";
import { type PrintStyle, printValue } from "../text/field-print.ts";
import type { Field } from "../text/field.ts";
import type { TextSink } from "../text/sink.ts";
import { KeyForm, type KeyHole, payloadsOf } from "./key-form.ts";

/** Kinds of fields whose text depends only on their bytes. */
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

/**
 * A value in the text of a key: its field, its payload in the record, and the range of its text.
 */
type PrintedValue = {
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

/** A value of a pattern, whose text may be the name of a port. */
type NamedHole = KeyHole & { readonly names: boolean };

/**
 * Keys with the same attributes and the same masks: they differ only in the bytes of a few values.
 * The text of such a key consists of constant pieces, with a value after each but the last.
 */
export class KeyPattern {
  readonly #form: KeyForm;
  readonly #text: Uint8Array;
  /** Where each piece of the text ends. */
  readonly #ends: Int32Array;
  readonly #holes: readonly NamedHole[];

  /**
   * @param words over the bytes of the flow
   * @param record its key and mask; `text` is the text of its key, with `values`
   */
  constructor(
    { flow, words, record }: { flow: FlowParts; words: Int32Array; record: KeyRecord },
    text: TextSink,
    values: readonly PrintedValue[],
  ) {
    const payloads = payloadsOf(flow, record);
    const holes: NamedHole[] = [];
    const pieces: number[] = [];
    const ends: number[] = [];
    let from = 0;
    for (const { field, base, start, end } of values) {
      const payload = payloads.get(base);
      // A value that is not in the key as in the record is no hole.
      if (payload === undefined) continue;
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
    this.#form = new KeyForm(flow, words, holes);
  }

  /** Whether a flow's key and mask have the pattern. @param words a view of the flow's bytes */
  matches(words: Int32Array, key: ByteRange, mask: ByteRange): boolean {
    return this.#form.matches(words, key, mask);
  }

  /** Prints the key at `start`, for which {@link matches} is true. */
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
