import { EAGAIN, ENOBUFS } from "../sys/errno.ts";
import { assert, MillraceError, SystemCallError } from "../sys/errors.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { Readiness, type WaitOptions } from "../sys/readiness.ts";
import { MessageVector } from "../sys/vectors.ts";
import { MessageReader } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";
import { MSG_DONTWAIT, MSG_TRUNC } from "../sys/libc.ts";

/**
 * The memory an inbox reads into. Pages that are never written are never allocated, so long slots
 * cost nothing.
 */
type InboxSize = {
  /** Datagrams per system call. */
  readonly slots: number;
  /** The longest datagram in bytes; a longer one counts as lost. */
  readonly slotBytes: number;
};

/** Receives what an inbox reads. */
type InboxHandler = {
  /** Called for each message; its bytes are valid until the handler returns. */
  readonly onMessage: (memory: PinnedMemory, message: MessageReader) => void;
  /** Called where messages were lost: after those given before, before those that follow. */
  readonly onLost: (count: number) => void;
};

/**
 * Reads what the kernel sends unasked, multicast and upcalls, from one or more sockets. Nothing is
 * read ahead: waiting messages stay in the receive buffers, which bound the memory.
 *
 * A socket whose buffer is full loses all messages until its reader has emptied it; the next read
 * then gives ENOBUFS before the messages that survived, which are older (`netlink_overrun` and
 * `netlink_rcv_wake` in af_netlink.c). So the loss is reported after them, where it happened. The
 * number lost is exact: the socket counts it.
 */
export class Inbox implements Disposable {
  /** Messages lost since it was opened. */
  lost = 0;
  readonly #size: InboxSize;
  readonly #memory: PinnedMemory;
  readonly #vector: MessageVector;
  readonly #reader: MessageReader;
  readonly #sources: Source[] = [];
  readonly #readiness = new Readiness();
  #next = 0;
  #closed = false;

  constructor(size: InboxSize) {
    this.#size = size;
    this.#memory = new PinnedMemory(size.slots * size.slotBytes);
    this.#vector = new MessageVector(size.slots);
    this.#reader = new MessageReader(this.#memory);
    for (let i = 0; i < size.slots; i++) {
      this.#vector.set(i, this.#memory.address + i * size.slotBytes, size.slotBytes);
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Also reads from `socket`, and owns it: it is closed with the inbox. */
  add(socket: NetlinkSocket): void {
    assert(!this.#closed, "the inbox is closed");
    this.#sources.push({ socket, drops: socket.drops(), overrun: false });
    this.#readiness.add(socket.fd);
  }

  /** Stops reading from `socket`, which was added before, and closes it. */
  remove(socket: NetlinkSocket): void {
    const index = this.#sources.findIndex((source) => source.socket === socket);
    if (index >= 0) this.#sources.splice(index, 1);
    this.#readiness.remove(socket.fd);
    socket.close();
  }

  /**
   * Reads what is there, about `limit` messages: the results of complete system calls. Sockets take
   * turns.
   * @returns messages and losses given to the handler; 0 if nothing is there
   */
  read(limit: number, handler: InboxHandler): number {
    assert(!this.#closed, "the inbox is closed");
    let given = 0;
    let idle = 0;
    while (given < limit && idle < this.#sources.length) {
      const source = this.#sources[this.#next++ % this.#sources.length];
      if (source === undefined) break;
      const before = given;
      given += this.#readSource(source, Math.min(this.#size.slots, limit - given), handler);
      idle = given === before ? idle + 1 : 0;
    }
    return given;
  }

  /** Waits until something can be read; may wake up early. @returns false when the time is up */
  async wait(options?: WaitOptions): Promise<boolean> {
    return this.#readiness.wait(options);
  }

  /** As {@link wait}, with the thread blocked. */
  waitSync(timeoutMs: number): boolean {
    return this.#readiness.waitSync(timeoutMs);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#readiness[Symbol.dispose]();
    for (const { socket } of this.#sources) socket.close();
    this.#sources.length = 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #readSource(source: Source, slots: number, handler: InboxHandler): number {
    const received = source.socket.recvmmsg(this.#vector.addressOf(0), slots, MSG_DONTWAIT);
    if (received === -ENOBUFS) {
      const told = source.overrun ? this.#tellLoss(source, handler) : 0;
      source.overrun = true;
      // The surviving messages are read at once: the kernel queues nothing more before that.
      return told + this.#readSource(source, slots, handler);
    }
    if (received < 0 && received !== -EAGAIN) {
      throw new SystemCallError("recvmmsg", -received, "reading what the kernel sends");
    }
    const count = Math.max(0, received);
    let given = 0;
    for (let slot = 0; slot < count; slot++) given += this.#readSlot(slot, handler);
    // A short read has emptied the queue.
    if (source.overrun && count < slots) {
      source.overrun = false;
      given += this.#tellLoss(source, handler);
    }
    return given;
  }

  #readSlot(slot: number, handler: InboxHandler): number {
    const { slotBytes } = this.#size;
    if ((this.#vector.flagsOf(slot) & MSG_TRUNC) !== 0) {
      this.lost++;
      handler.onLost(1);
      return 1;
    }
    const reader = this.#reader.reset(slot * slotBytes, this.#vector.lengthOf(slot));
    let given = 0;
    while (reader.next()) {
      handler.onMessage(this.#memory, reader);
      given++;
    }
    if (reader.malformed) throw new MillraceError("MALFORMED", "the kernel's message is malformed");
    return given;
  }

  #tellLoss(source: Source, handler: InboxHandler): number {
    const drops = source.socket.drops();
    const count = (drops - source.drops) >>> 0;
    source.drops = drops;
    if (count === 0) return 0;
    this.lost += count;
    handler.onLost(count);
    return 1;
  }
}

type Source = {
  readonly socket: NetlinkSocket;
  /** The socket's counter when a loss was last reported. */
  drops: number;
  /** Messages were lost, and the surviving ones have not been read yet. */
  overrun: boolean;
};
