import { COLON, DASH, DOT } from "./ascii.ts";

// The memory into which text is printed.

const HEX = new TextEncoder().encode("0123456789abcdef");

/**
 * Collects printed text as bytes in one growing buffer. No string is made for a field; the text
 * becomes one at the end, with {@link toString}, or is taken as bytes: `bytes.subarray(0, length)`.
 *
 * The sink owns the buffer: growing replaces {@link bytes}, and {@link clear} reuses it.
 */
export class TextSink {
  bytes: Uint8Array;
  /** Bytes written. */
  length = 0;

  constructor(capacity = 4096) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Forgets the text but keeps the buffer. */
  clear(): this {
    this.length = 0;
    return this;
  }

  /** Cuts the text back to `length` bytes. */
  truncate(length: number): void {
    this.length = length;
  }

  toString(): string {
    return DECODER.decode(this.bytes.subarray(0, this.length));
  }

  byte(value: number): void {
    if (this.length === this.bytes.length) this.#grow(1);
    this.bytes[this.length++] = value;
  }

  /** Appends ASCII text: words of the language. */
  text(text: string): void {
    const count = text.length;
    if (this.length + count > this.bytes.length) this.#grow(count);
    const bytes = this.bytes;
    let at = this.length;
    for (let i = 0; i < count; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** Appends any text, as UTF-8. Allocates if it is not ASCII. */
  unicode(text: string): void {
    if (isAscii(text)) {
      this.text(text);
      return;
    }
    const encoded = ENCODER.encode(text);
    this.copy(encoded, 0, encoded.length);
  }

  /** Appends the bytes `start` to `end` of `source`, unchanged. */
  copy(source: Uint8Array, start: number, end: number): void {
    const count = end - start;
    if (this.length + count > this.bytes.length) this.#grow(count);
    const bytes = this.bytes;
    let at = this.length;
    for (let i = start; i < end; i++) bytes[at++] = source[i]!;
    this.length = at;
  }

  /** A number below 2^53, decimal. */
  dec(value: number): void {
    if (value < 10) {
      this.byte(0x30 + value);
      return;
    }
    if (this.length + 20 > this.bytes.length) this.#grow(20);
    const bytes = this.bytes;
    let digits = 1;
    for (let limit = 10; limit <= value; limit *= 10) digits++;
    const after = this.length + digits;
    let at = after;
    let left = value;
    // 32-bit division, used where possible, takes half the time.
    while (left > 0x7fff_ffff) {
      const next = Math.floor(left / 10);
      bytes[--at] = 0x30 + (left - next * 10);
      left = next;
    }
    let small = left | 0;
    while (at > this.length) {
      const next = (small / 10) | 0;
      bytes[--at] = 0x30 + (small - next * 10);
      small = next;
    }
    this.length = after;
  }

  /** A number below 2^53 as `%#x` prints it: zero is `0`. */
  hex(value: number): void {
    if (value === 0) {
      this.byte(0x30);
      return;
    }
    this.byte(0x30);
    this.byte(0x78);
    let digits = 1;
    for (let limit = 16; limit <= value; limit *= 16) digits++;
    this.hexDigits(value, digits);
  }

  /** The last `digits` hexadecimal digits of a number below 2^53, with leading zeros and no `0x`. */
  hexDigits(value: number, digits: number): void {
    if (this.length + digits > this.bytes.length) this.#grow(digits);
    let left = value;
    for (let i = this.length + digits - 1; i >= this.length; i--) {
      const next = Math.floor(left / 16);
      this.bytes[i] = HEX[left - next * 16]!;
      left = next;
    }
    this.length += digits;
  }

  /** 64 bits as `%#x`. */
  hex64(low: number, high: number): void {
    if (high === 0) {
      this.hex(low);
      return;
    }
    this.hex(high);
    this.hexDigits(low, 8);
  }

  /** Bytes as pairs of hexadecimal digits, without separators. */
  hexBytes(source: Uint8Array, start: number, end: number): void {
    const count = (end - start) * 2;
    if (this.length + count > this.bytes.length) this.#grow(count);
    const bytes = this.bytes;
    let to = this.length;
    for (let i = start; i < end; i++) {
      const value = source[i]!;
      bytes[to++] = HEX[value >>> 4]!;
      bytes[to++] = HEX[value & 15]!;
    }
    this.length = to;
  }

  /** Sixteen bytes as a UUID, four bytes at a time in host order, as OVS stores its UUIDs. */
  uuid(source: Uint8Array, at: number): void {
    if (this.length + 36 > this.bytes.length) this.#grow(36);
    const bytes = this.bytes;
    let to = this.length;
    for (let i = 0; i < 16; i++) {
      if (i === 4 || i === 6 || i === 8 || i === 10) bytes[to++] = DASH;
      const value = source[at + (i & ~3) + 3 - (i & 3)]!;
      bytes[to++] = HEX[value >>> 4]!;
      bytes[to++] = HEX[value & 15]!;
    }
    this.length = to;
  }

  /** Six bytes as `00:11:22:33:44:55`. */
  mac(source: Uint8Array, at: number): void {
    if (this.length + 17 > this.bytes.length) this.#grow(17);
    const bytes = this.bytes;
    let to = this.length;
    for (let i = 0; i < 6; i++) {
      const value = source[at + i]!;
      if (i > 0) bytes[to++] = COLON;
      bytes[to++] = HEX[value >>> 4]!;
      bytes[to++] = HEX[value & 15]!;
    }
    this.length = to;
  }

  /** Four bytes as `10.0.0.1`. */
  ipv4(source: Uint8Array, at: number): void {
    if (this.length + 15 > this.bytes.length) this.#grow(15);
    const bytes = this.bytes;
    let to = this.length;
    for (let i = 0; i < 4; i++) {
      if (i > 0) bytes[to++] = DOT;
      let value = source[at + i]!;
      if (value > 99) {
        bytes[to++] = 0x30 + ((value / 100) | 0);
        value %= 100;
        bytes[to++] = 0x30 + ((value / 10) | 0);
        value %= 10;
      } else if (value > 9) {
        bytes[to++] = 0x30 + ((value / 10) | 0);
        value %= 10;
      }
      bytes[to++] = 0x30 + value;
    }
    this.length = to;
  }

  /** Sixteen bytes as inet_ntop prints them: the longest run of zero groups as `::`. */
  ipv6(source: Uint8Array, at: number): void {
    let best = -1;
    let bestLength = 1;
    for (let group = 0; group < 8;) {
      let next = group;
      while (next < 8 && source[at + next * 2] === 0 && source[at + next * 2 + 1] === 0) next++;
      if (next - group > bestLength) {
        best = group;
        bestLength = next - group;
      }
      group = next + 1;
    }
    // As glibc does: ::1.2.3.4 and ::ffff:1.2.3.4 are dotted, but not ::1.
    const dotted =
      best === 0 &&
      (bestLength === 6 ||
        (bestLength === 5 && source[at + 10] === 0xff && source[at + 11] === 0xff));
    for (let group = 0; group < 8; group++) {
      if (group === best) {
        this.byte(COLON);
        if (group + bestLength === 8) this.byte(COLON);
        group += bestLength - 1;
        continue;
      }
      if (group > 0) this.byte(COLON);
      if (dotted && group === 6) {
        this.ipv4(source, at + 12);
        return;
      }
      const value = (source[at + group * 2]! << 8) | source[at + group * 2 + 1]!;
      this.hexDigits(value, value > 0xfff ? 4 : value > 0xff ? 3 : value > 0xf ? 2 : 1);
    }
  }

  #grow(count: number): void {
    const grown = new Uint8Array(Math.max(this.bytes.length * 2, this.length + count, 256));
    grown.set(this.bytes.subarray(0, this.length));
    this.bytes = grown;
  }
}

const ENCODER = new TextEncoder();
// A name may begin with the bytes of a byte order mark: they are part of it.
const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
