import { align } from "../../netlink/align.ts";
import { type AttributeWriter, NLA_HEADER } from "../../netlink/attribute-writer.ts";
import type { PinnedMemory } from "../../sys/memory.ts";
import { hashBegun, type HashState, hashWords } from "../key/hash.ts";
import type { UfidSeed } from "../key/ufid.ts";
import { type Hole, isBits, VALUE_MAX } from "./hole.ts";

/** A word of the message that is hashed into the UFID. */
export type HashedWord = { readonly messageWord: number; readonly hashWord: number };

/** The parts of a layout. */
type LayoutParts = {
  readonly holes: readonly Hole[];
  /** UFID, KEY, MASK and ACTIONS of one flow. */
  readonly message: Int32Array;
  /** Bytes of the message that are appended: fewer than its length for a delete. */
  readonly length: number;
  /** The words hashed into its UFID, and which of them the holes change; empty without a UFID. */
  readonly hash: Int32Array;
  readonly hashCount: number;
  readonly seed: UfidSeed;
  readonly hashedWords: readonly HashedWord[];
};

/** Bits of {@link Layout.special}. */
const MASKED = 1;
const NONZERO = 2;
/** For a number that must not begin with `0x`. */
export const SPECIAL_DECIMAL = 4;

/**
 * The message of one flow, in which only the holes differ from flow to flow. {@link place} copies
 * it, the caller puts the values in, {@link settle} applies masks and other rules of a hole, and
 * {@link finish} adds the UFID. Nothing is allocated.
 */
export class Layout {
  readonly message: Int32Array;
  readonly length: number;
  readonly hasUfid: boolean;
  /** One element per hole; see {@link Hole}. */
  readonly kind: Uint8Array;
  readonly at: Int32Array;
  readonly size: Uint8Array;
  readonly max: Float64Array;
  readonly shift: Uint8Array;
  /** For a hole of some bits: the matched bits of the value. */
  readonly bits: Int32Array;
  /** Nonzero if {@link settle} has something to do. */
  readonly special: Uint8Array;

  readonly #mask: Uint8Array;
  readonly #hash: Int32Array;
  readonly #hashCount: number;
  /** The hash state after the words that precede {@link #hash}, which no hole changes. */
  readonly #hashBegun: HashState;
  readonly #wordFrom: Int32Array;
  readonly #wordTo: Int32Array;

  constructor(parts: LayoutParts) {
    const { holes, hashedWords } = parts;
    this.message = parts.message;
    this.length = parts.length;
    this.hasUfid = parts.hash.length > 0;
    this.kind = Uint8Array.from(holes, (hole) => hole.kind);
    this.at = Int32Array.from(holes, (hole) => hole.at);
    this.size = Uint8Array.from(holes, (hole) => hole.size);
    this.max = Float64Array.from(holes, (hole) => hole.max);
    this.shift = Uint8Array.from(holes, (hole) => hole.shift);
    this.bits = Int32Array.from(holes, bitsOf);
    this.special = Uint8Array.from(
      holes,
      (hole) =>
        (hole.mask !== undefined && !isBits(hole.kind) ? MASKED : 0) |
        (hole.nonzero ? NONZERO : 0) |
        (hole.decimal ? SPECIAL_DECIMAL : 0),
    );
    this.#mask = new Uint8Array(holes.length * VALUE_MAX);
    for (const [i, { mask }] of holes.entries()) {
      if (mask !== undefined) this.#mask.set(mask, i * VALUE_MAX);
    }
    const changed = hashedWords.map((word) => word.hashWord);
    const before = Math.min(parts.hashCount, ...changed) & ~3;
    this.#hashBegun = hashBegun(parts.hash, before, parts.seed);
    this.#hash = parts.hash.slice(before);
    this.#hashCount = parts.hashCount - before;
    this.#wordFrom = Int32Array.from(hashedWords, (word) => word.messageWord);
    this.#wordTo = Int32Array.from(hashedWords, (word) => word.hashWord - before);
  }

  /**
   * Whether all of the message is appended, so that a message that differs only in its holes can be
   * made by copying.
   */
  get isWhole(): boolean {
    return align(this.length) === this.message.length * 4;
  }

  /**
   * Copies the message to the writer's position.
   * @returns that position, or -1 if it has no room
   */
  place(writer: AttributeWriter): number {
    const base = writer.position;
    const { message } = this;
    if (writer.failed || base + message.length * 4 > writer.limit) return -1;
    writer.memory.i32.set(message, base >> 2);
    return base;
  }

  /**
   * Applies the mask of a hole to its bytes.
   * @returns false if they are zero and must not be: then discard the copy
   */
  settle(hole: number, out: Uint8Array, base: number): boolean {
    const from = base + this.at[hole]!;
    const size = this.size[hole]!;
    const mask = hole * VALUE_MAX;
    if ((this.special[hole]! & MASKED) !== 0) {
      for (let i = 0; i < size; i++) out[from + i] = out[from + i]! & this.#mask[mask + i]!;
    }
    if ((this.special[hole]! & NONZERO) === 0) return true;
    for (let i = 0; i < size; i++) if (out[from + i] !== 0) return true;
    return false;
  }

  /** Writes the UFID of the copy at `base`, and moves the writer past the copy. */
  finish(writer: AttributeWriter, base: number): void {
    if (this.hasUfid) this.#writeUfid(writer.memory.i32, base);
    writer.position = base + align(this.length);
  }

  /**
   * Writes the UFIDs of `count` copies; the first is at `base`, each next one `stride` bytes later.
   */
  finishCopies(memory: PinnedMemory, base: number, stride: number, count: number): void {
    if (!this.hasUfid) return;
    for (let i = 0; i < count; i++) this.#writeUfid(memory.i32, base + i * stride);
  }

  #writeUfid(out: Int32Array, base: number): void {
    const hash = this.#hash;
    const from = this.#wordFrom;
    const to = this.#wordTo;
    const first = base >> 2;
    for (let i = 0; i < from.length; i++) hash[to[i]!] = out[first + from[i]!]!;
    const at = base + NLA_HEADER;
    hashWords(hash, this.#hashCount, out, at, this.#hashBegun);
  }
}

function bitsOf(hole: Hole): number {
  if (!isBits(hole.kind) || hole.mask === undefined) return hole.max;
  const container = hole.mask.reduce((sum, byte) => (sum << 8) | byte, 0);
  return (container >>> hole.shift) & hole.max;
}
