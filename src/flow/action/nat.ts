import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import {
  OVS_NAT_ATTR_DST,
  OVS_NAT_ATTR_IP_MAX,
  OVS_NAT_ATTR_IP_MIN,
  OVS_NAT_ATTR_PERSISTENT,
  OVS_NAT_ATTR_PROTO_HASH,
  OVS_NAT_ATTR_PROTO_MAX,
  OVS_NAT_ATTR_PROTO_MIN,
  OVS_NAT_ATTR_PROTO_RANDOM,
  OVS_NAT_ATTR_SRC,
} from "../../uapi/openvswitch.ts";
import type { Cursor } from "../text/cursor.ts";
import type { TextSink } from "../text/sink.ts";
import { WordTable } from "../text/words.ts";
import { attributeLength, attributeType, nextAttribute } from "./attributes.ts";
import { u16At } from "../bytes.ts";
import {
  CLOSE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  DASH,
  DOT,
  EQUALS,
  OPEN,
  OPEN_BRACKET,
} from "../text/ascii.ts";

/** The words of nat(), in the order in which they are printed. */
const WORDS = new WordTable(["src", "dst", "persistent", "hash", "random"]);
const EXPECTED = "one of src, dst, persistent, hash, random";
const FLAG_ATTRIBUTES: readonly number[] = [
  OVS_NAT_ATTR_SRC,
  OVS_NAT_ATTR_DST,
  OVS_NAT_ATTR_PERSISTENT,
  OVS_NAT_ATTR_PROTO_HASH,
  OVS_NAT_ATTR_PROTO_RANDOM,
];
const HASH = 1 << 3;
const RANDOM = 1 << 4;
const SRC_OR_DST = 3;

/** The two addresses of the range being read. */
const ADDRESSES = new Uint8Array(32);

/** Reads the optional parentheses after `nat`. Writes the attributes in the kernel's order. */
export function parseNat(cursor: Cursor, writer: AttributeWriter, type: number): void {
  const mark = writer.nest(type);
  if (cursor.take(OPEN)) {
    parseWords(cursor, writer);
    cursor.expect(CLOSE, '")"');
  }
  writer.endNest(mark);
}

function parseWords(cursor: Cursor, writer: AttributeWriter): void {
  let seen = 0;
  cursor.skipSeparators();
  while (cursor.peek() !== CLOSE) {
    const at = cursor.position;
    if (cursor.word() === 0) cursor.fail(EXPECTED);
    const word = WORDS.find(cursor);
    if (word < 0) cursor.fail(EXPECTED, at, WORDS.nearest(cursor.wordText()));
    if ((seen & (1 << word)) !== 0) cursor.fail(`${WORDS.words[word]} only once`, at);
    seen |= 1 << word;
    if (word < 2) {
      if ((seen & SRC_OR_DST) === SRC_OR_DST) cursor.fail("src or dst, not both", at);
      writer.flag(FLAG_ATTRIBUTES[word]!);
      if (cursor.take(EQUALS)) parseRange(cursor, writer);
    } else if ((seen & (HASH | RANDOM)) === (HASH | RANDOM)) {
      cursor.fail("hash or random, not both", at);
    }
    cursor.endMember();
  }
  if (seen !== 0 && (seen & SRC_OR_DST) === 0) cursor.fail("src or dst as well");
  for (let word = 2; word < FLAG_ATTRIBUTES.length; word++)
    if ((seen & (1 << word)) !== 0) writer.flag(FLAG_ATTRIBUTES[word]!);
}

/** Reads `A[-B][:p[-q]]`; an IPv6 address is in brackets if a port follows. */
function parseRange(cursor: Cursor, writer: AttributeWriter): void {
  const start = cursor.position;
  if (cursor.peek() !== COLON || cursor.bytes[start + 1] === COLON) {
    const size = parseAddress(cursor, 0);
    let max = size;
    if (cursor.take(DASH)) {
      max = size;
      if (parseAddress(cursor, 16) !== size) cursor.fail("two addresses of one kind", start);
      const order = compareAddresses(size);
      if (order > 0) cursor.fail("a range that does not end before it starts", start);
      if (order === 0) max = 0;
    } else {
      max = 0;
    }
    writer.bytes(OVS_NAT_ATTR_IP_MIN, ADDRESSES, 0, size);
    if (max > 0) writer.bytes(OVS_NAT_ATTR_IP_MAX, ADDRESSES, 16, 16 + max);
  }
  if (!cursor.take(COLON)) return;
  const first = cursor.integer(0xffff, "a port from 0 to 65535");
  writer.u16(OVS_NAT_ATTR_PROTO_MIN, first);
  if (!cursor.take(DASH)) return;
  const at = cursor.position;
  const last = cursor.integer(0xffff, "a port from 0 to 65535");
  if (last < first) cursor.fail("a range that does not end before it starts", at);
  if (last > first) writer.u16(OVS_NAT_ATTR_PROTO_MAX, last);
}

/** Reads an address into ADDRESSES. @returns its size, 4 or 16. */
function parseAddress(cursor: Cursor, at: number): number {
  if (cursor.take(OPEN_BRACKET)) {
    cursor.ipv6(ADDRESSES, at);
    cursor.expect(CLOSE_BRACKET, '"]"');
    return 16;
  }
  for (let i = cursor.position; i < cursor.end; i++) {
    const byte = cursor.bytes[i]!;
    if (byte === DOT) break;
    if (byte === COLON) {
      cursor.ipv6(ADDRESSES, at);
      return 16;
    }
  }
  cursor.ipv4(ADDRESSES, at);
  return 4;
}

