import { TWO_32 } from "../bytes.ts";
import { readAddress4, readAddress6 } from "./address.ts";
import { syntaxErrorAt } from "./syntax-error.ts";
import { CLOSE, COLON, COMMA, HEX_VALUE, OPEN } from "./ascii.ts";

/** Deepest nesting of parentheses (`MAX_ODP_NESTED` in OVS's lib/odp-util.c). */
const NESTING_MAX = 32;

/**
 * A byte of a word; a separator between attributes (`, \t\r\n`); a blank (a separator other than
 * the comma); `(` or `)`.
 */
const CLASS_WORD = 1;
const CLASS_SEPARATOR = 2;
const CLASS_BLANK = 4;
const CLASS_PARENTHESIS = 8;
const TOKEN_ENDS = CLASS_SEPARATOR | CLASS_PARENTHESIS;
const CLASS: Uint8Array = byteClasses();

/**
 * Reads the bytes of one line. Nothing is allocated and no string is made, except for the
 * FlowSyntaxError, with its place, that a failure throws.
 *
 * The caller owns the bytes. Values are returned, or left in {@link low}, {@link high},
 * {@link wordStart}, {@link wordEnd} and {@link wordHash}, which the next call overwrites.
 */
export class Cursor {
  bytes: Uint8Array = EMPTY;
  /** Offset of the next byte. */
  position = 0;
  /** Offset after the last byte of the line. */
  end = 0;
  /** 1-based number of the line, for errors. */
  line = 1;
  /** Offset of the line's first byte, for the column of errors. */
  lineStart = 0;
  /** Open parentheses, counted by {@link enter} and {@link leave}. */
  depth = 0;
  /** Whether the line seems to come from a dump. */
  isDump = false;

  /** The word that {@link word} found. */
  wordStart = 0;
  wordEnd = 0;
  /** A hash of that word, for WordTable. */
  wordHash = 0;

  /** The halves read by {@link integer64}, as unsigned 32-bit numbers. */
  low = 0;
  high = 0;

  /** Sets the cursor to the bytes from `start` to `end`, which are line number `line`. */
  reset(bytes: Uint8Array, start: number, end: number, line: number): this {
    this.bytes = bytes;
    this.position = start;
    this.end = end;
    this.line = line;
    this.lineStart = start;
    this.depth = 0;
    this.isDump = false;
    return this;
  }

  /** The next byte, or -1 at the end. */
  peek(): number {
    return this.position < this.end ? this.bytes[this.position]! : -1;
  }

  /** Skips `byte` if it is next. @returns whether it was. */
  take(byte: number): boolean {
    if (this.position < this.end && this.bytes[this.position] === byte) {
      this.position++;
      return true;
    }
    return false;
  }

  /** Skips `literal` if it is next. @returns whether it was. */
  takeWord(literal: Uint8Array): boolean {
    const bytes = this.bytes;
    const at = this.position;
    if (this.end - at < literal.length) return false;
    for (let i = 0; i < literal.length; i++) if (bytes[at + i] !== literal[i]) return false;
    this.position = at + literal.length;
    return true;
  }

  /** Skips `byte`, which must be next. */
  expect(byte: number, expected: string): void {
    if (!this.take(byte)) this.fail(expected);
  }

  /** Skips spaces, tabs, carriage returns and newlines. */
  skipBlanks(): void {
    while (this.position < this.end && (CLASS[this.bytes[this.position]!]! & CLASS_BLANK) !== 0)
      this.position++;
  }

  /** Skips blanks and commas, which may stand between two attributes. */
  skipSeparators(): void {
    while (this.position < this.end && (CLASS[this.bytes[this.position]!]! & CLASS_SEPARATOR) !== 0)
      this.position++;
  }

  /**
   * Ends a member of a list in parentheses: skips separators, unless the closing parenthesis is
   * next.
   */
  endMember(): void {
    if (this.peek() === CLOSE) return;
    const at = this.position;
    this.skipSeparators();
    if (this.position === at) this.fail('"," or ")"');
  }

