import type { Cursor } from "./cursor.ts";
import { TextSink } from "./sink.ts";
import { HEX_VALUE } from "./ascii.ts";
import { parseUuid } from "./uuid.ts";

/**
 * Bytes of a UFID that is a UUID. Linux takes shorter ones as well: OVS_FLOW_ATTR_UFID has 1 to 16.
 */
const UUID_SIZE = 16;

const WORD = new TextEncoder().encode("ufid:");
const HEX_PREFIX = new TextEncoder().encode("0x");

/** Skips `ufid:` if it is next. @returns whether it was */
export function takeUfidWord(cursor: Cursor): boolean {
  return cursor.peek() === 0x75 && cursor.takeWord(WORD);
}

/**
 * Reads what follows `ufid:` into 16 bytes of `out`: a UUID, or `0x` and 1 to 15 bytes in pairs of
 * digits. OVS gives only UUIDs, other programs may not.
 * @returns the number of bytes
 * @throws FlowSyntaxError
 */
export function parseUfid(cursor: Cursor, out: Uint8Array): number {
  const start = cursor.position;
  if (!cursor.takeWord(HEX_PREFIX)) {
    parseUuid(cursor, out, 0);
    return UUID_SIZE;
  }
  let end = cursor.position;
  while (end < cursor.end && HEX_VALUE[cursor.bytes[end]!]! < 16) end++;
  const digits = end - cursor.position;
  if (digits === 0 || (digits & 1) !== 0 || digits >= UUID_SIZE * 2) {
    cursor.fail("0x and 1 to 15 bytes in pairs of digits, or a UUID", start);
  }
  return cursor.hexBytes(out, 0, digits >> 1);
}

/** Prints the UFID at `start` to `end` as {@link parseUfid} reads it, after `ufid:`. */
export function printUfid(out: TextSink, bytes: Uint8Array, start: number, end: number): void {
  out.text("ufid:");
  printValue(out, bytes, start, end);
}

/** The UFID of a flow, without the prefix `ufid:`; undefined for a flow that has none. */
export function ufidOf({ bytes, ufid }: WithUfid): string | undefined {
  if (ufid.start < 0) return undefined;
  const out = new TextSink(64);
  printValue(out, bytes, ufid.start, ufid.end);
  return out.toString();
}

/** Where the UFID of a flow is; `start` is -1 if it has none. */
type WithUfid = {
  readonly bytes: Uint8Array;
  readonly ufid: { readonly start: number; readonly end: number };
};

function printValue(out: TextSink, bytes: Uint8Array, start: number, end: number): void {
  if (end - start === UUID_SIZE) {
    out.uuid(bytes, start);
    return;
  }
  out.text("0x");
  out.hexBytes(bytes, start, end);
}
