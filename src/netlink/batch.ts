import { assert } from "../sys/errors.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { AttributeWriter } from "./attribute-writer.ts";
import { NLMSG_HEADER, putHeader, setLength } from "./message.ts";

/** The outcome of one message of a batch: one byte in {@link Batch.states}. */
export const MessageState = {
  /** Not sent yet. */
  pending: 0,
  /** The kernel reached it and reported no error. */
  accepted: 1,
  /** The kernel refused it; its errno is in {@link Batch.errnos}. */
  rejected: 2,
  /** It was sent, but its reply was lost: it may or may not have been carried out. */
  lost: 3,
  /** It never reached the kernel; the errno of the send is in {@link Batch.errnos}. */
  unsent: 4,
} as const;

/**
 * The parts of a batch that two threads share: the arena, the places of its messages, their tags.
 */
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
 * Every message is a multiple of four bytes long, so the bytes from `starts[i]` to `starts[j]` can
 * be sent as one datagram. A writer begins a message, appends to {@link writer}, and commits it or
 * rolls it back. The arena is allocated once and reused after {@link clear}; it is small enough to
 * stay in the cache. Nothing here allocates per message.
 */
export class Batch {
  readonly memory: PinnedMemory;
  readonly writer: AttributeWriter;
  /** The maximum number of messages. */
  readonly capacity: number;
  /** `starts[i]` is where message i begins; `starts[count]` where the last one ends. */
  readonly starts: Uint32Array;
  /** One {@link MessageState} per message. */
  readonly states: Uint8Array;
  /** One errno per message, positive; 0 if there was none. */
  readonly errnos: Int32Array;
  /** One number per message, chosen by the caller: the line the message came from. */
  readonly tags: Float64Array;
  /** The number of messages at which the batch counts as full; the capacity by default. */
  limit: number;
  /** Messages committed. */
  count = 0;
  /** Messages that are not {@link MessageState.accepted}; set by the transactor. */
  failures = 0;
  /**
   * The message whose copies are in the arena, back to back, in words `#copiesStart` to
   * `#copiesEnd`.
   */
  #copied: Int32Array | undefined;
  #copiesStart = 0;
  #copiesEnd = 0;

  /**
   * @param capacity the maximum number of messages
   * @param arena its length in bytes; or memory shared by two threads, one of which fills the batch
   * and the other sends it; or memory of the caller, who puts messages there: see {@link restart}
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

  /** Begins a message. The batch must not be {@link full}. */
  begin(type: number, flags: number): void {
    assert(this.count < this.capacity, "the batch is full");
    this.#copied = undefined;
    this.writer.reset(this.bytes, this.memory.size);
    putHeader(this.writer, type, flags);
  }

  /**
   * Ends the current message and keeps it.
   * @returns false if it did not fit the arena: it is dropped, and the batch must be sent first
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
   * Keeps complete messages that the caller has placed at {@link bytes}, back to back.
   * @returns how many there were.
   * @throws AssertionError if they are not complete messages, or do not fit
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
   * Places copies of a complete message behind the committed messages; the caller changes them and
   * calls {@link commitCopies}. Copies left there by an earlier, sent batch are reused, so the
   * constant bytes are written only once. A caller that changes a word must change it in every
   * copy.
   * @param message compared by identity: the same array means the same message as before
   * @returns how many of the `count` copies fit
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

  /** Keeps the first `count` of the copies placed last, each `bytes` long. */
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

  /** Takes over the first `count` messages, which another thread committed in shared memory. */
  adopt(count: number): void {
    assert(count >= 0 && count <= this.capacity, "a batch holds what it was filled with");
    this.states.fill(MessageState.pending, 0, count);
    this.count = count;
    this.failures = 0;
  }

  /** Empties the batch; its next message begins at byte `at` of the arena, a multiple of four. */
  restart(at: number): void {
    this.clear();
    this.#copied = undefined;
    this.starts[0] = at;
  }

  /** Empties the batch; the arena is reused. */
  clear(): void {
    this.count = 0;
    this.failures = 0;
  }
}
