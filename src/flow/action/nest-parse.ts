import {
  type AttributeWriter,
  NLA_HEADER,
  NLA_PAYLOAD_MAX,
} from "../../netlink/attribute-writer.ts";
import type { PortNames } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import { parsePort, PORT_MAX } from "../text/port.ts";
import { attributeLength, attributeType, nextAttribute } from "./attributes.ts";
import { COOKIE_SIZE, parseCookie } from "./cookie.ts";
import { type Member, type Members, memberText } from "./member.ts";
import { parseNat } from "./nat.ts";
import { parsePercent } from "./percent.ts";
import {
  isNoMask,
  parseBytes,
  parseHex32,
  parseHexBytes,
  parseLabels,
  parseName,
} from "./value.ts";
import { CLOSE, EQUALS, OPEN, SLASH } from "../text/ascii.ts";
import { NLA_F_NESTED } from "../../uapi/netlink.ts";

/** Reads a list of actions up to the closing parenthesis, which it does not skip. */
type ListParser = (cursor: Cursor, writer: AttributeWriter, ports: PortNames | undefined) => void;

/**
 * Reads the optional members after the name of a nested action, in any order, into the nest `type`.
 */
export function parseNest(
  cursor: Cursor,
  writer: AttributeWriter,
  type: number,
  set: Members,
  ports: PortNames | undefined,
  parseList: ListParser,
): void {
  const start = cursor.position;
  const mark = writer.nest(set.flagged ? type | NLA_F_NESTED : type);
  let seen = 0;
  if (cursor.take(OPEN)) {
    seen = parseMembers(cursor, writer, set, ports, parseList);
    cursor.expect(CLOSE, '")"');
  } else if (!set.bare) {
    cursor.fail('"("');
  }
  for (let i = 0; i < set.members.length; i++) {
    const member = set.members[i]!;
    if (member.required && (seen & (1 << i)) === 0)
      cursor.fail(`${memberText(member)} as well`, start);
  }
  if (set.fill !== undefined && !set.hasAny(seen, set.fill.attribute)) {
    const at = writer.reserve(set.fill.attribute, set.fill.size);
    if (at >= 0) writer.memory.u8.fill(0, at, at + set.fill.size);
  }
  closeNest(cursor, writer, mark, start);
  if (!writer.failed) sortNest(writer, mark, set.order);
}

/** Closes a nest; one too long for an attribute is an error at `start`. */
export function closeNest(
  cursor: Cursor,
  writer: AttributeWriter,
  mark: number,
  start: number,
): void {
  if (!writer.failed && writer.position - mark - NLA_HEADER > NLA_PAYLOAD_MAX)
    cursor.fail("fewer actions: an attribute holds 65,531 bytes", start);
  writer.endNest(mark);
}

/** @returns a bit for each member read */
function parseMembers(
  cursor: Cursor,
  writer: AttributeWriter,
  set: Members,
  ports: PortNames | undefined,
  parseList: ListParser,
): number {
  let seen = 0;
  let attributes = 0;
  cursor.skipSeparators();
  while (cursor.peek() !== CLOSE) {
    const at = cursor.position;
    if (cursor.word() === 0) cursor.fail(`one of ${set.names}`);
    const index = set.words.find(cursor);
    if (index < 0) cursor.fail(`one of ${set.names}`, at, set.words.nearest(cursor.wordText()));
    const member = set.members[index]!;
    if ((seen & (1 << index)) !== 0) cursor.fail(`${member.name} only once`, at);
    if ((attributes & (1 << member.attribute)) !== 0)
      cursor.fail(`only one of ${namesOf(set, member.attribute)}`, at);
    seen |= 1 << index;
    attributes |= 1 << member.attribute;
    if (set.exclusive.length > 0 && set.exclusive.every((type) => (attributes & (1 << type)) !== 0))
      cursor.fail(`only one of ${set.exclusive.map((type) => namesOf(set, type)).join(", ")}`, at);
    parseMember(cursor, writer, member, ports, parseList);
    cursor.endMember();
  }
  return seen;
}

function parseMember(
  cursor: Cursor,
  writer: AttributeWriter,
  member: Member,
  ports: PortNames | undefined,
  parseList: ListParser,
): void {
  switch (member.kind) {
    case "none":
      return;
    case "flag":
      writer.flag(member.attribute);
      return;
    case "nat":
      parseNat(cursor, writer, member.attribute);
      return;
    case "actions":
    case "cookie":
    case "userdata":
    case "exact":
      parseGroup(cursor, writer, member, ports, parseList);
      return;
    default:
      cursor.expect(EQUALS, memberText(member));
      parseMemberValue(cursor, writer, member, ports);
  }
}

