import { type Pointer, toArrayBuffer } from "bun:ffi";
import { assert } from "./errors.ts";

/**
 * Addresses as bun:ffi takes them, and the bytes at an address. Not part of memory.ts, whose types
 * are public: a project without Bun's types has no `Pointer`.
 */

/** A copy of `length` bytes at an address passed to a system call; their owner keeps them alive. */
export function copyAt(address: number, length: number): Uint8Array {
  assert(isPointer(address), "not an address");
  return length === 0
    ? new Uint8Array(0)
    : new Uint8Array(toArrayBuffer(address, 0, length)).slice();
}

/** Whether a number is an address that bun:ffi takes. */
export function isPointer(address: number): address is Pointer {
  return Number.isSafeInteger(address) && address > 0;
}
