/** The largest 16-bit and 32-bit numbers. */
export const U16_MAX = 0xffff;
export const U32_MAX = 0xffff_ffff;

/** Splits a 64-bit number into halves: multiplying by it is exact, unlike a shift. */
export const TWO_32 = 0x1_0000_0000;

/** 16 bits in host order. */
export function u16At(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** 32 bits in host order. */
export function u32At(bytes: Uint8Array, at: number): number {
  return (u16At(bytes, at) | (u16At(bytes, at + 2) << 16)) >>> 0;
}

/** 16 bits in network order. */
export function be16At(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** 32 bits in network order. */
export function be32At(bytes: Uint8Array, at: number): number {
  return ((be16At(bytes, at) << 16) | be16At(bytes, at + 2)) >>> 0;
}

/** Whether the `size` bytes at `at` are all zero. */
export function isZero(bytes: Uint8Array, at: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (bytes[at + i] !== 0) return false;
  return true;
}

/** Whether every bit of the `size` bytes at `at` is set. */
export function areOnes(bytes: Uint8Array, at: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (bytes[at + i] !== 0xff) return false;
  return true;
}

/** Copies a few bytes: a loop is faster than a view and its `set`. */
export function copyBytes(
  from: Uint8Array,
  at: number,
  to: Uint8Array,
  start: number,
  length: number,
): void {
  for (let i = 0; i < length; i++) to[start + i] = from[at + i]!;
}
