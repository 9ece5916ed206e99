import { assert } from "./errors.ts";
import { copyAt } from "./address.ts";
import { PinnedMemory } from "./memory.ts";

// The structs that sendmmsg, recvmmsg and writev read, in pinned memory.

const IOVEC_SIZE = 16;
const MMSGHDR_SIZE = 64;
const MSGHDR_IOV = 16;
const MSGHDR_IOVLEN = 24;
const MSGHDR_FLAGS = 48;
const MMSGHDR_LENGTH = 56;
const WORD = 2 ** 32;

// A 64-bit pointer is stored as two halves: a BigInt would be allocated.
function putPointer(memory: PinnedMemory, offset: number, address: number): void {
  memory.u32[offset >> 2] = address >>> 0;
  memory.u32[(offset >> 2) + 1] = Math.floor(address / WORD);
}

function pointerAt(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * WORD;
}

/** A copy of the bytes that `count` struct iovec describe, concatenated. */
export function copyIovecs(iovecs: number, count: number): Uint8Array {
  const view = new DataView(copyAt(iovecs, count * IOVEC_SIZE).buffer);
  const parts = Array.from({ length: count }, (_, i) =>
    copyAt(pointerAt(view, i * IOVEC_SIZE), pointerAt(view, i * IOVEC_SIZE + 8)),
  );
  return Uint8Array.from(Buffer.concat(parts));
}

/** Copies of the datagrams that the kernel moved for `count` struct mmsghdr with one iovec each. */
export function copyDatagrams(headers: number, count: number): Uint8Array[] {
  const view = new DataView(copyAt(headers, count * MMSGHDR_SIZE).buffer);
  return Array.from({ length: count }, (_, i) => {
    const moved = view.getUint32(i * MMSGHDR_SIZE + MMSGHDR_LENGTH, true);
    return copyIovecs(pointerAt(view, i * MMSGHDR_SIZE + MSGHDR_IOV), 1).subarray(0, moved);
  });
}

/** An array of `struct iovec`, allocated once, for writev(2). */
export class IovecArray {
  readonly capacity: number;
  readonly #memory: PinnedMemory;

  constructor(capacity: number) {
    assert(capacity > 0 && capacity <= 0xffff, "iovec capacity");
    this.capacity = capacity;
    this.#memory = new PinnedMemory(capacity * IOVEC_SIZE);
  }

  /** Address of the first iovec. */
  get address(): number {
    return this.#memory.address;
  }

  /** Points the iovec at `index` to `length` bytes at `address`; it does not own them. */
  set(index: number, address: number, length: number): void {
    assert(index >= 0 && index < this.capacity, "iovec index");
    const offset = index * IOVEC_SIZE;
    putPointer(this.#memory, offset, address);
    this.#memory.u32[(offset >> 2) + 2] = length;
    this.#memory.u32[(offset >> 2) + 3] = 0;
  }
}

/** An array of `struct mmsghdr` with one iovec each, allocated once, for sendmmsg(2) and recvmmsg(2). */
export class MessageVector {
  readonly capacity: number;
  readonly #memory: PinnedMemory;
  readonly #iovecs: number;

  constructor(capacity: number) {
    // UIO_MAXIOV is also the most that sendmmsg takes.
    assert(capacity > 0 && capacity <= 1024, "message vector capacity");
    this.capacity = capacity;
    this.#iovecs = capacity * MMSGHDR_SIZE;
    this.#memory = new PinnedMemory(capacity * (MMSGHDR_SIZE + IOVEC_SIZE));
    for (let i = 0; i < capacity; i++) {
      const header = i * MMSGHDR_SIZE;
      putPointer(
        this.#memory,
        header + MSGHDR_IOV,
        this.#memory.address + this.#iovecs + i * IOVEC_SIZE,
      );
      this.#memory.u32[(header + MSGHDR_IOVLEN) >> 2] = 1;
    }
  }

  /** Address of the header at `index`. */
  addressOf(index: number): number {
    assert(index >= 0 && index < this.capacity, "message index");
    return this.#memory.address + index * MMSGHDR_SIZE;
  }

  /** Points message `index` to the `length` bytes at `address`; it does not own them. */
  set(index: number, address: number, length: number): void {
    assert(index >= 0 && index < this.capacity, "message index");
    const offset = this.#iovecs + index * IOVEC_SIZE;
    putPointer(this.#memory, offset, address);
    this.#memory.u32[(offset >> 2) + 2] = length;
    this.#memory.u32[(offset >> 2) + 3] = 0;
  }

  /** Bytes that the kernel moved for message `index` (`msg_len`). */
  lengthOf(index: number): number {
    return this.#memory.u32[(index * MMSGHDR_SIZE + MMSGHDR_LENGTH) >> 2] ?? 0;
  }

  /** Flags that the kernel gave message `index` (`msg_flags`), MSG_TRUNC among them. */
  flagsOf(index: number): number {
    return this.#memory.u32[(index * MMSGHDR_SIZE + MSGHDR_FLAGS) >> 2] ?? 0;
  }
}
