import * as ascii from "../text/ascii.ts";

/** A number or a string in JSON: the range of its text, without the quotes of a string. */
export type JsonLeaf = {
  readonly start: number;
  readonly end: number;
  readonly quoted: boolean;
};

/**
 * Finds the numbers and strings of JSON in UTF-8 by their paths, `.key.ipv4.ttl` or `.actions[0]`.
 * @param bytes JSON that was parsed before: its grammar is not checked again
 * @returns undefined if a string has escapes or a name occurs twice
 */
export function leavesOf(bytes: Uint8Array): Map<string, JsonLeaf> | undefined {
  const scanner = new Scanner(bytes);
  scanner.value("");
  return scanner.plain ? scanner.leaves : undefined;
}

/**
 * Finds the first byte of every value of JSON in UTF-8 by its path, the outermost ones first; `` is
 * the whole. Values nested deeper than a flow can be are left out, and so is everything after bytes
 * that are not JSON.
 */
export function placesOf(bytes: Uint8Array): ReadonlyMap<string, number> {
  const scanner = new Scanner(bytes);
  scanner.value("");
  return scanner.places;
}

/** More levels than any flow has. */
const DEPTH_MAX = 200;

class Scanner {
  readonly leaves = new Map<string, JsonLeaf>();
  readonly places = new Map<string, number>();
  plain = true;
  readonly #bytes: Uint8Array;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  value(path: string): void {
    const first = this.#peek();
    this.places.set(path, this.#at);
    if (this.#depth > DEPTH_MAX) {
      this.plain = false;
      this.#at = this.#bytes.length;
    } else if (first === ascii.OPEN_BRACE) {
      this.#each(ascii.CLOSE_BRACE, () => {
        const name = this.#string();
        this.#take(ascii.COLON);
        this.value(`${path}.${this.#text(name)}`);
      });
    } else if (first === ascii.OPEN_BRACKET) {
      let index = 0;
      this.#each(ascii.CLOSE_BRACKET, () => this.value(`${path}[${index++}]`));
    } else {
      this.#keep(path, first === ascii.QUOTE ? this.#string() : this.#word());
    }
  }

  #keep(path: string, leaf: JsonLeaf): void {
    if (this.leaves.has(path)) this.plain = false;
    this.leaves.set(path, leaf);
  }

  // Calls `member` for each member up to the closing bracket.
  #each(close: number, member: () => void): void {
    this.#depth++;
    this.#at++;
    while (this.#at < this.#bytes.length && this.#peek() !== close) {
      const before = this.#at;
      member();
      this.#take(ascii.COMMA);
      // These bytes are not JSON.
      if (this.#at === before) this.#at = this.#bytes.length;
    }
    this.#at++;
    this.#depth--;
  }

  // The next byte that is no white space.
  #peek(): number {
    while (this.#at < this.#bytes.length && this.#bytes[this.#at]! <= 0x20) this.#at++;
    return this.#bytes[this.#at] ?? 0;
  }

  #take(byte: number): void {
    if (this.#peek() === byte) this.#at++;
  }

  #string(): JsonLeaf {
    this.#take(ascii.QUOTE);
    const start = this.#at;
    for (; this.#at < this.#bytes.length && this.#bytes[this.#at] !== ascii.QUOTE; this.#at++) {
      if (this.#bytes[this.#at] !== ascii.BACKSLASH) continue;
      this.plain = false;
      this.#at++;
    }
    return { start, end: this.#at++, quoted: true };
  }

  // A number, true, false or null.
  #word(): JsonLeaf {
    const start = this.#at;
    for (; this.#at < this.#bytes.length; this.#at++) {
      const byte = this.#bytes[this.#at]!;
      if (
        byte <= 0x20 ||
        byte === ascii.COMMA ||
        byte === ascii.CLOSE_BRACKET ||
        byte === ascii.CLOSE_BRACE
      )
        break;
    }
    return { start, end: this.#at, quoted: false };
  }

  #text({ start, end }: JsonLeaf): string {
    return new TextDecoder().decode(this.#bytes.subarray(start, end));
  }
}
