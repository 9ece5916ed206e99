import { assert } from "../sys/errors.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { AttributeWriter } from "./attribute-writer.ts";
import { NLMSG_HEADER, putHeader, setLength } from "./message.ts";

/** What became of one message of a batch: a byte each in {@link Batch.states}. */
export const MessageState = {
  /** Not sent yet. */
  pending: 0,
  /** The kernel reached it and reported no error. */
  accepted: 1,
  /** The kernel refused it: its errno is in {@link Batch.errnos}. */
  rejected: 2,
  /** It was sent, and its reply was lost: it may or may not have been carried out. */
  lost: 3,
  /** It never reached the kernel: the errno of the send is in {@link Batch.errnos}. */
  unsent: 4,
} as const;

/** What two threads share of a batch: the arena and where the messages in it are and came from. */
export type SharedBatchMemory = {
  readonly arena: SharedArrayBuffer;
  readonly starts: SharedArrayBuffer;
  readonly tags: SharedArrayBuffer;
};

/** Memory for a batch of `capacity` messages and an arena of `bytes`. */
export function shareBatchMemory(capacity: number, bytes: number): SharedBatchMemory {
  return {
    arena: new SharedArrayBuffer((bytes + 7) & ~7),
    starts: new SharedArrayBuffer((capacity + 1) * 4),
    tags: new SharedArrayBuffer(capacity * 8),
  };
}

/**
 * Messages for one round trip, laid out back to back in one arena:
 *
 * ```
 *  arena  | message 0 | message 1 | ... | message n-1 | being written |      free      |
 *         0           starts[1]                       ^ starts[n]      ^ writer.position
 * ```
 *
 * Every message is a multiple of four bytes long, so the messages from `starts[i]` to `starts[j]`
 * are one datagram as they lie. A writer begins a message, appends to {@link writer}, and commits it
 * or rolls it back. The arena is allocated once and used again after {@link clear}: it is small enough
 * to stay in the cache. Nothing here allocates per message.
 */
export class Batch {
  readonly memory: PinnedMemory;
  readonly writer: AttributeWriter;
  /** The most messages it holds. */
  readonly capacity: number;
  /** `starts[i]` is where message i begins; `starts[count]` where the last one ends. */
  readonly starts: Uint32Array;
  /** A {@link MessageState} a message. */
  readonly states: Uint8Array;
  /** An errno a message, positive; 0 where there was none. */
  readonly errnos: Int32Array;
  /** A number of the caller's a message: the line it came from. */
  readonly tags: Float64Array;
  /** It counts as full at so many messages; the capacity by default. */
  limit: number;
  /** Messages committed. */
  count = 0;
  /** Messages that are not {@link MessageState.accepted}; set by the transactor. */
  failures = 0;
  /** Copies of this message lie in the arena, back to back, in words `#copiesStart` to `#copiesEnd`. */
  #copied: Int32Array | undefined;
  #copiesStart = 0;
  #copiesEnd = 0;

  /**
   * @param capacity the most messages it holds
   * @param arena its length in bytes; or memory that two threads share, of whom one fills the batch and
   *   the other one sends it; or memory of the caller's, who puts messages there: see {@link restart}
   */
  constructor(capacity: number, arena: number | SharedBatchMemory | PinnedMemory) {
    assert(capacity > 0 && capacity <= 1 << 20, `batch capacity ${capacity}`);
    const shared = typeof arena === "object" && "arena" in arena ? arena : undefined;
    this.capacity = capacity;
    this.limit = capacity;
    this.memory =
      arena instanceof PinnedMemory
        ? arena
        : new PinnedMemory(typeof arena === "number" ? arena : arena.arena);
    this.writer = new AttributeWriter(this.memory);
    this.starts = shared ? new Uint32Array(shared.starts) : new Uint32Array(capacity + 1);
    this.tags = shared ? new Float64Array(shared.tags) : new Float64Array(capacity);
    this.states = new Uint8Array(capacity);
    this.errnos = new Int32Array(capacity);
  }

  /** Bytes of all committed messages. */
  get bytes(): number {
    return this.starts[this.count] ?? 0;
  }

  get full(): boolean {
    return this.count >= this.limit;
  }

