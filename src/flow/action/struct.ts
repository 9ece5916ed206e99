import { isZero } from "../bytes.ts";
import { type PortNames, printPort } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import type { TextSink } from "../text/sink.ts";
import { parseUuid, printUuid } from "../text/uuid.ts";
import { WordTable } from "../text/words.ts";
import { parsePort } from "./port.ts";
import { CLOSE, COMMA, EQUALS, HEX_VALUE } from "../text/ascii.ts";

/** A value of a C struct: its name in text, and where it lies. */
export type StructField = {
  readonly name: string;
  /** What it means, for the reference page. */
  readonly about: string;
  /** `flag`: a number that is 0 or 1; `choice`: one of {@link words}, bare, the first being none. */
  readonly kind: "number" | "flag" | "port" | "mac" | "be64" | "uuid" | "choice";
  /** Offset in the struct. */
  readonly offset: number;
  /** Bytes of the word that holds it. */
  readonly size: number;
  /** The word is in network order. */
  readonly bigEndian: boolean;
  /** Lowest bit of the value in its word, and how many bits it has. */
  readonly shift: number;
  readonly width: number;
  /** `hex4` is `0x%04x`, `hex` is `%#x`, `0x` is `0x%x`. */
  readonly radix: "dec" | "hex" | "0x" | "hex4";
  /** Its value where the text leaves it out; undefined: it must be there. */
  readonly initial: number | undefined;
  /** Printed only where it is not {@link initial}. */
  readonly hidden: boolean;
  readonly words: readonly string[];
};

/** What most fields leave out. */
type FieldOptions = Partial<
  Pick<StructField, "kind" | "shift" | "width" | "radix" | "initial" | "hidden" | "words">
>;

function fieldOf(
  name: string,
  about: string,
  offset: number,
  size: number,
  bigEndian: boolean,
  options: FieldOptions,
): StructField {
  return {
    name,
    about,
    offset,
    size,
    bigEndian,
    kind: options.kind ?? "number",
    shift: options.shift ?? 0,
    width: options.width ?? size * 8,
    radix: options.radix ?? "dec",
    initial: options.initial,
    hidden: options.hidden ?? false,
    words: options.words ?? [],
  };
}

/** A number in network order. */
export function be(
  name: string,
  about: string,
  offset: number,
  size: number,
  options: FieldOptions = {},
): StructField {
  return fieldOf(name, about, offset, size, true, options);
}

/** A number in host order. */
export function host(
  name: string,
  about: string,
  offset: number,
  size: number,
  options: FieldOptions = {},
): StructField {
  return fieldOf(name, about, offset, size, false, options);
}

/** The fields of a struct, in the order in which they are printed. */
export class StructFields {
  readonly fields: readonly StructField[];
  readonly words: WordTable;
  /** The names, for errors. */
  readonly names: string;

  constructor(fields: readonly StructField[]) {
    this.fields = fields;
    const named = fields.filter((one) => one.kind !== "choice").map((one) => one.name);
    const choices = fields.flatMap((one) => one.words.slice(1));
    this.words = new WordTable([...named, ...choices]);
    this.names = [...named, ...choices].join(", ");
  }
}

/** Reads the field's number out of the struct at `base`. */
export function getField(field: StructField, bytes: Uint8Array, base: number): number {
  const word = readWord(bytes, base + field.offset, field.size, field.bigEndian);
  return ((word >>> field.shift) & bitsOf(field.width)) >>> 0;
}

/** Puts the field's number into the struct at `base`, other bits of its word kept. */
export function setField(field: StructField, bytes: Uint8Array, base: number, value: number): void {
  const at = base + field.offset;
  const kept =
    readWord(bytes, at, field.size, field.bigEndian) & ~(bitsOf(field.width) << field.shift);
  const word = kept | (value << field.shift);
  for (let i = 0; i < field.size; i++) {
    const shift = 8 * (field.bigEndian ? field.size - 1 - i : i);
    bytes[at + i] = (word >>> shift) & 0xff;
  }
}

