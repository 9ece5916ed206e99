import { align } from "../../netlink/align.ts";
import { NLA_TYPE_MASK } from "../../netlink/attribute-reader.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";

/**
 * Length of the attribute at `at`, including its header; 0 if the bytes up to `end` do not hold
 * one.
 */
export function attributeLength(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < NLA_HEADER) return 0;
  const length = bytes[at]! | (bytes[at + 1]! << 8);
  return length < NLA_HEADER || length > end - at ? 0 : length;
}

/** Type of the attribute at `at`, without its flag bits. */
export function attributeType(bytes: Uint8Array, at: number): number {
  return (bytes[at + 2]! | (bytes[at + 3]! << 8)) & NLA_TYPE_MASK;
}

/**
 * Offset of the attribute after the one of `length` bytes at `at`. An invalid length ends the list,
 * so every walk ends.
 */
export function nextAttribute(at: number, length: number, end: number): number {
  return length < NLA_HEADER ? end : Math.min(at + align(length), end);
}

/** Offset of the first attribute of a type between `start` and `end`, or -1. */
export function findAttribute(bytes: Uint8Array, start: number, end: number, type: number): number {
  let at = start;
  for (let length = attributeLength(bytes, at, end); length > 0;) {
    if (attributeType(bytes, at) === type) return at;
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  return -1;
}

/**
 * Offset of the last attribute of a type, or -1: the last counts if the kernel parses into a table.
 */
export function lastAttribute(bytes: Uint8Array, start: number, end: number, type: number): number {
  let found = -1;
  for (let at = start; at < end;) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) break;
    if (attributeType(bytes, at) === type) found = at;
    at = nextAttribute(at, length, end);
  }
  return found;
}