  /** Offset of the next separator or parenthesis. */
  tokenEnd(): number {
    const bytes = this.bytes;
    let at = this.position;
    while (at < this.end && (CLASS[bytes[at]!]! & TOKEN_ENDS) === 0) at++;
    return at;
  }

  /** Whether a blank or the end of the line is next. */
  atBlank(): boolean {
    return this.position >= this.end || (CLASS[this.bytes[this.position]!]! & CLASS_BLANK) !== 0;
  }

  /** Counts an opening parenthesis. */
  enter(): void {
    if (++this.depth > NESTING_MAX) this.fail("no more than 32 levels of parentheses");
  }

  /** Counts a closing parenthesis. */
  leave(): void {
    this.depth--;
  }

  /**
   * Scans a word, `[A-Za-z_][A-Za-z0-9_]*`, into wordStart, wordEnd and wordHash, and moves past
   * it.
   * @returns its length; 0 if no word is next.
   */
  word(): number {
    const bytes = this.bytes;
    const end = this.end;
    const start = this.position;
    let at = start;
    let hash = 0;
    if (at < end && bytes[at]! > 0x39) {
      for (; at < end; at++) {
        const byte = bytes[at]!;
        if ((CLASS[byte]! & CLASS_WORD) === 0) break;
        hash = (Math.imul(hash, 31) + byte) | 0;
      }
    }
    this.wordStart = start;
    this.wordEnd = at;
    this.wordHash = hash;
    this.position = at;
    return at - start;
  }

  /** The last word as a string. Allocates: for errors and port names. */
  wordText(): string {
    return this.slice(this.wordStart, this.wordEnd);
  }

  /** The bytes `start` to `end` as a string. Allocates: for errors and names. */
  slice(start: number, end: number): string {
    return DECODER.decode(this.bytes.subarray(start, end));
  }

  /**
   * Reads an unsigned integer as C's `%i` does: hexadecimal after `0x`, octal after a leading `0`,
   * otherwise decimal. A number above `max` (at most 2^53 - 1) is an error, never truncated; so is
   * a sign.
   */
  integer(max: number, expected: string): number {
    const bytes = this.bytes;
    const end = this.end;
    const start = this.position;
    let at = start;
    let value = 0;
    let byte = at < end ? bytes[at]! : 0;
    if (byte === 0x30 && at + 1 < end) {
      const next = bytes[at + 1]!;
      if ((next | 0x20) === 0x78) {
        at += 2;
        const digits = at;
        for (; at < end; at++) {
          const digit = HEX_VALUE[bytes[at]!]!;
          if (digit > 15) break;
          value = value * 16 + digit;
          if (value > max) this.fail(expected, start);
        }
        if (at === digits) this.fail(expected, start);
        this.position = at;
        return value;
      }
      if (next >= 0x30 && next <= 0x39) {
        for (; at < end; at++) {
          byte = bytes[at]!;
          if (byte < 0x30 || byte > 0x39) break;
          if (byte > 0x37) this.fail("octal digits after a leading 0", at);
          value = value * 8 + byte - 0x30;
          if (value > max) this.fail(expected, start);
        }
        this.position = at;
        return value;
      }
    }
    while (byte >= 0x30 && byte <= 0x39) {
      value = value * 10 + byte - 0x30;
      if (value > max) this.fail(expected, start);
      at++;
      byte = at < end ? bytes[at]! : 0;
    }
    if (at === start) this.fail(expected, start);
    this.position = at;
    return value;
  }

