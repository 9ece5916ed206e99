import { ptr } from "bun:ffi";
import { assert } from "./errors.ts";

/**
 * Memory that a system call may access: one explicit `ArrayBuffer`, zeroed, that never moves, with
 * the views that hot code needs. Small typed arrays made by length live in the garbage-collected
 * heap and do move, so every embedded pointer (iovec, msghdr) points into a PinnedMemory.
 *
 * The object owns the bytes: a caller that passes {@link PinnedMemory.address} to the kernel keeps
 * the object alive as long as the kernel may access them.
 */
export class PinnedMemory {
  /** Size in bytes, a multiple of 8. */
  readonly size: number;
  readonly u8: Uint8Array;
  readonly u16: Uint16Array;
  readonly u32: Uint32Array;
  readonly i32: Int32Array;
  readonly view: DataView;
  /** Address of byte 0. */
  readonly address: number;

  /**
   * @param size bytes wanted; rounded up to a multiple of 8, at least 4096 (below that Bun may move
   * it). Or memory shared between threads; its address is the same in each thread.
   */
  constructor(size: number | SharedArrayBuffer) {
    const buffer = typeof size === "number" ? new ArrayBuffer(roundUp(size)) : size;
    assert(buffer.byteLength % 8 === 0, "memory is a multiple of 8 bytes");
    this.size = buffer.byteLength;
    this.u8 = new Uint8Array(buffer);
    this.u16 = new Uint16Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.view = new DataView(buffer);
    this.address = ptr(this.u8);
  }
}

function roundUp(size: number): number {
  assert(Number.isSafeInteger(size) && size > 0 && size <= 0x7fff_fff8, `memory size ${size}`);
  return Math.max(4096, (size + 7) & ~7);
}