function compareAddresses(size: number): number {
  for (let i = 0; i < size; i++) {
    const difference = ADDRESSES[i]! - ADDRESSES[16 + i]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Prints the nested nat() of `start` to `end`. @returns false if no text gives these bytes. */
export function printNat(out: TextSink, bytes: Uint8Array, start: number, end: number): boolean {
  out.text("nat");
  if (start === end) return true;
  FOUND.fill(-1);
  let at = start;
  let last = 0;
  let addressSize = 0;
  for (let length = attributeLength(bytes, at, end); length > 0;) {
    const type = attributeType(bytes, at);
    // Text gives attributes in one order only.
    if (type <= last || type > OVS_NAT_ATTR_PROTO_RANDOM) return false;
    if (length - 4 !== payloadOf(type, length - 4)) return false;
    if (type === OVS_NAT_ATTR_IP_MIN) addressSize = length - 4;
    if (type === OVS_NAT_ATTR_IP_MAX && length - 4 !== addressSize) return false;
    FOUND[type] = at + 4;
    last = type;
    at = nextAttribute(at, length, end);
    length = attributeLength(bytes, at, end);
  }
  if (at !== end || !isReadable(bytes, addressSize)) return false;
  out.byte(OPEN);
  out.text(FOUND[OVS_NAT_ATTR_SRC]! >= 0 ? "src" : "dst");
  printRange(out, bytes, addressSize);
  for (let word = 2; word < FLAG_ATTRIBUTES.length; word++) {
    if (FOUND[FLAG_ATTRIBUTES[word]!]! < 0) continue;
    out.byte(COMMA);
    out.text(WORDS.words[word]!);
  }
  out.byte(CLOSE);
  return true;
}

/** The payload that an attribute of nat() must have. */
function payloadOf(type: number, length: number): number {
  if (type === OVS_NAT_ATTR_IP_MIN || type === OVS_NAT_ATTR_IP_MAX) return length === 4 ? 4 : 16;
  return type === OVS_NAT_ATTR_PROTO_MIN || type === OVS_NAT_ATTR_PROTO_MAX ? 2 : 0;
}

/** Whether the attributes found are a combination that {@link parseNat} makes. */
function isReadable(bytes: Uint8Array, addressSize: number): boolean {
  if (FOUND[OVS_NAT_ATTR_SRC]! < 0 === FOUND[OVS_NAT_ATTR_DST]! < 0) return false;
  if (FOUND[OVS_NAT_ATTR_PROTO_HASH]! >= 0 && FOUND[OVS_NAT_ATTR_PROTO_RANDOM]! >= 0) return false;
  const addressMax = FOUND[OVS_NAT_ATTR_IP_MAX]!;
  if (addressMax >= 0) {
    if (addressSize === 0) return false;
    const addressMin = FOUND[OVS_NAT_ATTR_IP_MIN]!;
    for (let i = 0; i < addressSize; i++) {
      ADDRESSES[i] = bytes[addressMin + i]!;
      ADDRESSES[16 + i] = bytes[addressMax + i]!;
    }
    if (compareAddresses(addressSize) >= 0) return false;
  }
  const protoMax = FOUND[OVS_NAT_ATTR_PROTO_MAX]!;
  const protoMin = FOUND[OVS_NAT_ATTR_PROTO_MIN]!;
  return protoMax < 0 || (protoMin >= 0 && u16At(bytes, protoMax) > u16At(bytes, protoMin));
}

function printRange(out: TextSink, bytes: Uint8Array, addressSize: number): void {
  const protoMin = FOUND[OVS_NAT_ATTR_PROTO_MIN]!;
  if (addressSize > 0 || protoMin >= 0) out.byte(EQUALS);
  if (addressSize > 0) {
    const bracket = protoMin >= 0;
    printAddress(out, bytes, FOUND[OVS_NAT_ATTR_IP_MIN]!, addressSize, bracket);
    if (FOUND[OVS_NAT_ATTR_IP_MAX]! >= 0) {
      out.byte(DASH);
      printAddress(out, bytes, FOUND[OVS_NAT_ATTR_IP_MAX]!, addressSize, bracket);
    }
  }
  if (protoMin < 0) return;
  out.byte(COLON);
  out.dec(u16At(bytes, protoMin));
  if (FOUND[OVS_NAT_ATTR_PROTO_MAX]! < 0) return;
  out.byte(DASH);
  out.dec(u16At(bytes, FOUND[OVS_NAT_ATTR_PROTO_MAX]!));
}

function printAddress(
  out: TextSink,
  bytes: Uint8Array,
  at: number,
  size: number,
  bracket: boolean,
): void {
  if (size === 4) {
    out.ipv4(bytes, at);
    return;
  }
  if (bracket) out.byte(OPEN_BRACKET);
  out.ipv6(bytes, at);
  if (bracket) out.byte(CLOSE_BRACKET);
}

/** Offset of the payload of each attribute of the nat() being printed, or -1. */
const FOUND = new Int32Array(OVS_NAT_ATTR_PROTO_RANDOM + 1);