  /** Begins a message; there must be room for one more (not {@link full}). */
  begin(type: number, flags: number): void {
    assert(this.count < this.capacity, "the batch is full");
    this.#copied = undefined;
    this.writer.reset(this.bytes, this.memory.size);
    putHeader(this.writer, type, flags);
  }

  /**
   * Ends the message begun last and keeps it.
   * @returns false where it did not fit the arena: nothing is kept, and the batch must be sent first.
   */
  commit(tag: number): boolean {
    if (this.writer.failed) return false;
    const { count } = this;
    const end = this.writer.position;
    setLength(this.memory, this.bytes, end);
    this.tags[count] = tag;
    this.states[count] = MessageState.pending;
    this.count = count + 1;
    this.starts[count + 1] = end;
    return true;
  }

  /**
   * Keeps messages that the caller has put at {@link bytes} ready-made, back to back.
   * @returns how many there were.
   * @throws AssertionError where they are not whole messages, or more than fit
   */
  commitReady(bytes: number, firstTag: number): number {
    const first = this.count;
    let start = this.bytes;
    const end = start + bytes;
    this.#copied = undefined;
    assert(end <= this.memory.size, "ready messages fit the arena");
    while (start < end) {
      const length = this.memory.u32[start >> 2] ?? 0;
      assert(
        length >= NLMSG_HEADER && (length & 3) === 0 && start + length <= end,
        "ready messages are whole",
      );
      assert(this.count < this.capacity, "ready messages fit the batch");
      this.tags[this.count] = firstTag + (this.count - first);
      this.states[this.count] = MessageState.pending;
      start += length;
      this.count++;
      this.starts[this.count] = start;
    }
    return this.count - first;
  }

  /**
   * Lays copies of a whole message behind the messages it holds, for the caller to change and to
   * {@link commitCopies}. Those that were laid there before, and sent, are used again: the constant
   * bytes of a batch of copies are written once. What a caller changes it must change in each of them.
   * @param message its object says whether it is the same as before
   * @returns how many of `count` there is room for
   */
  layCopies(message: Int32Array, count: number): number {
    const { i32 } = this.memory;
    const { length } = message;
    const start = this.bytes >> 2;
    const room = Math.floor((i32.length - start) / length);
    const laid = Math.max(0, Math.min(count, this.limit - this.count, room));
    const end = start + laid * length;
    const inStep = start >= this.#copiesStart && (start - this.#copiesStart) % length === 0;
    if (this.#copied !== message || !inStep || start > this.#copiesEnd) {
      this.#copied = message;
      this.#copiesStart = this.#copiesEnd = start;
    }
    for (let at = this.#copiesEnd; at < end; at += length) i32.set(message, at);
    this.#copiesEnd = Math.max(this.#copiesEnd, end);
    // The transactor adds flags.
    const type = message[1]!; // a message has a header
    for (let at = start; at < end; at += length) i32[at + 1] = type;
    return laid;
  }

  /** Keeps the first `count` of the copies of `bytes` each that were laid last. */
  commitCopies(count: number, bytes: number, firstTag: number): void {
    const { tags, starts } = this;
    const first = this.count;
    let start = this.bytes;
    assert(first + count <= this.capacity, "copies fit the batch");
    assert(start + count * bytes <= this.#copiesEnd * 4, "copies were laid");
    for (let i = 0; i < count; i++) {
      tags[first + i] = firstTag + i;
      starts[first + i + 1] = start += bytes;
    }
    this.states.fill(MessageState.pending, first, first + count);
    this.count = first + count;
  }

  /** Takes over the first `count` messages, which another thread has committed in shared memory. */
  adopt(count: number): void {
    assert(count >= 0 && count <= this.capacity, "a batch holds what it was filled with");
    this.states.fill(MessageState.pending, 0, count);
    this.count = count;
    this.failures = 0;
  }

  /** Empties the batch, for messages that lie from byte `at` of the arena on; a multiple of four. */
  restart(at: number): void {
    this.clear();
    this.#copied = undefined;
    this.starts[0] = at;
  }

  /** Empties the batch; the arena is used again. */
  clear(): void {
    this.count = 0;
    this.failures = 0;
  }
}