/** The largest number a field of so many bits holds, as a signed 32-bit pattern. */
function bitsOf(width: number): number {
  return width === 32 ? -1 : (1 << width) - 1;
}

function readWord(bytes: Uint8Array, at: number, size: number, bigEndian: boolean): number {
  let word = 0;
  for (let i = 0; i < size; i++) word = (word << 8) | bytes[at + (bigEndian ? i : size - 1 - i)]!;
  return word;
}

/**
 * Reads `name=value` pairs, in any order, up to the closing parenthesis, which stays next, into the
 * struct at `base`. The struct is zero before. A name twice, one unknown or one missing is an error.
 */
export function parseFields(
  cursor: Cursor,
  set: StructFields,
  bytes: Uint8Array,
  base: number,
  ports: PortNames | undefined,
): void {
  let seen = 0;
  cursor.skipSeparators();
  while (cursor.peek() !== CLOSE) {
    seen |= parseField(cursor, set, bytes, base, ports, seen);
    endOfPair(cursor);
  }
  fillFields(cursor, set, bytes, base, seen);
}

/** Reads one `name=value`. `seen` has a bit for each field read before. @returns the bit of this one. */
export function parseField(
  cursor: Cursor,
  set: StructFields,
  bytes: Uint8Array,
  base: number,
  ports: PortNames | undefined,
  seen: number,
): number {
  const at = cursor.position;
  if (cursor.word() === 0) cursor.fail(`one of ${set.names}`);
  const found = set.words.find(cursor);
  if (found < 0) cursor.fail(`one of ${set.names}`, at, set.words.nearest(cursor.wordText()));
  const word = set.words.words[found]!;
  const index = set.fields.findIndex((one) => one.name === word || one.words.includes(word));
  const one = set.fields[index]!;
  if ((seen & (1 << index)) !== 0) cursor.fail(`${one.name} only once`, at);
  if (one.kind === "choice") {
    setField(one, bytes, base, one.words.indexOf(word));
  } else {
    cursor.expect(EQUALS, `${word}=`);
    parseValue(cursor, one, bytes, base, ports);
  }
  return 1 << index;
}

/** Puts the initial values of the fields that are not in `seen`; one without is an error. */
export function fillFields(
  cursor: Cursor,
  set: StructFields,
  bytes: Uint8Array,
  base: number,
  seen: number,
): void {
  for (let i = 0; i < set.fields.length; i++) {
    if ((seen & (1 << i)) !== 0) continue;
    const one = set.fields[i]!;
    if (one.initial === undefined) cursor.fail(`${one.name}= as well`);
    if (one.initial !== 0) setField(one, bytes, base, one.initial);
  }
}

/** After a value: separators, or the closing parenthesis. */
export function endOfPair(cursor: Cursor): void {
  const next = cursor.peek();
  if (next === CLOSE) return;
  const at = cursor.position;
  cursor.skipSeparators();
  if (cursor.position === at) cursor.fail('"," or ")"');
}

function parseValue(
  cursor: Cursor,
  field: StructField,
  bytes: Uint8Array,
  base: number,
  ports: PortNames | undefined,
): void {
  switch (field.kind) {
    case "mac":
      cursor.mac(bytes, base + field.offset);
      return;
    case "uuid":
      parseUuid(cursor, bytes, base + field.offset);
      return;
    case "be64":
      parseBe64(cursor, bytes, base + field.offset);
      return;
    case "port":
      setField(field, bytes, base, parsePort(cursor, ports));
      return;
    case "flag":
      setField(field, bytes, base, cursor.integer(1, `${field.name} of 0 or 1`));
      return;
    case "number":
    case "choice": {
      const max = 2 ** field.width - 1;
      setField(field, bytes, base, cursor.integer(max, `${field.name} from 0 to ${max}`));
    }
  }
}

