import { Flow } from "../flow/flow.ts";
import type { KeyRecord } from "../flow/key/record.ts";
import { UFID_SIZE, writeUfid } from "../flow/key/ufid.ts";
import { decodeFlow, type FlowParts, newFlowParts } from "../flow/parts.ts";
import { MatchNormalizer } from "../flow/shape/match-normalizer.ts";
import { AttributeWriter } from "../netlink/attribute-writer.ts";
import { assert } from "../sys/errors.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { OVS_FLOW_ATTR_ACTIONS, OVS_FLOW_ATTR_UFID } from "../uapi/openvswitch.ts";

/**
 * Flows are stored in pieces of memory; each piece is twice as large as the previous one, up to a
 * maximum.
 */
const FIRST_PIECE_BYTES = 256 << 10;
const PIECE_BYTES_MAX = 4 << 20;

/** The table's initial room, in flows: the least, and the most that is made before they come. */
const FIRST_FLOWS = 1024;
const EXPECTED_MAX = 1 << 22;

/** Words of the hash of a match. */
const HASH_WORDS = UFID_SIZE / 4;

/** The number of counters per flow: packets, bytes, time of last use, TCP flags. */
const COUNTERS = 4;

/** What a table keeps of flows besides match and actions. */
export type FlowTableOptions = {
  /** Also keeps packets, bytes and last use. */
  readonly statistics?: boolean;
  /** How many flows will be put, about: with room from the start, no memory is copied and given up. */
  readonly expected?: number;
};

/**
 * A set of flows, found by their match: key and mask in the kernel's normal form, under a 128-bit
 * hash. A flow keeps its number, counted from 0. The table stores the bytes of a request in normal
 * form, and the identity that the flow had where it was read. A million ordinary flows take some
 * 200 MB.
 */
export class FlowTable {
  readonly #hasStatistics: boolean;
  readonly #match = new MatchNormalizer();
  readonly #pieces: PinnedMemory[] = [];
  /** Writes into the last piece. */
  #writer: AttributeWriter;
  /** For each flow: the hash of its match, its piece, and the ranges of its attributes in that. */
  #hashes: Int32Array<ArrayBuffer>;
  #places: Int32Array<ArrayBuffer>;
  #counters: Float64Array;
  /** Numbers of flows, plus 1; 0 is an empty slot. */
  #slots: Int32Array;
  #size = 0;

  constructor({ statistics = false, expected = 0 }: FlowTableOptions = {}) {
    const room = Math.max(FIRST_FLOWS, Math.min(expected, EXPECTED_MAX));
    this.#hasStatistics = statistics;
    this.#hashes = new Int32Array(room * HASH_WORDS);
    this.#places = new Int32Array(room * 3);
    this.#slots = slotsFor(room);
    this.#counters = new Float64Array(statistics ? room * COUNTERS : 0);
    this.#writer = this.#addPiece(FIRST_PIECE_BYTES);
  }

  /** The number of flows. */
  get size(): number {
    return this.#size;
  }

