import type { PinnedMemory } from "../sys/memory.ts";
import { assert } from "../sys/errors.ts";
import { align } from "./align.ts";

/** Bytes of a `struct nlattr`. */
export const NLA_HEADER = 4;

/** The longest payload that fits a 16-bit `nla_len`. */
export const NLA_PAYLOAD_MAX: number = 0xffff - NLA_HEADER;

const TEXT = new TextEncoder();

/**
 * Writes netlink attributes in place, at {@link position}, into memory that the caller owns.
 *
 * Errors are sticky: a write that would pass {@link limit}, or a nest that grows past 65,535 bytes,
 * sets {@link failed} and nothing more is written, so an encoder stays a flat list of calls and
 * looks once, at its end. Padding is zeroed: the same input always gives the same bytes. Only
 * {@link string} allocates.
 */
export class AttributeWriter {
  readonly memory: PinnedMemory;
  /** Offset of the next byte, always a multiple of four between attributes. */
  position = 0;
  /** Offset that no write may pass. */
  limit: number;
  /** A write did not fit. Cleared by {@link reset} and {@link rollback}. */
  failed = false;

  readonly #u8: Uint8Array;
  readonly #u16: Uint16Array;
  readonly #u32: Uint32Array;

  constructor(memory: PinnedMemory) {
    this.memory = memory;
    this.limit = memory.size;
    this.#u8 = memory.u8;
    this.#u16 = memory.u16;
    this.#u32 = memory.u32;
  }

  /** Restarts at `position` (a multiple of four) and writes no further than `limit`. */
  reset(position: number, limit: number): void {
    assert((position & 3) === 0 && position <= limit && limit <= this.memory.size, "writer bounds");
    this.position = position;
    this.limit = limit;
    this.failed = false;
  }

  /** Forgets everything written since `position` was read, including a failure. */
  rollback(position: number): void {
    assert((position & 3) === 0 && position <= this.position, "rollback goes back only");
    this.position = position;
    this.failed = false;
  }

  /**
   * Writes the header of an attribute of `length` payload bytes, zeroes its last word and moves past it.
   * @returns the offset of the payload, which the caller fills, or -1 when it does not fit.
   */
  reserve(type: number, length: number): number {
    const start = this.position;
    const end = start + NLA_HEADER + align(length);
    if (this.failed || end > this.limit || length > NLA_PAYLOAD_MAX) {
      this.failed = true;
      return -1;
    }
    // The last word is zeroed first: in an empty attribute it is the header itself.
    this.#u32[(end - 4) >> 2] = 0;
    this.#u32[start >> 2] = ((type << 16) | (length + NLA_HEADER)) >>> 0;
    this.position = end;
    return start + NLA_HEADER;
  }

  /** An attribute without payload (NLA_FLAG). */
  flag(type: number): void {
    this.reserve(type, 0);
  }

  u8(type: number, value: number): void {
    const at = this.reserve(type, 1);
    if (at >= 0) this.#u8[at] = value;
  }

  /** 16 bits in host order. */
  u16(type: number, value: number): void {
    const at = this.reserve(type, 2);
    if (at >= 0) this.#u16[at >> 1] = value;
  }

  /** 32 bits in host order. */
  u32(type: number, value: number): void {
    const at = this.reserve(type, 4);
    if (at >= 0) this.#u32[at >> 2] = value;
  }

  /** 64 bits in host order, as two halves (a BigInt would be allocated). */
  u64(type: number, low: number, high: number): void {
    const at = this.reserve(type, 8);
    if (at < 0) return;
    this.#u32[at >> 2] = low;
    this.#u32[(at >> 2) + 1] = high;
  }

  /** 16 bits in network order. */
  be16(type: number, value: number): void {
    const at = this.reserve(type, 2);
    if (at < 0) return;
    this.#u8[at] = value >>> 8;
    this.#u8[at + 1] = value;
  }

  /** 32 bits in network order. */
  be32(type: number, value: number): void {
    const at = this.reserve(type, 4);
    if (at < 0) return;
    this.#u8[at] = value >>> 24;
    this.#u8[at + 1] = value >>> 16;
    this.#u8[at + 2] = value >>> 8;
    this.#u8[at + 3] = value;
  }

  /** The bytes `start` to `end` of `source`, copied. */
  bytes(type: number, source: Uint8Array, start = 0, end: number = source.length): void {
    const at = this.reserve(type, end - start);
    if (at < 0) return;
    const out = this.#u8;
    // A view is made only for a part of `source`: making one costs more than a short copy.
    if (start === 0 && end === source.length) out.set(source, at);
    else for (let i = start, o = at; i < end; i++, o++) out[o] = source[i] ?? 0;
  }

  /**
   * A string with its closing zero (NLA_NUL_STRING). Allocates: do not use it while encoding flows.
   */
  string(type: number, value: string): void {
    const encoded = TEXT.encode(value);
    const at = this.reserve(type, encoded.length + 1);
    if (at < 0) return;
    this.#u8.set(encoded, at);
    this.#u8[at + encoded.length] = 0;
  }

  /**
   * Opens a nest. NLA_F_NESTED is not set: Open vSwitch does not ask for it (the one attribute that
   * does, PSAMPLE, passes it in `type`).
   * @returns the mark for {@link endNest}: the offset of the nest's header.
   */
  nest(type: number): number {
    const start = this.position;
    this.reserve(type, 0);
    return start;
  }

  /** Closes the nest at `mark`; its length covers everything written since. */
  endNest(mark: number): void {
    if (this.failed) return;
    const length = this.position - mark;
    if (length > 0xffff) {
      this.failed = true;
      return;
    }
    this.#u16[mark >> 1] = length;
  }
}