/** A hexadecimal number with or without `0x`, as OVS's `%"SCNx64"` reads it. */
function parseBe64(cursor: Cursor, bytes: Uint8Array, at: number): void {
  const start = cursor.position;
  if (cursor.take(0x30)) {
    if (!cursor.take(0x78)) cursor.take(0x58);
  }
  let digits = 0;
  for (let next = cursor.peek(); next >= 0 && HEX_VALUE[next]! < 16; next = cursor.peek()) {
    if (digits > 0 || next !== 0x30) digits++;
    if (digits > 16) cursor.fail("a hexadecimal number of at most 64 bits", start);
    // Eight bytes, moved left by half a byte.
    for (let i = 0; i < 8; i++)
      bytes[at + i] = (bytes[at + i]! << 4) | (i < 7 ? bytes[at + i + 1]! >>> 4 : HEX_VALUE[next]!);
    cursor.position++;
  }
  if (cursor.position === start) cursor.fail("a hexadecimal number");
}

/**
 * Prints the fields as {@link parseFields} reads them.
 * @param start where the list that they are of begins: a comma goes before all that is behind it
 */
export function printFields(
  set: StructFields,
  bytes: Uint8Array,
  base: number,
  out: TextSink,
  ports: PortNames | undefined,
  start: number = out.length,
): void {
  for (const one of set.fields) {
    const value = one.size > 4 ? 0 : getField(one, bytes, base);
    const isInitial =
      one.size > 4 ? isZero(bytes, base + one.offset, one.size) : value === one.initial;
    if ((one.hidden || one.kind === "choice") && isInitial) continue;
    if (out.length > start) out.byte(COMMA);
    if (one.kind === "choice") {
      out.text(one.words[value] ?? String(value));
      continue;
    }
    out.text(one.name);
    out.byte(EQUALS);
    printValue(one, value, bytes, base, out, ports);
  }
}

function printValue(
  field: StructField,
  value: number,
  bytes: Uint8Array,
  base: number,
  out: TextSink,
  ports: PortNames | undefined,
): void {
  if (field.kind === "mac") {
    out.mac(bytes, base + field.offset);
  } else if (field.kind === "uuid") {
    printUuid(out, bytes, base + field.offset);
  } else if (field.kind === "be64") {
    const at = base + field.offset;
    const low = readWord(bytes, at + 4, 4, true) >>> 0;
    out.hex64(low, readWord(bytes, at, 4, true) >>> 0);
  } else if (field.kind === "port") {
    printPort(value, out, ports);
  } else if (field.radix === "dec") {
    out.dec(value);
  } else if (field.radix === "hex") {
    out.hex(value);
  } else if (field.radix === "hex4") {
    out.text("0x");
    out.hexDigits(value, 4);
  } else {
    out.text(value === 0 ? "0x0" : "");
    if (value !== 0) out.hex(value);
  }
}

/**
 * Whether printing the struct at `base` and reading it back gives the same bytes: false where bits
 * that no field covers are set. `scratch` has at least `size` zero bytes and is zeroed again.
 */
export function coversStruct(
  set: StructFields,
  bytes: Uint8Array,
  base: number,
  scratch: Uint8Array,
  size: number,
): boolean {
  for (const one of set.fields) {
    if (one.size > 4) {
      for (let i = 0; i < one.size; i++) scratch[one.offset + i] = bytes[base + one.offset + i]!;
    } else {
      const value = getField(one, bytes, base);
      if (one.kind === "choice" && value >= one.words.length) return wipe(scratch, size);
      if (one.kind === "flag" && value > 1) return wipe(scratch, size);
      setField(one, scratch, 0, value);
    }
  }
  let same = true;
  for (let i = 0; i < size; i++) if (scratch[i] !== bytes[base + i]) same = false;
  wipe(scratch, size);
  return same;
}

function wipe(scratch: Uint8Array, size: number): false {
  scratch.fill(0, 0, size);
  return false;
}