/** Reads the parentheses after a member's name. */
function parseGroup(
  cursor: Cursor,
  writer: AttributeWriter,
  member: Member,
  ports: PortNames | undefined,
  parseList: ListParser,
): void {
  const start = cursor.position;
  cursor.expect(OPEN, memberText(member));
  if (member.kind === "actions") {
    const mark = writer.nest(member.attribute);
    cursor.enter();
    parseList(cursor, writer, ports);
    cursor.leave();
    closeNest(cursor, writer, mark, start);
  } else if (member.cookie === undefined) {
    parseBytes(cursor, writer, member.attribute, member.kind === "userdata");
  } else {
    const at = writer.reserve(member.attribute, COOKIE_SIZE);
    // If there is no room, the text is still read, into bytes that are never used.
    const bytes = at < 0 ? UNWRITTEN : writer.memory.u8;
    bytes.fill(0, Math.max(at, 0), Math.max(at, 0) + COOKIE_SIZE);
    parseCookie(cursor, member.cookie, bytes, Math.max(at, 0), ports);
  }
  cursor.expect(CLOSE, '")"');
}

function parseMemberValue(
  cursor: Cursor,
  writer: AttributeWriter,
  member: Member,
  ports: PortNames | undefined,
): void {
  switch (member.kind) {
    case "u16": {
      const value = cursor.integer(0xffff, `${member.name} from 0 to 65535`);
      if (value !== 0 || !member.zeroIsNone) writer.u16(member.attribute, value);
      return;
    }
    case "u32":
      writer.u32(member.attribute, cursor.integer(0xffff_ffff, `${member.name} of 32 bits`));
      return;
    case "port":
      writer.u32(member.attribute, parsePort(cursor, PORT_MAX, ports));
      return;
    case "percent":
      writer.u32(member.attribute, parsePercent(cursor));
      cursor.expect(0x25, '"%"');
      return;
    case "hex":
      parseHexBytes(cursor, writer, member.attribute, member.max, 1);
      return;
    case "name":
      parseName(cursor, writer, member.attribute, member.max);
      return;
    default:
      parseMasked(cursor, writer, member);
  }
}

/**
 * Reads a mark or labels with a mask. A mask of zero sets nothing, and OVS leaves the attribute
 * out.
 */
function parseMasked(cursor: Cursor, writer: AttributeWriter, member: Member): void {
  const size = member.kind === "mark" ? 4 : 16;
  if (member.kind === "mark") {
    const value = parseHex32(cursor);
    const mask = cursor.take(SLASH) ? parseHex32(cursor) : 0xffff_ffff;
    for (let i = 0; i < 4; i++) {
      MASKED[i] = value >>> (8 * i);
      MASKED[4 + i] = mask >>> (8 * i);
    }
  } else {
    parseLabels(cursor, MASKED, 0);
  }
  if (!isNoMask(MASKED, 0, size)) writer.bytes(member.attribute, MASKED, 0, 2 * size);
}

/**
 * Sorts the attributes of the nest at `mark` into the kernel's order, so that equal actions have
 * equal bytes.
 */
function sortNest(writer: AttributeWriter, mark: number, order: readonly number[]): void {
  const bytes = writer.memory.u8;
  const start = mark + NLA_HEADER;
  const end = writer.position;
  let last = -1;
  let sorted = true;
  for (let at = start; at < end;) {
    const rank = order.indexOf(attributeType(bytes, at));
    if (rank < last) sorted = false;
    last = rank;
    at = nextAttribute(at, attributeLength(bytes, at, end), end);
  }
  if (sorted) return;
  const copy = bytes.slice(start, end);
  let to = start;
  for (const type of order) {
    for (let at = 0; at < copy.length;) {
      const next = nextAttribute(at, attributeLength(copy, at, copy.length), copy.length);
      if (attributeType(copy, at) === type) {
        bytes.set(copy.subarray(at, next), to);
        to += next - at;
      }
      at = next;
    }
  }
}

function namesOf(set: Members, attribute: number): string {
  const members = set.members.filter((member) => member.attribute === attribute);
  return members.map((member) => member.name).join(", ");
}

const MASKED = new Uint8Array(32);
const UNWRITTEN = new Uint8Array(COOKIE_SIZE);
