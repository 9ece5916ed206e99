import { TWO_32 } from "../bytes.ts";
import { numberOfName, type PortNames } from "../ports.ts";
import { HOLE_BE64, HOLE_IPV6, HOLE_MAC, HOLE_SKIP, putNumber, HOLE_BE32 } from "../shape/hole.ts";
import { Cursor } from "../text/cursor.ts";
import { FlowSyntaxError } from "../text/syntax-error.ts";
import type { Place } from "./compile.ts";

/**
 * A value for a hole: a number (also for an IPv4 address: 0x0a000001 is 10.0.0.1), text as in a
 * line, or the bytes of an address. A bigint for 64-bit numbers.
 */
export type TemplateValue = number | bigint | string | Uint8Array;

const MAX_64 = 0xffff_ffff_ffff_ffffn;

const cursor = new Cursor();
/**
 * The bytes of one value in text: room for the longest, an address, and more, so that a longer one
 * is recognized as too long.
 */
const text = new Uint8Array(128);
const address = new Uint8Array(4);
const encoder = new TextEncoder();

/** Whether the values of a hole are bytes rather than 32-bit numbers. */
export function isBytes(kind: number): boolean {
  return kind === HOLE_BE64 || kind === HOLE_MAC || kind === HOLE_IPV6;
}

/**
 * Reads a value that is a number of at most 32 bits, or an IPv4 address.
 * @returns NaN if the text is not a number; the range is not checked
 */
export function numberOf(
  value: TemplateValue,
  place: Place,
  max: number,
  ports: PortNames | undefined,
): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  const isAddress = place.field?.kind === "ipv4";
  if (typeof value !== "string") {
    if (!isAddress || value.length !== 4) return Number.NaN;
    address.set(value);
    return addressNumber();
  }
  if (!startText(value)) return Number.NaN;
  try {
    if (isAddress) {
      cursor.ipv4(address, 0);
      return cursor.position === cursor.end ? addressNumber() : Number.NaN;
    }
    const isPort = place.field === undefined || place.field.kind === "port";
    const named = isPort ? numberOfName(value, ports) : undefined;
    if (named !== undefined) return named;
    const number = cursor.integer(max, "");
    return cursor.position === cursor.end ? number : Number.NaN;
  } catch (error) {
    if (error instanceof FlowSyntaxError) return Number.NaN;
    throw error;
  }
}

/** Reads a value that is bytes in the message into `out`. @returns false for any other text */
export function bytesOf(value: TemplateValue, kind: number, out: Uint8Array, at: number): boolean {
  if (typeof value === "string") return parseBytes(value, kind, out, at);
  if (kind === HOLE_BE64) return typeof value === "object" ? false : put64(value, out, at);
  const size = kind === HOLE_MAC ? 6 : 16;
  if (typeof value !== "object" || value.length !== size) return false;
  for (let i = 0; i < size; i++) out[at + i] = value[i]!;
  return true;
}

/** What a hole takes, in words, for messages. */
export function expectedOf(place: Place, kind: number, max: number): string {
  if (kind === HOLE_MAC) return "a MAC address such as 00:11:22:33:44:55, or its 6 bytes";
  if (kind === HOLE_IPV6) return "an IPv6 address, or its 16 bytes";
  if (kind === HOLE_BE64) return "a number of at most 64 bits";
  if (kind === HOLE_SKIP) return "anything";
  if (place.field?.kind === "ipv4") return "an IPv4 address such as 10.0.0.1, or its number";
  return `a number from 0 to ${max}`;
}

function startText(value: string): boolean {
  const { read, written } = encoder.encodeInto(value, text);
  cursor.reset(text, 0, written, 1);
  return read === value.length;
}

function parseBytes(value: string, kind: number, out: Uint8Array, at: number): boolean {
  if (!startText(value)) return false;
  try {
    if (kind === HOLE_MAC) cursor.mac(out, at);
    else if (kind === HOLE_IPV6) cursor.ipv6(out, at);
    else cursor.integer64("");
  } catch (error) {
    if (error instanceof FlowSyntaxError) return false;
    throw error;
  }
  if (kind === HOLE_BE64) putWords(cursor.high, cursor.low, out, at);
  return cursor.position === cursor.end;
}

function put64(value: number | bigint, out: Uint8Array, at: number): boolean {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || value < 0) return false;
    const high = Math.floor(value / TWO_32);
    putWords(high, value - high * TWO_32, out, at);
    return true;
  }
  if (value < 0n || value > MAX_64) return false;
  putWords(Number(value >> 32n), Number(value & 0xffff_ffffn), out, at);
  return true;
}

function putWords(high: number, low: number, out: Uint8Array, at: number): void {
  putNumber(out, at, HOLE_BE32, high, 0);
  putNumber(out, at + 4, HOLE_BE32, low, 0);
}

function addressNumber(): number {
  return ((address[0]! << 24) | (address[1]! << 16) | (address[2]! << 8) | address[3]!) >>> 0;
}
