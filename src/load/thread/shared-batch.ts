import { Batch, shareBatchMemory, type SharedBatchMemory } from "../../netlink/batch.ts";
import type { LineNotes } from "../../format/feed.ts";
import type { FlowRefusal } from "../../format/refusals.ts";
import { assert } from "../../sys/errors.ts";

// A batch in memory that two threads share.

const NOTE_BYTES_MAX = 2 << 10;

/** The most refused flows of a batch before it is handed over. */
export const REFUSALS_MAX = 125;

/** Room for the notes on refusals, on lines and on the end. */
const NOTES_BYTES: number = (REFUSALS_MAX + 2) * NOTE_BYTES_MAX;

/** Words shared besides the batches. If nonzero: the filler must end; the filler has begun. */
export const STOP = 0;
export const STARTED = 1;

// Words of the control block.
const STATE = 0;
const COUNT = 1;
const NOTES = 2;
// Indices of doubles after them: an input may have more lines and bytes than a word can count.
const LINE = 2;
const READ = 3;
const CONTROL_BYTES = 32;

/** Whose turn a batch is. */
const EMPTY = 0;
const FULL = 1;

/** A flow that was refused, or the end of the input. */
type BatchNote =
  | { readonly kind: "refused"; readonly refusal: FlowRefusal }
  /** The last note of the last batch; has an `error` if the input could not be read further. */
  | { readonly kind: "end"; readonly error: string | null }
  /** Notes on the lines so far, if they changed. */
  | { readonly kind: "lines"; readonly notes: LineNotes };

/** The parts of such a batch that two threads share. */
export type SharedBatchBlocks = {
  readonly messages: number;
  readonly batch: SharedBatchMemory;
  readonly control: SharedArrayBuffer;
  readonly notes: SharedArrayBuffer;
};

/** Memory for a batch of `messages` messages and an arena of `bytes`. */
export function shareBatch(messages: number, bytes: number): SharedBatchBlocks {
  return {
    messages,
    batch: shareBatchMemory(messages, bytes),
    control: new SharedArrayBuffer(CONTROL_BYTES),
    notes: new SharedArrayBuffer(NOTES_BYTES),
  };
}

/**
 * A batch that passes back and forth between the thread that fills it and the thread that sends it.
 * Only the thread whose turn it is accesses it; no message is copied.
 */
export class SharedBatch {
  readonly batch: Batch;
  readonly #control: Int32Array;
  readonly #counts: Float64Array;
  readonly #notes: Uint8Array;
  #notesLength = 0;

  constructor(shared: SharedBatchBlocks) {
    this.batch = new Batch(shared.messages, shared.batch);
    this.#control = new Int32Array(shared.control);
    this.#counts = new Float64Array(shared.control);
    this.#notes = new Uint8Array(shared.notes);
  }

  /** Number of the last line taken when the batch was handed over. */
  get line(): number {
    return this.#counts[LINE] ?? 0;
  }

  get bytesRead(): number {
    return this.#counts[READ] ?? 0;
  }

  /** Filler: waits at most `timeoutMs` for its turn. @returns whether it is */
  waitEmpty(timeoutMs: number): boolean {
    return this.#wait(FULL, timeoutMs);
  }

  /** Sender: waits at most `timeoutMs` for its turn. @returns whether it is; the batch is filled then */
  waitFull(timeoutMs: number): boolean {
    if (!this.#wait(EMPTY, timeoutMs)) return false;
    this.batch.adopt(this.#control[COUNT] ?? 0);
    return true;
  }

  /** Filler: hands the batch over. */
  handOver(line: number, bytesRead: number): void {
    this.#control[COUNT] = this.batch.count;
    this.#control[NOTES] = this.#notesLength;
    this.#counts[LINE] = line;
    this.#counts[READ] = bytesRead;
    this.#notesLength = 0;
    this.#turn(FULL);
  }

  /** Sender: gives the batch back. */
  giveBack(): void {
    this.#turn(EMPTY);
  }

  /** Filler: adds a note; there must be room. */
  note(note: BatchNote): void {
    let encoded = Buffer.from(JSON.stringify(note));
    if (encoded.length > NOTE_BYTES_MAX - 4 && note.kind === "refused") {
      encoded = Buffer.from(JSON.stringify({ ...note, refusal: { ...note.refusal, text: "" } }));
    }
    assert(this.#notesLength + 4 + encoded.length <= NOTES_BYTES, "a note fits its batch");
    new DataView(this.#notes.buffer).setUint32(this.#notesLength, encoded.length);
    this.#notes.set(encoded, this.#notesLength + 4);
    this.#notesLength += 4 + encoded.length;
  }

  /** Sender: the notes that came with the batch, in their order. */
  notes(): BatchNote[] {
    const found: BatchNote[] = [];
    const length = this.#control[NOTES] ?? 0;
    // A decoder does not take shared memory.
    const bytes = Buffer.from(this.#notes.slice(0, length));
    for (let at = 0; at < length;) {
      const size = bytes.readUInt32BE(at);
      const note: BatchNote = JSON.parse(bytes.toString("utf8", at + 4, at + 4 + size));
      found.push(note);
      at += 4 + size;
    }
    return found;
  }

  #wait(state: number, timeoutMs: number): boolean {
    if (Atomics.load(this.#control, STATE) !== state) return true;
    Atomics.wait(this.#control, STATE, state, timeoutMs);
    return Atomics.load(this.#control, STATE) !== state;
  }

  #turn(state: number): void {
    Atomics.store(this.#control, STATE, state);
    Atomics.notify(this.#control, STATE);
  }
}
