import { EAGAIN, ENOBUFS, ETIMEDOUT } from "../sys/errno.ts";
import { MillraceError, SystemCallError } from "../sys/errors.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { MessageVector } from "../sys/vectors.ts";
import { MessageReader } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";
import { MSG_DONTWAIT, MSG_TRUNC } from "../sys/libc.ts";

/**
 * A dump's chunk is as long as the largest buffer with which the socket was ever read, up to 32 KiB
 * (netlink_dump in af_netlink.c), and each read makes the kernel fill the next one.
 */
const SLOT_BYTES = 32 << 10;
const SLOTS = 8;

/**
 * Reads messages of any length, several datagrams per system call. The bytes are valid until the
 * next read; a caller that keeps them copies them.
 */
export class Receiver {
  readonly memory: PinnedMemory = new PinnedMemory(SLOTS * SLOT_BYTES);
  readonly #slotted = new MessageVector(SLOTS);
  readonly #single = new MessageVector(1);
  #vector = this.#slotted;
  readonly #reader = new MessageReader(this.memory);
  #slots = 0;
  #slot = 0;

  constructor() {
    for (let i = 0; i < SLOTS; i++) {
      this.#slotted.set(i, this.memory.address + i * SLOT_BYTES, SLOT_BYTES);
    }
    this.#single.set(0, this.memory.address, this.memory.size);
  }

  /**
   * Until the next call, expects messages of any length, one per read: a reply about one flow may
   * be 200 KiB long, whereas a dump comes in chunks of 32 KiB.
   */
  expectLong(long: boolean): void {
    this.clear();
    this.#vector = long ? this.#single : this.#slotted;
  }

  /** Forgets messages that were read but not yet given out. */
  clear(): void {
    this.#slots = 0;
    this.#slot = 0;
    this.#reader.reset(0, 0);
  }

  /**
   * The next message, read from `socket` if none is left. The reader is the same object each time.
   * @param timeoutMs the longest wait for the kernel; no clock is read while messages are there
   * @throws MillraceError `ETIMEDOUT` after that time, `TRUNCATED` for a message cut short;
   * SystemCallError, with ENOBUFS if messages were lost
   */
  next(socket: NetlinkSocket, timeoutMs: number): MessageReader {
    const reader = this.#reader;
    for (;;) {
      if (reader.next()) return reader;
      if (reader.malformed) throw new MillraceError("MALFORMED", "the kernel's reply is malformed");
      if (this.#slot < this.#slots) {
        const slot = this.#slot++;
        if ((this.#vector.flagsOf(slot) & MSG_TRUNC) !== 0) {
          throw new MillraceError("TRUNCATED", "a reply is longer than the memory for it");
        }
        reader.reset(slot * SLOT_BYTES, this.#vector.lengthOf(slot));
      } else {
        this.#read(socket, timeoutMs);
      }
    }
  }

  #read(socket: NetlinkSocket, timeoutMs: number): void {
    this.clear();
    let deadline = 0;
    for (;;) {
      const received = socket.recvmmsg(
        this.#vector.addressOf(0),
        this.#vector.capacity,
        MSG_DONTWAIT,
      );
      if (received > 0) {
        this.#slots = received;
        return;
      }
      if (received !== -EAGAIN) {
        const errno = received === 0 ? ENOBUFS : -received;
        throw new SystemCallError("recvmmsg", errno, "reading from the kernel");
      }
      const now = performance.now();
      if (deadline === 0) deadline = now + timeoutMs;
      const left = Math.ceil(deadline - now);
      const ready = left <= 0 ? -ETIMEDOUT : socket.poll(left);
      if (ready < 0) throw new SystemCallError("poll", -ready, "waiting for the kernel's reply");
    }
  }
}
