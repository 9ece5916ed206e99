import { NLA_HEADER } from "./attribute-writer.ts";
import { align } from "./align.ts";

/**
 * The bits of `nla_type` that hold the type; the others are NLA_F_NESTED and NLA_F_NET_BYTEORDER.
 */
export const NLA_TYPE_MASK = 0x3fff;

/**
 * Walks the attributes in a range of bytes without allocating: {@link next} moves to the next one
 * and {@link type}, {@link start} and {@link length} tell where it is. The caller owns the bytes.
 *
 * Input is not trusted: an attribute that claims more than is there ends the walk and sets
 * {@link malformed}; so do left-over bytes too few for a header that are not padding.
 */
export class AttributeReader {
  /** Type of the current attribute, without its flag bits. */
  type = 0;
  /** Offset of the current payload. */
  start = 0;
  /** Bytes of the current payload, padding not counted. */
  length = 0;
  /** The walk ended because the bytes are not a list of attributes. */
  malformed = false;

  #bytes: Uint8Array = EMPTY;
  #position = 0;
  #end = 0;

  /** Restarts the walk at `start`; it ends before `end`. */
  reset(bytes: Uint8Array, start: number, end: number): this {
    this.#bytes = bytes;
    this.#position = start;
    this.#end = Math.min(end, bytes.length);
    this.malformed = start > end;
    return this;
  }

  /** Moves to the next attribute. @returns false at the end, or if the bytes are malformed. */
  next(): boolean {
    const at = this.#position;
    const left = this.#end - at;
    if (left < NLA_HEADER) {
      if (left > 0) this.malformed = true;
      return false;
    }
    const bytes = this.#bytes;
    // Bounds are checked above: `left` bytes follow `at`.
    const length = bytes[at]! | (bytes[at + 1]! << 8);
    if (length < NLA_HEADER || length > left) {
      this.malformed = true;
      this.#position = this.#end;
      return false;
    }
    this.type = (bytes[at + 2]! | (bytes[at + 3]! << 8)) & NLA_TYPE_MASK;
    this.start = at + NLA_HEADER;
    this.length = length - NLA_HEADER;
    this.#position = Math.min(at + align(length), this.#end);
    return true;
  }
}

const EMPTY = new Uint8Array(0);

/** The text of a string attribute, without its closing zero. Allocates. */
export function decodeString(bytes: Uint8Array, start: number, end: number): string {
  let to = end;
  while (to > start && bytes[to - 1] === 0) to--;
  // A name may begin with the bytes of a byte order mark: they are part of it.
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes.subarray(start, to));
}

/** A 64-bit counter as a number, exact up to 2^53. Not a BigInt, which would be allocated. */
export function counterAt(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}
