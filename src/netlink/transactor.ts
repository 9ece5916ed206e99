import { EAGAIN, ENOBUFS, ENOMEM } from "../sys/errno.ts";
import { assert } from "../sys/errors.ts";
import type { CallEnd } from "../sys/hand-over.ts";
import type { PartSender } from "../sys/send-thread.ts";
import { IovecArray, MessageVector } from "../sys/vectors.ts";
import { iovMax } from "../sys/libc.ts";
import { NLM_F_ACK } from "../uapi/netlink.ts";
import { type Batch, MessageState } from "./batch.ts";
import { addFlags, setSequence } from "./message.ts";
import { type DataReplies, type ReadCounters, Replies, REPLY_SLOTS } from "./replies.ts";
import { measureReplyCost, REPLY_COST_BYTES } from "./reply-cost.ts";
import type { NetlinkSocket } from "./socket.ts";

/**
 * `errors`: an ack for the last message of each datagram, and errors. `each`: an ack for every
 * message.
 */
export type AckMode = "errors" | "each";

/**
 * `send`: one system call per datagram, one contiguous buffer. `writev`: one system call per
 * datagram, one iovec per message. `sendmmsg`: one system call for all datagrams.
 */
export type Transport = "send" | "writev" | "sendmmsg";

/** How a batch is cut into datagrams and sent. */
export type Packing = {
  readonly ack: AckMode;
  readonly transport: Transport;
  /** The most messages per datagram; under `writev` at most max_iovs. */
  readonly messagesPerDatagram: number;
  /** The most bytes per datagram, unless a single message is longer. */
  readonly bytesPerDatagram: number;
  /** What one waiting reply costs in `sk_rcvbuf`; measured if it matters and is not given. */
  readonly replyCostBytes?: number;
};

/** What a transactor has done since it was made. */
export type TransactorCounters = ReadCounters & { datagrams: number; bytes: number };

/** The most datagrams in one window: the most that sendmmsg takes. */
const DATAGRAMS_MAX = 1024;

/** How often a datagram is tried when the kernel has no memory for it. */
const SEND_ATTEMPTS = 8;

/**
 * Sends batches and finds the outcome of every message.
 *
 * Netlink is synchronous: when a send returns, each of its messages has been carried out and every
 * reply is queued. The kernel goes on after an error, but if it cannot walk a datagram to its end,
 * it silently drops the rest. So the last message of each datagram asks for an ack, and only that
 * ack proves that the others were accepted. The number of datagrams between two reads is limited so
 * that a reply for each of their messages fits the receive buffer; if replies are lost anyway
 * (ENOBUFS), a message without a reply is {@link MessageState.lost}. Nothing is sent twice.
 */
export class Transactor {
  readonly socket: NetlinkSocket;
  readonly packing: Packing;
  readonly counters: TransactorCounters = { systemCalls: 0, datagrams: 0, bytes: 0, overruns: 0 };
  /** The most messages between two reads, so that the replies to all of them fit. */
  readonly windowMessages: number;

  readonly #perDatagram: number;
  readonly #iovecs: IovecArray | undefined;
  readonly #outgoing = new MessageVector(DATAGRAMS_MAX);
  readonly #replies: Replies;
  /** The message after the last one of each datagram in the window. */
  readonly #ends = new Uint32Array(DATAGRAMS_MAX);
  /** The part of a batch that a thread sends now. */
  readonly #begun = { first: 0, end: 0, datagrams: 0, sequence: 0 };

  /** @param data for requests whose replies carry data; without it such replies are skipped */
  constructor(socket: NetlinkSocket, packing: Packing, data?: DataReplies) {
    assert(
      Number.isInteger(packing.messagesPerDatagram) && packing.messagesPerDatagram > 0,
      "messages a datagram",
    );
    assert(packing.bytesPerDatagram > 0, "bytes a datagram");
    this.socket = socket;
    this.packing = packing;
    const { messagesPerDatagram } = packing;
    this.#perDatagram =
      packing.transport === "writev"
        ? Math.min(messagesPerDatagram, iovMax())
        : messagesPerDatagram;
    this.#iovecs = packing.transport === "writev" ? new IovecArray(this.#perDatagram) : undefined;
    this.windowMessages = windowMessages(socket, packing);
    this.#replies = new Replies(socket, this.counters, data);
  }