  /**
   * Adds a flow. It replaces a flow that matches the same packets, and takes over its number.
   * @returns its number; -1 if its key or mask cannot be read
   */
  put(flow: FlowParts): number {
    const { hash } = this.#match;
    if (!this.#match.read(flow)) return -1;
    const slot = this.#findSlot(hash, 0);
    const found = this.#slots[slot]! - 1;
    const number = found < 0 ? this.#size : found;
    if (found < 0) this.#add(slot);
    this.#write(flow, number);
    return number;
  }

  /**
   * The number of the flow with the same match as flow `index` of another table; -1 if there is
   * none.
   */
  numberOf(table: FlowTable, index: number): number {
    return this.#slots[this.#findSlot(table.#hashes, index * HASH_WORDS)]! - 1;
  }

  /** The number of the flow with a match in normal form; -1 if there is none. */
  numberOfMatch(record: KeyRecord): number {
    writeUfid(record, HASH, 0);
    return this.#slots[this.#findSlot(HASH, 0)]! - 1;
  }

  /**
   * The number of the flow with the same match as `flow`; -1 if there is none, or if `flow` cannot
   * be read.
   */
  find(flow: FlowParts): number {
    if (!this.#match.read(flow)) return -1;
    return this.#slots[this.#findSlot(this.#match.hash, 0)]! - 1;
  }

  /** The numbers of all flows in the order of their hashes, which depends only on the flows. */
  sorted(): Uint32Array {
    const hashes = this.#hashes;
    return Uint32Array.from({ length: this.#size }, (_, index) => index).sort((left, right) => {
      const a = left * HASH_WORDS;
      const b = right * HASH_WORDS;
      let i = 0;
      while (i < HASH_WORDS - 1 && hashes[a + i] === hashes[b + i]) i++;
      return hashes[a + i]! - hashes[b + i]!;
    });
  }

  /**
   * Reads a flow.
   * @param into refers to the table's bytes, which are valid until the flow is replaced
   */
  read(index: number, into: FlowParts): FlowParts {
    assert(index >= 0 && index < this.#size, "the number of a flow");
    const piece = this.#pieces[this.#places[index * 3]!]!;
    const start = this.#places[index * 3 + 1]!;
    const end = this.#places[index * 3 + 2]!;
    decodeFlow({ bytes: piece.u8, view: piece.view, start, end }, into);
    if (this.#hasStatistics) {
      const at = index * COUNTERS;
      into.packets = this.#counters[at]!;
      into.byteCount = this.#counters[at + 1]!;
      into.usedMs = this.#counters[at + 2]!;
      into.tcpFlags = this.#counters[at + 3]!;
    }
    return into;
  }

  /**
   * Whether the UFID of a flow is the hash of its match without an owner, which the table stores
   * anyway.
   */
  isNobodys(index: number, { bytes, ufid }: FlowParts): boolean {
    if (ufid.end - ufid.start !== UFID_SIZE) return false;
    const at = index * HASH_WORDS;
    for (let i = 0; i < UFID_SIZE; i++) {
      // A UFID has the same bytes in memory as the hash.
      if (bytes[ufid.start + i] !== ((this.#hashes[at + (i >> 2)]! >>> ((i & 3) * 8)) & 0xff)) {
        return false;
      }
    }
    return true;
  }

  /** Every flow, by number, each with its own bytes. */
  *[Symbol.iterator](): Generator<Flow, void> {
    for (const view of this.flows()) yield Flow.fromParts(view);
  }

  /** Every flow, by number; the view is the same object each time. */
  *flows(): Generator<FlowParts, void> {
    const view = newFlowParts();
    for (let index = 0; index < this.#size; index++) yield this.read(index, view);
  }

  // The slot of a hash, or the empty slot for it.
  #findSlot(hashes: Int32Array, at: number): number {
    const last = this.#slots.length - 1;
    const own = this.#hashes;
    for (let slot = hashes[at]! & last; ; slot = (slot + 1) & last) {
      const index = this.#slots[slot]! - 1;
      if (index < 0) return slot;
      const from = index * HASH_WORDS;
      let i = 0;
      while (i < HASH_WORDS && own[from + i] === hashes[at + i]) i++;
      if (i === HASH_WORDS) return slot;
    }
  }

  // Assigns a number to the match that was read.
  #add(slot: number): void {
    const index = this.#size++;
    if (index * HASH_WORDS === this.#hashes.length) this.#grow();
    this.#hashes.set(this.#match.hash, index * HASH_WORDS);
    this.#slots[slot] = index + 1;
    if (this.#size * 2 > this.#slots.length) this.#rehash();
  }

  #grow(): void {
    const longer = (old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(old.length * 2);
      grown.set(old);
      return grown;
    };
    this.#hashes = longer(this.#hashes);
    this.#places = longer(this.#places);
    if (!this.#hasStatistics) return;
    const counters = new Float64Array(this.#counters.length * 2);
    counters.set(this.#counters);
    this.#counters = counters;
  }

  #rehash(): void {
    this.#slots = slotsFor(this.#size);
    for (let index = 0; index < this.#size; index++) {
      this.#slots[this.#findSlot(this.#hashes, index * HASH_WORDS)] = index + 1;
    }
  }

  #write(flow: FlowParts, index: number): void {
    let start = this.#writer.position;
    if (!this.#writeInto(this.#writer, flow)) {
      const { size } = this.#writer.memory;
      this.#writer = this.#addPiece(Math.min(size * 2, PIECE_BYTES_MAX));
      start = 0;
      const fits = this.#writeInto(this.#writer, flow);
      assert(fits, "a flow of a kernel is not longer than a netlink message");
    }
    this.#places[index * 3] = this.#pieces.length - 1;
    this.#places[index * 3 + 1] = start;
    this.#places[index * 3 + 2] = this.#writer.position;
    if (!this.#hasStatistics) return;
    const at = index * COUNTERS;
    this.#counters[at] = flow.packets;
    this.#counters[at + 1] = flow.byteCount;
    this.#counters[at + 2] = flow.usedMs;
    this.#counters[at + 3] = flow.tcpFlags;
  }

  /**
   * Appends the flow whose match was read. @returns false, with nothing written, if there is no
   * room
   */
  #writeInto(writer: AttributeWriter, flow: FlowParts): boolean {
    const { bytes, ufid, actions } = flow;
    const { position } = writer;
    // Copies the bytes without a view, which would be an object per flow.
    if (ufid.start >= 0) writer.bytes(OVS_FLOW_ATTR_UFID, bytes, ufid.start, ufid.end);
    this.#match.write(writer, ufid.start < 0 ? flow : undefined);
    if (actions.start >= 0) {
      writer.bytes(OVS_FLOW_ATTR_ACTIONS, bytes, actions.start, actions.end);
    }
    const fits = !writer.failed;
    if (!fits) writer.rollback(position);
    return fits;
  }

  #addPiece(size: number): AttributeWriter {
    const piece = new PinnedMemory(size);
    this.#pieces.push(piece);
    return new AttributeWriter(piece);
  }
}

const HASH = new Int32Array(HASH_WORDS);

/** Empty slots, at most half of which that many flows fill; their number is a power of two. */
function slotsFor(flows: number): Int32Array {
  // Written at once: pages that are read first would cost a fault for the read, and one for the write.
  return new Int32Array(2 ** Math.ceil(Math.log2(flows * 2 + 1))).fill(0);
}
