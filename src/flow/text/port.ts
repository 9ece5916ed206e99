import { numberOfName, type PortNames } from "../ports.ts";
import { HEX_VALUE, SLASH } from "./ascii.ts";
import type { Cursor } from "./cursor.ts";

/**
 * The largest number a port attribute can hold; `validateFlow` knows which numbers a kernel takes.
 */
export const PORT_MAX = 0xffff_ffff;

/** OVS's ODPP_NONE: no port. */
const PORT_NONE = 0xffff_ffff;

/**
 * Reads a port: its number, or its name if names are known.
 * @param limit the largest valid number, apart from the one for no port
 */
export function parsePort(cursor: Cursor, limit: number, ports: PortNames | undefined): number {
  const start = cursor.position;
  let end = start;
  const token = cursor.tokenEnd();
  while (end < token && cursor.bytes[end] !== SLASH) end++;
  // A name may begin with digits: 0x1 is a number, but 0xeth and 4eth may be names of ports.
  if (isNumeral(cursor.bytes, start, end)) {
    const number = cursor.integer(PORT_MAX, "a port number");
    if (number > limit && number !== PORT_NONE)
      cursor.fail(`a port number from 0 to ${limit}`, start);
    return number;
  }
  if (end === start) cursor.fail("a port number or a port's name");
  if (ports === undefined)
    cursor.fail("a port number (names need a datapath's ports: the option ports)");
  const number = numberOfName(cursor.slice(start, end), ports);
  if (number === undefined) cursor.fail("a port number, or the name of a port of the datapath");
  cursor.position = end;
  return number;
}

/** Whether the bytes are a number in C's notation. */
export function isNumeral(bytes: Uint8Array, start: number, end: number): boolean {
  const isHex = end - start > 2 && bytes[start] === 0x30 && (bytes[start + 1]! | 0x20) === 0x78;
  for (let at = isHex ? start + 2 : start; at < end; at++) {
    if ((HEX_VALUE[bytes[at]!] ?? 255) > (isHex ? 15 : 9)) return false;
  }
  return end > start;
}
