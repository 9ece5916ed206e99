import type { PortNames } from "../ports.ts";
import type { Cursor } from "./cursor.ts";
import { parseField } from "./field-parse.ts";
import type { PrintStyle } from "./field-print.ts";
import { isWild, printField } from "./field-print.ts";
import type { Field } from "./field.ts";
import type { TextSink } from "./sink.ts";
import { WordTable } from "./words.ts";
import { COMMA, EQUALS } from "./ascii.ts";

/** The fields `name=value` of one attribute, and how their names are looked up. */
export class FieldSet {
  readonly fields: readonly Field[];
  /** Names and aliases. */
  readonly words: WordTable;
  /** The field of each word. */
  readonly #fieldOfWord: Uint8Array;

  constructor(fields: readonly Field[]) {
    this.fields = fields;
    const words: string[] = [];
    const indexes: number[] = [];
    for (const [index, of] of fields.entries()) {
      for (const word of [of.name, ...of.aliases]) {
        words.push(word);
        indexes.push(index);
      }
    }
    this.words = new WordTable(words);
    this.#fieldOfWord = Uint8Array.from(indexes);
  }

  /** The index of the field whose name `cursor.word()` has just found, or -1. */
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
   * Reads `name=value,…` into the payloads at `keyBase` and `maskBase`, up to what is no comma.
   * @returns a bit for each field that was there
   */
  parse(
    cursor: Cursor,
    bytes: Uint8Array,
    keyBase: number,
    maskBase: number,
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
      parseField(cursor, this.fields[index]!, bytes, keyBase, maskBase, ports);
    } while (cursor.take(COMMA));
    return seen;
  }

  /** Prints `name=value,…`: the fields that are matched, and in the verbose style all but frag. */
  print(
    out: TextSink,
    bytes: Uint8Array,
    keyBase: number,
    maskBase: number,
    style: PrintStyle,
  ): void {
    let first = true;
    for (const of of this.fields) {
      const wild = isWild(of, bytes, maskBase);
      if (wild && (!style.verbose || of.kind === "frag")) continue;
      if (!first) out.byte(COMMA);
      first = false;
      out.text(of.name);
      out.byte(EQUALS);
      printField(out, of, bytes, keyBase, maskBase, style);
    }
  }
}