  /** Sends every message of `batch` and fills its states, errnos and failures. Blocks. */
  execute(batch: Batch): void {
    batch.failures = 0;
    this.executePart(batch, 0, batch.count);
  }

  /** As {@link execute}, for the messages from `first` to before `end`; failures are added. */
  executePart(batch: Batch, first: number, end: number): void {
    // Message i has the sequence number `sequence + i`.
    const sequence = this.socket.takeSequences(end - first) - first;
    let next = first;
    while (next < end) {
      const start = next;
      const datagrams = this.#cutWindow(batch, start, end, sequence);
      next = this.#ends[datagrams - 1] ?? end;
      this.#sendWindow(batch, start, 0, datagrams, sequence);
    }
  }

  /**
   * Lets `thread` begin to send the messages from `first` to before `end`, at most
   * {@link windowMessages}. The caller must not touch them until {@link endPart}. Only with the
   * transport `sendmmsg`.
   */
  beginPart(batch: Batch, first: number, end: number, thread: PartSender): void {
    assert(this.packing.transport === "sendmmsg", "a thread sends by sendmmsg");
    assert(end - first <= this.windowMessages && first < end, "a thread sends one window");
    const sequence = this.socket.takeSequences(end - first) - first;
    const datagrams = this.#cutWindow(batch, first, end, sequence);
    this.#begun.first = first;
    this.#begun.end = end;
    this.#begun.datagrams = datagrams;
    this.#begun.sequence = sequence;
    this.#setOutgoing(batch, first, 0, datagrams);
    const { fd } = this.socket;
    thread.begin(fd, this.#outgoing.addressOf(0), datagrams, this.#replies.address, REPLY_SLOTS, [
      this,
      batch,
    ]);
  }

  /**
   * Waits for the part that {@link beginPart} began, and fills states, errnos and failures of its
   * messages.
   * @returns how the thread's call ended. If it was not made, the messages are lost or were never
   * sent; if it is `late`, the thread may still read their memory
   */
  endPart(batch: Batch, thread: PartSender): CallEnd {
    const { first, end, datagrams, sequence } = this.#begun;
    const cut = this.#ends[datagrams - 1] ?? end;
    const called = thread.wait();
    if (called !== "made") {
      batch.states.fill(MessageState.lost, first, cut);
      batch.states.fill(MessageState.unsent, cut, end);
      batch.errnos.fill(0, first, end);
      batch.failures += end - first;
      return called;
    }
    const sent = Math.max(0, thread.sent);
    this.counters.systemCalls += sent > 0 ? 2 : 1;
    let start = first;
    if (sent > 0) {
      this.#settle(batch, first, 0, sent, sequence, thread.received);
      start = this.#ends[sent - 1] ?? cut;
    }
    // Datagrams that the thread's single call did not send are sent by this thread.
    this.#sendWindow(batch, start, sent, datagrams, sequence);
    this.executePart(batch, cut, end);
    return called;
  }

  // Cuts the messages from `first` on, as many as one read can answer, into datagrams and stamps
  // them. Returns the number of datagrams; their ends are in #ends.
  #cutWindow(batch: Batch, first: number, end: number, sequence: number): number {
    const limit = Math.min(end, first + this.windowMessages);
    let datagrams = 0;
    let next = first;
    while (next < limit && datagrams < DATAGRAMS_MAX) {
      next = this.#datagramEnd(batch, next, limit);
      this.#ends[datagrams++] = next;
    }
    this.#stamp(batch, first, next, datagrams, sequence);
    return datagrams;
  }

  // Sends datagrams `done` to `datagrams`, the first of which begins with message `start`, and reads
  // the replies.
  #sendWindow(
    batch: Batch,
    start: number,
    done: number,
    datagrams: number,
    sequence: number,
  ): void {
    let attempts = 0;
    while (done < datagrams) {
      const sent = this.#send(batch, start, done, datagrams);
      if (sent > 0) {
        this.#settle(batch, start, done, done + sent, sequence);
        done += sent;
        start = this.#ends[done - 1] ?? batch.count;
        attempts = 0;
      } else if (isTransient(-sent) && ++attempts < SEND_ATTEMPTS) {
        this.socket.pause(attempts);
      } else {
        // This datagram was not sent; later ones may be.
        const end = this.#ends[done++] ?? batch.count;
        batch.states.fill(MessageState.unsent, start, end);
        batch.errnos.fill(-sent, start, end);
        batch.failures += end - start;
        start = end;
        attempts = 0;
      }
    }
  }

  // Reads the replies to datagrams `done` to `to`; `received` is what a first read returned.
  #settle(
    batch: Batch,
    start: number,
    done: number,
    to: number,
    sequence: number,
    received = 0,
  ): void {
    const ends = this.#ends;
    this.counters.datagrams += to - done;
    this.counters.bytes += (batch.starts[ends[to - 1] ?? 0] ?? 0) - (batch.starts[start] ?? 0);
    this.#replies.settle({ batch, start, sequence, ends, first: done, end: to }, received);
  }

  // The end of a datagram that begins with message `first`.
  #datagramEnd(batch: Batch, first: number, limit: number): number {
    const { starts } = batch;
    const most = Math.min(limit, first + this.#perDatagram);
    const bytes = Math.min(this.packing.bytesPerDatagram, this.socket.datagramBytesMax);
    const from = starts[first] ?? 0;
    if ((starts[most] ?? 0) - from <= bytes) return most;
    let end = first + 1;
    while (end < most && (starts[end + 1] ?? 0) - from <= bytes) end++;
    return end;
  }

  #stamp(batch: Batch, first: number, end: number, datagrams: number, sequence: number): void {
    const { memory, starts } = batch;
    const each = this.packing.ack === "each";
    for (let i = first; i < end; i++) {
      const start = starts[i]!; // i < count <= capacity
      setSequence(memory, start, (sequence + i) >>> 0);
      if (each) addFlags(memory, start, NLM_F_ACK);
    }
    for (let d = 0; d < datagrams; d++) {
      addFlags(memory, starts[(this.#ends[d] ?? 1) - 1] ?? 0, NLM_F_ACK);
    }
  }

  // Sends datagrams `done` to `datagrams`, the first of which begins with message `start`. Returns
  // how many were sent, or the errno of the first one, negated.
  #send(batch: Batch, start: number, done: number, datagrams: number): number {
    const { starts, memory } = batch;
    if (this.packing.transport === "sendmmsg") {
      this.#setOutgoing(batch, start, done, datagrams);
      this.counters.systemCalls++;
      return this.socket.sendmmsg(this.#outgoing.addressOf(done), datagrams - done);
    }
    const end = this.#ends[done] ?? 0;
    const from = starts[start] ?? 0;
    const length = (starts[end] ?? 0) - from;
    this.counters.systemCalls++;
    let sent: number;
    if (this.#iovecs === undefined) {
      sent = this.socket.send(memory.address + from, length);
    } else {
      for (let i = start; i < end; i++) {
        const at = starts[i] ?? 0;
        this.#iovecs.set(i - start, memory.address + at, (starts[i + 1] ?? 0) - at);
      }
      sent = this.socket.writev(this.#iovecs.address, end - start);
    }
    return sent < 0 ? sent : 1;
  }

  // Lets the message vector name datagrams `done` to `datagrams`, from message `start` on.
  #setOutgoing(batch: Batch, start: number, done: number, datagrams: number): void {
    const { starts, memory } = batch;
    let from = starts[start] ?? 0;
    for (let d = done; d < datagrams; d++) {
      const to = starts[this.#ends[d] ?? 0] ?? 0;
      this.#outgoing.set(d, memory.address + from, to - from);
      from = to;
    }
  }
}

// The number of replies that fit the receive buffer, by the assumed cost of one; by the measured
// cost if the assumed one would make datagrams smaller than wanted.
function windowMessages(socket: NetlinkSocket, packing: Packing): number {
  const fit = (cost: number): number => Math.max(1, Math.floor(socket.receiveBufferBytes / cost));
  if (packing.replyCostBytes !== undefined) return fit(packing.replyCostBytes);
  const assumed = fit(REPLY_COST_BYTES);
  return assumed >= packing.messagesPerDatagram ? assumed : fit(measureReplyCost(socket));
}

function isTransient(errno: number): boolean {
  return errno === EAGAIN || errno === ENOBUFS || errno === ENOMEM;
}
