import { isZero } from "../bytes.ts";
import type { PortNames } from "../ports.ts";
import type { Cursor } from "./cursor.ts";
import { parseField, parseValue } from "./field-parse.ts";
import { isWild, printField, type PrintStyle, printValue } from "./field-print.ts";
import { type Field, getField, holdsNumber, setField } from "./field.ts";
import type { TextSink } from "./sink.ts";
import { WordTable } from "./words.ts";
import { CLOSE, COMMA, EQUALS } from "./ascii.ts";

/**
 * The fields `name=value` of one attribute, looked up by name. In a key they are matches: values
 * with masks. In an action they are plain values, some with an initial value.
 */
export class FieldSet {
  readonly fields: readonly Field[];
  /** Names and aliases, and the words of choices. */
  readonly words: WordTable;
  /** The field of each word. */
  readonly #fieldOfWord: Uint8Array;

  constructor(fields: readonly Field[]) {
    this.fields = fields;
    const words = fields.flatMap((field, index) => wordsOf(field).map((word) => ({ word, index })));
    this.words = new WordTable(words.map(({ word }) => word));
    this.#fieldOfWord = Uint8Array.from(words, ({ index }) => index);
  }

  /** The index of the field whose name `cursor.word()` just found, or -1. */
  find(cursor: Cursor): number {
    const word = this.words.find(cursor);
    return word < 0 ? -1 : this.#fieldOfWord[word]!;
  }

  /** As {@link find}, but an unknown name is an error. */
  findOrFail(cursor: Cursor): number {
    const index = this.find(cursor);
    if (index >= 0) return index;
    if (cursor.wordStart === cursor.wordEnd) cursor.fail("a field's name");
    return cursor.fail(
      "a field that is known here",
      cursor.wordStart,
      this.words.nearest(cursor.wordText()),
    );
  }

  /**
   * Reads the matches `name=value[/mask],…` into the payloads at `key` and `mask`, as long as
   * commas follow.
   * @returns a bit for each field that was read
   */
  parse(
    cursor: Cursor,
    bytes: Uint8Array,
    key: number,
    mask: number,
    ports: PortNames | undefined,
  ): number {
    let seen = 0;
    do {
      cursor.word();
      const index = this.findOrFail(cursor);
      const bit = 1 << index;
      if ((seen & bit) !== 0) cursor.fail("each field once", cursor.wordStart);
      seen |= bit;
      cursor.expect(EQUALS, "=");
      parseField(cursor, this.fields[index]!, bytes, key, mask, ports);
    } while (cursor.take(COMMA));
    return seen;
  }

  /** Prints `name=value,…`: the fields that are matched, and in the verbose style all but frag. */
  print(out: TextSink, bytes: Uint8Array, key: number, mask: number, style: PrintStyle): void {
    let first = true;
    for (const field of this.fields) {
      const wild = isWild(field, bytes, mask);
      if (wild && (!style.verbose || field.kind === "frag")) continue;
      if (!first) out.byte(COMMA);
      first = false;
      out.text(field.name);
      out.byte(EQUALS);
      printField(out, field, bytes, key, mask, style);
    }
  }

  /**
   * Reads the values `name=value`, in any order, into zero bytes at `base`, up to the closing
   * parenthesis, which it does not skip. A repeated, unknown or missing name is an error.
   */
  parseValues(cursor: Cursor, bytes: Uint8Array, base: number, ports: PortNames | undefined): void {
    let seen = 0;
    cursor.skipSeparators();
    while (cursor.peek() !== CLOSE) {
      seen |= this.parseNext(cursor, bytes, base, ports, seen);
      cursor.endMember();
    }
    this.fill(cursor, bytes, base, seen);
  }

  /**
   * Reads one `name=value`, or the word of a choice.
   * @param seen a bit for each field read before
   * @returns the bit of this field
   */
  parseNext(
    cursor: Cursor,
    bytes: Uint8Array,
    base: number,
    ports: PortNames | undefined,
    seen: number,
  ): number {
    const start = cursor.position;
    if (cursor.word() === 0) cursor.fail(this.#expected());
    const index = this.find(cursor);
    if (index < 0) cursor.fail(this.#expected(), start, this.words.nearest(cursor.wordText()));
    const field = this.fields[index]!;
    if ((seen & (1 << index)) !== 0) cursor.fail(`${field.name} only once`, start);
    if (field.kind === "choice") {
      setField(field, bytes, base, field.words.indexOf(cursor.wordText()));
    } else {
      if (!cursor.take(EQUALS)) cursor.fail(`${field.name}=`);
      parseValue(cursor, field, bytes, base, ports);
    }
    return 1 << index;
  }

  /**
   * Sets the initial values of the fields that are not in `seen`; a field without one is an error.
   */
  fill(cursor: Cursor, bytes: Uint8Array, base: number, seen: number): void {
    for (let i = 0; i < this.fields.length; i++) {
      if ((seen & (1 << i)) !== 0) continue;
      const field = this.fields[i]!;
      if (field.initial === undefined) cursor.fail(`${field.name}= as well`);
      if (field.initial !== 0) setField(field, bytes, base, field.initial);
    }
  }

  /**
   * Prints values as {@link parseValues} reads them.
   * @param start where their list begins in `out`: a comma precedes every later value
   */
  printValues(
    out: TextSink,
    bytes: Uint8Array,
    base: number,
    ports: PortNames | undefined,
    start: number = out.length,
  ): void {
    for (const field of this.fields) {
      if (field.hidden && isInitial(field, bytes, base)) continue;
      if (field.kind === "choice" && getField(field, bytes, base) === 0) continue;
      if (out.length > start) out.byte(COMMA);
      if (field.kind !== "choice") {
        out.text(field.name);
        out.byte(EQUALS);
      }
      printValue(out, field, bytes, base, ports);
    }
  }

  /**
   * Whether printing the values at `base` and reading them back gives the same bytes: false if bits
   * outside all fields are set. `scratch` has at least `size` zero bytes and is zeroed again.
   */
  covers(bytes: Uint8Array, base: number, scratch: Uint8Array, size: number): boolean {
    let same = true;
    for (const field of this.fields) {
      if (holdsNumber(field)) {
        const value = getField(field, bytes, base);
        if (value > field.limit) same = false;
        setField(field, scratch, 0, value);
      } else {
        const { offset } = field;
        for (let i = 0; i < field.size; i++) scratch[offset + i] = bytes[base + offset + i]!;
      }
    }
    for (let i = 0; i < size; i++) if (scratch[i] !== bytes[base + i]) same = false;
    scratch.fill(0, 0, size);
    return same;
  }

  #expected(): string {
    return `one of ${this.words.words.join(", ")}`;
  }
}

/** The words that begin a field. The first word of a choice is not written. */
function wordsOf(field: Field): readonly string[] {
  if (field.kind !== "choice") return [field.name, ...field.aliases];
  return field.words.slice(1).filter((word) => word !== undefined);
}

function isInitial(field: Field, bytes: Uint8Array, base: number): boolean {
  if (holdsNumber(field)) return getField(field, bytes, base) === field.initial;
  return isZero(bytes, base + field.offset, field.size);
}
