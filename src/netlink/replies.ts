import { ENOBUFS } from "../sys/errno.ts";
import { MSG_DONTWAIT, MSG_TRUNC } from "../sys/libc.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { MessageVector } from "../sys/vectors.ts";
import { NLMSG_ERROR } from "../uapi/netlink.ts";
import { ackErrno } from "./ack.ts";
import { type Batch, MessageState } from "./batch.ts";
import { MessageReader, setLength } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

/**
 * A capped error is 36 bytes, its extended ack rarely 200; a longer one is cut behind its errno.
 */
const ACK_SLOT_BYTES = 256;

/** The maximum number of replies read by one system call. */
export const REPLY_SLOTS = 1024;

/** Receives replies that carry data: those to a GET. */
export type DataReplies = {
  /** The longest reply in bytes that is not cut; a multiple of four. */
  readonly bytesMax: number;
  /**
   * Called with the data that answer message `index` of the batch; the bytes are valid until it
   * returns.
   * @param cut whether it was longer than `bytesMax`: the rest is missing
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
  /** How often the receive buffer overflowed, or the kernel had no memory for a reply (ENOBUFS). */
  overruns: number;
};

/** Datagrams that were sent and whose replies are read together. */
type Window = {
  readonly batch: Batch;
  /** The first message of the first datagram. */
  readonly start: number;
  /** Message i has the sequence number `sequence + i`. */
  readonly sequence: number;
  /** The message after the last one of each datagram. */
  readonly ends: Uint32Array;
  /** The range of the datagrams in `ends`. */
  readonly first: number;
  readonly end: number;
};

/**
 * Reads the replies to what was sent, and settles the state of each message from them.
 *
 * Every reply is queued when a send returns, in the order of the messages; an accepted one has none
 * unless it asked for an ack. A reply from outside the window is skipped, and so is a second reply
 * to a message: stray and duplicate replies change nothing.
 */
export class Replies {
  readonly #counters: ReadCounters;
  readonly #socket: NetlinkSocket;
  readonly #data: DataReplies | undefined;
  readonly #slotBytes: number;
  readonly #vector = new MessageVector(REPLY_SLOTS);
  readonly #memory: PinnedMemory;
  readonly #reader: MessageReader;
  /** Whether a reply is missing somewhere among those received. */
  #gap = false;
  /** Messages before this one are settled. */
  #proven = 0;
  /** The first datagram that is not yet settled. */
  #datagram = 0;

  /** @param data for requests whose replies carry data; without it such replies are skipped */
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

  /** Address of the {@link REPLY_SLOTS} `struct mmsghdr` into which replies are read. */
  get address(): number {
    return this.#vector.addressOf(0);
  }

  /**
   * Reads the replies to a window and settles its messages: sets states and errnos, adds to
   * failures.
   * @param received what a first recvmmsg into {@link address} returned; 0 if there was none
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
        // An overflowing buffer drops every reply until it is read (netlink_overrun); the kernel
        // may also have had no memory for a single reply (netlink_ack). So any reply may be
        // missing.
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
    // A reply longer than its slot is cut. An error is cut behind its errno, the only part needed.
    const cut = (this.#vector.flagsOf(slot) & MSG_TRUNC) !== 0;
    if (cut) setLength(this.#memory, start, start + length);
    const reader = this.#reader.reset(start, length);
    while (reader.next()) this.#take(window, reader, cut);
    // It is unknown which message it answered.
    if (reader.malformed) this.#gap = true;
  }

  #take(window: Window, reader: MessageReader, cut: boolean): void {
    const { batch, ends } = window;
    const index = (reader.sequence - window.sequence) >>> 0;
    // It belongs to another window.
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

  // Takes a reply to a message that is already settled. The kernel answers in order, so this should
  // not happen; but a late error that is no duplicate is a real error.
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

// Unproven messages counted as accepted until now.
function lose(batch: Batch, from: number, to: number): void {
  batch.states.fill(MessageState.lost, from, to);
  batch.failures += to - from;
}
