import type { Cursor } from "./cursor.ts";
import { DASH, HEX_VALUE } from "./ascii.ts";

/** Characters of `12345678-1234-1234-1234-123456789abc`. */
export const UUID_LENGTH = 36;

/**
 * Reads a UUID into 16 bytes of `out`. As in OVS, a UUID is four 32-bit numbers in host order, so
 * the bytes of each are reversed.
 * @returns the offset after it, or -1 if there is none at `start`
 */
export function readUuid(
  bytes: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  at: number,
): number {
  if (end - start < UUID_LENGTH) return -1;
  let digits = 0;
  for (let i = 0; i < UUID_LENGTH; i++) {
    const byte = bytes[start + i]!;
    if (i === 8 || i === 13 || i === 18 || i === 23) {
      if (byte !== DASH) return -1;
      continue;
    }
    const digit = HEX_VALUE[byte]!;
    if (digit > 15) return -1;
    const to = at + hostOrder(digits >> 1);
    out[to] = (digits & 1) === 0 ? digit << 4 : out[to]! | digit;
    digits++;
  }
  return start + UUID_LENGTH;
}

/** As {@link readUuid}, from a cursor. @throws FlowSyntaxError */
export function parseUuid(cursor: Cursor, out: Uint8Array, at: number): void {
  const after = readUuid(cursor.bytes, cursor.position, cursor.end, out, at);
  if (after < 0) cursor.fail(EXPECTED_UUID);
  cursor.position = after;
}

const EXPECTED_UUID = "a UUID such as 12345678-1234-1234-1234-123456789abc";

/** The offset in memory of the text's i-th byte. */
function hostOrder(i: number): number {
  return (i & ~3) + 3 - (i & 3);
}
