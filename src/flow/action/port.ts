import { numberOfName, type PortNames } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import { isNumber } from "../text/field-parse.ts";

/** The largest number a port attribute can hold; `validateFlow` knows which of them a kernel takes. */
export const PORT_MAX = 0xffff_ffff;

/** Reads a port: its number, or its name where names are known. */
export function parsePort(cursor: Cursor, ports: PortNames | undefined): number {
  const start = cursor.position;
  const end = tokenEnd(cursor);
  const first = cursor.peek();
  if (ports !== undefined && end > start && !isNumber(cursor.bytes, start, end)) {
    const number = numberOfName(cursor.slice(start, end), ports);
    if (number === undefined) cursor.fail("a port number, or the name of a port of the datapath");
    cursor.position = end;
    return number;
  }
  if (first < 0x30 || first > 0x39) cursor.fail("a port number");
  return cursor.integer(PORT_MAX, "a port number");
}

/** Offset after the bytes up to a separator or a parenthesis. */
export function tokenEnd(cursor: Cursor): number {
  const bytes = cursor.bytes;
  let at = cursor.position;
  while (at < cursor.end && !ENDS[bytes[at]!]) at++;
  return at;
}

const ENDS: Uint8Array = endBytes();

function endBytes(): Uint8Array {
  const ends = new Uint8Array(256);
  for (const byte of [0x20, 0x09, 0x0a, 0x0d, 0x2c, 0x28, 0x29]) ends[byte] = 1;
  return ends;
}
