import { assert } from "../../sys/errors.ts";
import { PinnedMemory } from "../../sys/memory.ts";
import { chunkFacts, endFacts, headerFault, linesGoUp, ownerIn, unpackFacts } from "./facts.ts";
import * as L from "./layout.ts";
import { countMessages, LINE_AT } from "./messages.ts";
import { placesArePorts } from "./places.ts";
import { type ByteSource, UnreadableInputError } from "../source.ts";

/** Room for a chunk of plain flows; a longer one makes the buffer grow. */
const BUFFER_BYTES = 1 << 20;

const NO_CHUNK: L.FlowSetChunkFacts = { flows: 0, line: 0 };

/**
 * Reads a flow set, chunk by chunk, through one reused buffer. A chunk is given out only if its
 * structure and its checksum, which also covers everything before it, are right.
 */
export class FlowSetReader {
  readonly source: ByteSource;
  /** Holds one record at a time; replaced after a record that was too long for it. */
  memory: PinnedMemory;
  /**
   * The current chunk's messages are {@link words} `start` to `end`; the caller may change them
   * until {@link fill}.
   */
  start = 0;
  end = 0;
  facts: L.FlowSetChunkFacts = NO_CHUNK;
  /** The owner for whom UFIDs are hashes, once the header has been read. */
  owner = "";
  /** Lines of the input, once the last record has been read. */
  lines: number | undefined;
  /**
   * The facts of a snapshot about its datapath, once the last record has been read; undefined for
   * any other set.
   */
  snapshot: unknown;
  /** Bytes taken from the source so far. */
  bytesRead = 0;

  #position = 0;
  #filled = 0;
  /** Bytes of all records before the first in the buffer. */
  #before = 0;
  #records = 0;
  #goingUp = true;
  #checksum = 0;
  #flows = 0;
  /** The line of the flow read last. */
  #line = -1;
  #sourceEnded = false;

  constructor(source: ByteSource) {
    this.source = source;
    this.memory = new PinnedMemory(BUFFER_BYTES);
  }

  /** The memory in words. */
  get words(): Int32Array {
    return this.memory.i32;
  }

  /** Starts again at the first byte; the source must be able to. */
  rewind(): void {
    assert(this.source.rewind !== undefined, "the source can be read again");
    this.source.rewind();
    this.start = this.end = this.#position = this.#filled = this.#before = this.bytesRead = 0;
    this.facts = NO_CHUNK;
    this.lines = undefined;
    this.#records = this.#checksum = this.#flows = 0;
    this.#line = -1;
    this.#sourceEnded = false;
  }