  /** Reads an unsigned 64-bit integer, in the notations of {@link integer}, into low and high. */
  integer64(expected: string): void {
    const bytes = this.bytes;
    const end = this.end;
    const start = this.position;
    let at = start;
    let base = 10;
    if (at + 1 < end && bytes[at] === 0x30) {
      if ((bytes[at + 1]! | 0x20) === 0x78) {
        base = 16;
        at += 2;
      } else if (HEX_VALUE[bytes[at + 1]!]! < 10) {
        base = 8;
      }
    }
    const digits = at;
    let low = 0;
    let high = 0;
    for (; at < end; at++) {
      const digit = HEX_VALUE[bytes[at]!]!;
      if (digit >= base) {
        if (base === 8 && digit < 10) this.fail("octal digits after a leading 0", at);
        break;
      }
      low = low * base + digit;
      const carry = Math.floor(low / TWO_32);
      low -= carry * TWO_32;
      high = high * base + carry;
      if (high >= TWO_32) this.fail(expected, start);
    }
    if (at === digits) this.fail(expected, start);
    this.low = low;
    this.high = high;
    this.position = at;
  }

  /** Reads a MAC address, one or two hexadecimal digits per byte, into six bytes of `out`. */
  mac(out: Uint8Array, at: number): void {
    const bytes = this.bytes;
    const end = this.end;
    const start = this.position;
    let from = start;
    for (let i = 0; i < 6; i++) {
      if (i > 0) {
        if (from >= end || bytes[from] !== COLON) this.fail(EXPECTED_MAC, start);
        from++;
      }
      let value = from < end ? HEX_VALUE[bytes[from]!]! : 255;
      if (value > 15) this.fail(EXPECTED_MAC, start);
      from++;
      const second = from < end ? HEX_VALUE[bytes[from]!]! : 255;
      if (second < 16) {
        value = (value << 4) | second;
        from++;
      }
      out[at + i] = value;
    }
    this.position = from;
  }

  /** Reads a dotted IPv4 address into four bytes of `out`. */
  ipv4(out: Uint8Array, at: number): void {
    const after = readAddress4(this.bytes, this.position, this.end, out, at);
    if (after < 0) this.fail("an IPv4 address such as 10.0.0.1");
    this.position = after;
  }

  /** Reads an IPv6 address, as inet_pton does, into sixteen bytes of `out`. */
  ipv6(out: Uint8Array, at: number): void {
    const after = readAddress6(this.bytes, this.position, this.end, out, at);
    if (after < 0) this.fail("an IPv6 address");
    this.position = after;
  }

  /**
   * Reads pairs of hexadecimal digits, at most `max` bytes, into `out`.
   * @returns how many bytes; 0 if none is next.
   */
  hexBytes(out: Uint8Array, at: number, max: number): number {
    const bytes = this.bytes;
    const end = this.end;
    const start = this.position;
    let from = start;
    let count = 0;
    while (from < end) {
      const first = HEX_VALUE[bytes[from]!]!;
      if (first > 15) break;
      const second = from + 1 < end ? HEX_VALUE[bytes[from + 1]!]! : 255;
      if (second > 15) this.fail("two hexadecimal digits a byte", from);
      if (count === max) this.fail("fewer bytes", start);
      out[at + count] = (first << 4) | second;
      count++;
      from += 2;
    }
    this.position = from;
    return count;
  }

  /**
   * Throws a FlowSyntaxError at `at`, by default the next byte. `expected` says in words what
   * should be there, `suggestion` is the nearest known word.
   */
  fail(expected: string, at: number = this.position, suggestion?: string): never {
    throw syntaxErrorAt(this, at, expected, suggestion);
  }
}

const EMPTY = new Uint8Array(0);
// A name may begin with the bytes of a byte order mark: they are part of it.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });
const EXPECTED_MAC = "a MAC address such as 00:11:22:33:44:55";

function byteClasses(): Uint8Array {
  const classes = new Uint8Array(256);
  for (let i = 0; i < 256; i++) {
    const letter = (i | 0x20) >= 0x61 && (i | 0x20) <= 0x7a;
    if (letter || i === 0x5f || (i >= 0x30 && i <= 0x39)) classes[i] = CLASS_WORD;
    if (i === 0x20 || i === 0x09 || i === 0x0a || i === 0x0d)
      classes[i] = CLASS_BLANK | CLASS_SEPARATOR;
    if (i === COMMA) classes[i] = CLASS_SEPARATOR;
    if (i === OPEN || i === CLOSE) classes[i] = CLASS_PARENTHESIS;
  }
  return classes;
}
