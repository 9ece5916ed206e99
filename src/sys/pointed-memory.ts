import { read, toArrayBuffer } from "bun:ffi";
import { assert } from "./errors.ts";
import { isPointer } from "./address.ts";

/**
 * Reads and writes the memory at the addresses passed to a system call, as the kernel does, for
 * calls that are answered in this process. The owner of the memory keeps it alive until the call
 * returns.
 */

const IOVEC_SIZE = 16;
const MMSGHDR_SIZE = 64;
const MSGHDR_IOV = 16;
const MSGHDR_IOVLEN = 24;
const MSGHDR_FLAGS = 48;
const MMSGHDR_LENGTH = 56;
const MSG_TRUNC = 0x20;

/** The bytes at an address, not copied. */
export function bytesAt(address: number, length: number): Uint8Array {
  if (length === 0) return new Uint8Array(0);
  assert(isPointer(address), "not an address");
  return new Uint8Array(toArrayBuffer(address, 0, length));
}

function u32At(address: number, offset: number): number {
  assert(isPointer(address), "not an address");
  return read.u32(address, offset);
}

function pointerAt(address: number, offset: number): number {
  return u32At(address, offset) + u32At(address, offset + 4) * 2 ** 32;
}

/** Sets the 32-bit number at an address. */
export function putU32(address: number, value: number): void {
  const bytes = bytesAt(address, 4);
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, value, true);
}

/** The 32-bit number at an address. */
export function getU32(address: number): number {
  return u32At(address, 0);
}

/** A copy of the bytes that `count` struct iovec describe, concatenated. */
export function gather(iovecs: number, count: number): Uint8Array {
  const lengths = Array.from({ length: count }, (_, i) => u32At(iovecs, i * IOVEC_SIZE + 8));
  const all = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let end = 0;
  for (const [i, length] of lengths.entries()) {
    all.set(bytesAt(pointerAt(iovecs, i * IOVEC_SIZE), length), end);
    end += length;
  }
  return all;
}

/** A copy of the datagram that struct mmsghdr `index` of an array describes. */
export function datagramOf(headers: number, index: number): Uint8Array {
  const at = headers + index * MMSGHDR_SIZE;
  return gather(pointerAt(at, MSGHDR_IOV), u32At(at, MSGHDR_IOVLEN));
}

/** Records how many bytes of the datagram of struct mmsghdr `index` were sent. */
export function setSent(headers: number, index: number, length: number): void {
  putU32(headers + index * MMSGHDR_SIZE + MMSGHDR_LENGTH, length);
}

/** The room in the first iovec of struct mmsghdr `index`, in bytes. */
export function roomOf(headers: number, index: number): number {
  return u32At(pointerAt(headers + index * MMSGHDR_SIZE, MSGHDR_IOV), 8);
}

/**
 * Copies a datagram to where struct mmsghdr `index` points; a datagram too long for it is cut
 * (MSG_TRUNC).
 */
export function deliverTo(headers: number, index: number, datagram: Uint8Array): void {
  const at = headers + index * MMSGHDR_SIZE;
  const iovec = pointerAt(at, MSGHDR_IOV);
  const length = Math.min(datagram.length, u32At(iovec, 8));
  bytesAt(pointerAt(iovec, 0), length).set(datagram.subarray(0, length));
  putU32(at + MSGHDR_FLAGS, datagram.length > length ? MSG_TRUNC : 0);
  putU32(at + MMSGHDR_LENGTH, length);
}