  /**
   * Moves to the next chunk.
   * @returns false when {@link fill} is due
   * @throws UnreadableInputError, with the place, if the set is damaged
   */
  next(): boolean {
    for (;;) {
      const start = this.#position;
      const left = this.#filled - start;
      if (this.lines !== undefined) {
        if (left > 0) this.#fail(`more bytes follow the end of the flow set (${left} or more)`);
        return false;
      }
      if (left < L.RECORD_PREFIX || left < this.#recordSize(start)) return false;
      if (this.#take(start, start + this.#recordSize(start))) return true;
    }
  }

  /**
   * Reads more. The current chunk becomes invalid.
   * @returns false at the end of the set, a promise if the source has nothing yet
   * @throws UnreadableInputError if the input ends before the set does
   */
  fill(): boolean | Promise<boolean> {
    if (this.#sourceEnded) return false;
    const rest = this.#filled - this.#position;
    // Records are multiples of eight bytes: their messages stay aligned.
    this.memory.u8.copyWithin(0, this.#position, this.#filled);
    this.#before += this.#position;
    this.#position = 0;
    this.#filled = rest;
    this.start = this.end = 0;
    // Reads a record and the prefix of the next, which has its length: so little has to be moved
    // later.
    const wanted = L.RECORD_PREFIX + (rest < L.RECORD_PREFIX ? 0 : this.#recordSize(0));
    while (wanted > this.memory.u8.length) this.#grow();
    const read = this.source.read(this.memory.u8.subarray(0, wanted), rest);
    return typeof read === "number"
      ? this.#accept(read)
      : read.then((count) => this.#accept(count));
  }

  #accept(count: number): boolean {
    assert(
      count >= 0 && this.#filled + count <= this.memory.u8.length,
      "a source overran the buffer",
    );
    this.bytesRead += count;
    this.#filled += count;
    if (count > 0) return true;
    this.#sourceEnded = true;
    if (this.lines !== undefined) return false;
    if (this.bytesRead === 0) this.#fail("it is empty, not a flow set");
    return this.#fail(`it was cut off: it ends in ${this.#place()}`);
  }

  // Bytes of the record at `start`, whose prefix has been read.
  #recordSize(start: number): number {
    const bytes = this.memory.u8;
    const size = this.memory.view.getUint32(start + 7);
    const messages = this.memory.view.getUint32(start + 12);
    const framed =
      bytes[start] === L.ARRAY_5 &&
      bytes[start + 1] === L.UINT_32 &&
      bytes[start + 6] === L.UINT_32 &&
      bytes[start + 11] === L.BIN_32;
    if (!framed && this.#records === 0)
      this.#fail("it is not a flow set, or its header is damaged");
    const fits = size % 8 === 0 && size <= L.RECORD_BYTES_MAX && L.RECORD_PREFIX + messages < size;
    if (!framed || !fits) this.#fail(`${this.#place()} is damaged: it does not begin as one does`);
    return size;
  }

  // Takes a complete record. Returns whether it is a chunk.
  #take(start: number, end: number): boolean {
    const bytes = this.memory.u8;
    this.#checksum = Bun.hash.crc32(bytes.subarray(start + L.CHECKED_FROM, end), this.#checksum);
    if (this.#checksum !== this.memory.view.getUint32(start + 2)) {
      this.#fail(`${this.#place()} is damaged: its checksum does not match`);
    }
    const first = start + L.RECORD_PREFIX;
    const last = first + this.memory.view.getUint32(start + 12);
    const facts = unpackFacts(bytes.subarray(last, end)) ?? this.#failOrder();
    if (this.#records === 0) {
      const fault = headerFault(facts);
      if (fault !== undefined) this.#fail(fault);
      this.owner = ownerIn(facts);
      this.#goingUp = linesGoUp(facts);
    } else if (first < last) {
      this.#takeChunk(chunkFacts(facts) ?? this.#failOrder(), first, last);
    } else {
      const set = endFacts(facts) ?? this.#failOrder();
      if (set.chunks !== this.#records - 1 || set.flows !== this.#flows) this.#failOrder();
      this.lines = set.lines;
      this.snapshot = set.snapshot;
    }
    this.#records++;
    this.#position = end;
    return first < last;
  }

  #takeChunk(facts: L.FlowSetChunkFacts, first: number, last: number): void {
    const start = first >> 2;
    const end = last >> 2;
    const { words } = this;
    const count = (last & 3) === 0 ? countMessages(words, start, end, this.#goingUp) : -1;
    if (count !== facts.flows || (this.#goingUp && facts.line <= this.#line)) this.#failOrder();
    if (facts.ports !== undefined && !placesArePorts(words, start, end, facts)) {
      this.#fail(`${this.#place()} has ports out of place`);
    }
    this.start = start;
    this.end = end;
    this.facts = facts;
    this.#flows += count;
    let at = start;
    for (let next = start; next < end; next += (words[next] ?? 0) >> 2) at = next;
    this.#line = facts.line + (words[at + LINE_AT] ?? 0);
  }

  #place(): string {
    const at = `at byte ${this.#before + this.#position}`;
    if (this.#records === 0) return `its header`;
    return `chunk ${this.#records}, ${at}`;
  }

  // Fails although the checksum is right: the writer did not follow the format.
  #failOrder(): never {
    return this.#fail(`${this.#place()} is not what a flow set has there`);
  }

  #fail(reason: string): never {
    throw new UnreadableInputError(`cannot read ${this.source.name}: ${reason}`);
  }

  // Makes room for a record that is longer than the buffer, but not too long.
  #grow(): void {
    assert(this.memory.u8.length < L.RECORD_BYTES_MAX * 2, "a record is not too long");
    const longer = new PinnedMemory(this.memory.u8.length * 2);
    longer.u8.set(this.memory.u8);
    this.memory = longer;
  }
}
