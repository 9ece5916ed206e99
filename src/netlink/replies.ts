import { ENOBUFS } from "../sys/errno.ts";
import { MSG_DONTWAIT, MSG_TRUNC } from "../sys/libc.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { MessageVector } from "../sys/vectors.ts";
import { NLMSG_ERROR } from "../uapi/netlink.ts";
import { ackErrno } from "./ack.ts";
import { type Batch, MessageState } from "./batch.ts";
import { MessageReader, setLength } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

/** A capped error is 36 bytes, its extended ack rarely 200; a longer one is cut, its errno is not. */
const ACK_SLOT_BYTES = 256;

/** Replies that are read at once. */
export const REPLY_SLOTS = 1024;

/** What becomes of replies that carry data: those to a GET. */
export type DataReplies = {
  /** The longest reply that is kept whole; a multiple of four. */
  readonly bytesMax: number;
  /**
   * Looks at the data that answer the message `index` of the batch; the bytes are valid until it returns.
   * @param cut it was longer than `bytesMax`: what follows is missing
   */
  readonly onData: (
    index: number,
    memory: PinnedMemory,
    message: MessageReader,
    cut: boolean,
  ) => void;
};

/** What reading has cost. */
export type ReadCounters = {
  systemCalls: number;
  /** Times the receive buffer overflowed, or the kernel had no memory for a reply (ENOBUFS). */
  overruns: number;
};

/** Datagrams that were sent, whose replies are read together. */
type Window = {
  readonly batch: Batch;
  /** The message that the first one begins with. */
  readonly start: number;
  /** Message i has the number sequence + i. */
  readonly sequence: number;
  /** The message after the last one of each datagram. */
  readonly ends: Uint32Array;
  /** The datagrams, by their places in `ends`. */
  readonly first: number;
  readonly end: number;
};

/**
 * Reads the replies to what was sent, and settles the state of each message from them.
 *
 * Every reply is queued when a send returns, in the order of the messages; an accepted one has none unless
 * it asked for an ack. A reply that is not of the window is passed over, and so is a second one to a message:
 * a stray or a double one changes nothing.
 */
export class Replies {
  readonly #counters: ReadCounters;
  readonly #socket: NetlinkSocket;
  readonly #data: DataReplies | undefined;
  readonly #slotBytes: number;
  readonly #vector = new MessageVector(REPLY_SLOTS);
  readonly #memory: PinnedMemory;
  readonly #reader: MessageReader;
  /** A reply is missing somewhere among those that came. */
  #gap = false;
  /** The messages before it are settled. */
  #proven = 0;
  /** The first datagram that is not settled. */
  #datagram = 0;

  /** @param data for requests whose replies carry data; without it such replies are passed over */
  constructor(socket: NetlinkSocket, counters: ReadCounters, data?: DataReplies) {
    this.#socket = socket;
    this.#counters = counters;
    this.#data = data;
    this.#slotBytes = data?.bytesMax ?? ACK_SLOT_BYTES;
    this.#memory = new PinnedMemory(REPLY_SLOTS * this.#slotBytes);
    this.#reader = new MessageReader(this.#memory);
    for (let i = 0; i < REPLY_SLOTS; i++) {
      this.#vector.set(i, this.#memory.address + i * this.#slotBytes, this.#slotBytes);
    }
  }

  /** Address of the {@link REPLY_SLOTS} `struct mmsghdr` that replies are read into. */
  get address(): number {
    return this.#vector.addressOf(0);
  }

  /**
   * Reads the replies to a window, and settles its messages: states, errnos; failures are added.
   * @param received what a first recvmmsg into {@link address} returned; 0 where there was none
   */
  settle(window: Window, received = 0): void {
    const { batch, start, ends } = window;
    const end = ends[window.end - 1] ?? 0;
    batch.states.fill(MessageState.accepted, start, end);
    batch.errnos.fill(0, start, end);
    this.#gap = false;
    this.#proven = start;
    this.#datagram = window.first;
    let slots = received;
    while (this.#proven < end) {
      if (slots === 0) slots = this.#receive();
      if (slots === -ENOBUFS) {
        // A buffer that overflows drops all replies from one on, until it is read (netlink_overrun), but the
        // kernel may also have had no memory for a single one (netlink_ack), or both: any may be missing.
        this.#counters.overruns++;
        this.#gap = true;
      } else if (slots <= 0) break;
      for (let slot = 0; slot < slots; slot++) this.#readSlot(window, slot);
      slots = 0;
    }
    lose(batch, this.#proven, end);
  }

  #receive(): number {
    this.#counters.systemCalls++;
    return this.#socket.recvmmsg(this.address, REPLY_SLOTS, MSG_DONTWAIT);
  }

  #readSlot(window: Window, slot: number): void {
    const start = slot * this.#slotBytes;
    const length = this.#vector.lengthOf(slot);
    // A reply longer than its slot is cut: an error behind its errno, which is all that is wanted of it.
    const cut = (this.#vector.flagsOf(slot) & MSG_TRUNC) !== 0;
    if (cut) setLength(this.#memory, start, start + length);
    const reader = this.#reader.reset(start, length);
    while (reader.next()) this.#take(window, reader, cut);
    // Whose reply it was cannot be known.
    if (reader.malformed) this.#gap = true;
  }

  #take(window: Window, reader: MessageReader, cut: boolean): void {
    const { batch, ends } = window;
    const index = (reader.sequence - window.sequence) >>> 0;
    // Of another window.
    if (index < window.start || index >= (ends[window.end - 1] ?? 0)) return;
    if (index < this.#proven) this.#takeLate(batch, index, reader);
    else if (reader.type === NLMSG_ERROR) {
      this.#prove(window, index);
      const errno = ackErrno(this.#memory, reader);
      if (errno < 0) lose(batch, index, index + 1);
      if (errno <= 0) return;
      batch.states[index] = MessageState.rejected;
      batch.errnos[index] = errno;
      batch.failures++;
    } else if (this.#data !== undefined) {
      this.#prove(window, index);
      this.#data.onData(index, this.#memory, reader, cut);
    }
  }

  // All before the last reply that came are settled. A kernel answers in its order; an error that comes late all the
  // same, and is no double, is one.
  #takeLate(batch: Batch, index: number, reader: MessageReader): void {
    if (reader.type !== NLMSG_ERROR || batch.states[index] === MessageState.rejected) return;
    const errno = ackErrno(this.#memory, reader);
    if (errno <= 0) return;
    if (batch.states[index] === MessageState.accepted) batch.failures++;
    batch.states[index] = MessageState.rejected;
    batch.errnos[index] = errno;
  }

  // The kernel reached message `index`.
  #prove(window: Window, index: number): void {
    const { batch, ends } = window;
    // A datagram without its final ack is known only up to its last error.
    while (this.#datagram < window.end && (ends[this.#datagram] ?? 0) <= index) {
      const end = ends[this.#datagram++] ?? 0;
      lose(batch, this.#proven, end);
      this.#proven = end;
    }
    if (this.#gap) lose(batch, this.#proven, index);
    this.#proven = index + 1;
  }
}

// What is not proven counts as accepted until then.
function lose(batch: Batch, from: number, to: number): void {
  batch.states.fill(MessageState.lost, from, to);
  batch.failures += to - from;
}
