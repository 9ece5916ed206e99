import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { type PortNames, printPort } from "../ports.ts";
import type { TextSink } from "../text/sink.ts";
import { attributeLength, attributeType, findAttribute, nextAttribute } from "./attributes.ts";
import { u16At, u32At } from "../bytes.ts";
import { COOKIE_SIZE, cookieFormOf, printCookie } from "./cookie.ts";
import type { Member, Members } from "./member.ts";
import { printNat } from "./nat.ts";
import { printPercent } from "./percent.ts";
import { isName, isNoMask, printLabels } from "./value.ts";
import { CLOSE, COMMA, EQUALS, OPEN, SLASH } from "../text/ascii.ts";

/** The source and the sink of printing, the same for all lists and nests of one flow. */
export type Printing = {
  readonly out: TextSink;
  readonly bytes: Uint8Array;
  readonly ports: PortNames | undefined;
  /** Prints a list of actions inside an action. @returns false if the bytes are not a list */
  readonly list: (printing: Printing, start: number, end: number, depth: number) => boolean;
};

/**
 * Prints the members of a nest, in parentheses, in the order of the table.
 * @returns false if {@link parseNest} does not make these bytes; then `out` holds a part of the
 * text.
 */
export function printNest(
  printing: Printing,
  set: Members,
  start: number,
  end: number,
  depth: number,
): boolean {
  const { out, bytes } = printing;
  if (!isReadable(bytes, start, end, set)) return false;
  const begin = out.length;
  out.byte(OPEN);
  for (const member of set.members) {
    const at = findAttribute(bytes, start, end, member.attribute);
    if (member.kind === "none" ? at >= 0 : at < 0) continue;
    const length = at < 0 ? 0 : attributeLength(bytes, at, end);
    if (member.kind !== "none" && !isForm(bytes, at, length, member)) continue;
    const payload = at + NLA_HEADER;
    if (member.zeroIsNone && u16At(bytes, payload) === 0) continue;
    if (out.length > begin + 1) out.byte(COMMA);
    if (!printMember(printing, member, payload, at + length, depth)) return false;
  }
  if (set.bare && out.length === begin + 1) out.truncate(begin);
  else out.byte(CLOSE);
  return true;
}

/**
 * Whether every attribute is known, occurs once and has the right size, and every required one is
 * present.
 */
function isReadable(bytes: Uint8Array, start: number, end: number, set: Members): boolean {
  let seen = 0;
  let at = start;
  while (at < end) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) return false;
    const type = attributeType(bytes, at);
    if (type > 31 || (seen & (1 << type)) !== 0) return false;
    seen |= 1 << type;
    if (
      !set.members.some((member) => member.attribute === type && isForm(bytes, at, length, member))
    )
      return false;
    at = nextAttribute(at, length, end);
  }
  if (set.exclusive.length > 0 && set.exclusive.every((type) => (seen & (1 << type)) !== 0))
    return false;
  return set.members.every((member) => !member.required || (seen & (1 << member.attribute)) !== 0);
}

/** Whether the member's text gives the attribute at `at`. */
function isForm(bytes: Uint8Array, at: number, length: number, member: Member): boolean {
  const payload = at + NLA_HEADER;
  const size = length - NLA_HEADER;
  switch (member.kind) {
    case "none":
      return false;
    case "flag":
      return size === 0;
    case "u16":
      return size === 2;
    case "u32":
    case "port":
    case "percent":
      return size === 4;
    case "hex":
      return size > 0 && size <= member.max;
    case "userdata":
      return size >= 8 && !(size === COOKIE_SIZE && cookieFormOf(bytes, payload) !== undefined);
    case "exact":
      return size < 8;
    case "cookie":
      return size === COOKIE_SIZE && cookieFormOf(bytes, payload) === member.cookie;
    case "name":
      return isName(bytes, payload, size, member.max);
    case "mark":
      return size === 8 && !isNoMask(bytes, payload, 4);
    case "labels":
      return size === 32 && !isNoMask(bytes, payload, 16);
    default:
      // A list or nat() is checked when it is printed.
      return true;
  }
}

function printMember(
  printing: Printing,
  member: Member,
  at: number,
  end: number,
  depth: number,
): boolean {
  const { out, bytes, ports } = printing;
  if (member.kind === "nat") return printNat(out, bytes, at, end);
  out.text(member.name);
  switch (member.kind) {
    case "flag":
    case "none":
      return true;
    case "actions":
    case "cookie":
    case "userdata":
    case "exact": {
      out.byte(OPEN);
      let fine = true;
      if (member.kind === "actions") fine = printing.list(printing, at, end, depth);
      else if (member.cookie === undefined) out.hexBytes(bytes, at, end);
      else printCookie(out, member.cookie, bytes, at, ports);
      out.byte(CLOSE);
      return fine;
    }
    default:
      out.byte(EQUALS);
      printMemberValue(printing, member, at, end);
      return true;
  }
}

function printMemberValue(
  { out, bytes, ports }: Printing,
  member: Member,
  at: number,
  end: number,
): void {
  switch (member.kind) {
    case "u16":
      out.dec(u16At(bytes, at));
      return;
    case "u32":
      if (member.hex) out.hex(u32At(bytes, at));
      else out.dec(u32At(bytes, at));
      return;
    case "port":
      printPort(out, u32At(bytes, at), ports);
      return;
    case "percent":
      printPercent(out, u32At(bytes, at));
      out.byte(0x25);
      return;
    case "hex":
      out.text("0x");
      out.hexBytes(bytes, at, end);
      return;
    case "name":
      out.copy(bytes, at, end - 1);
      return;
    case "mark":
      out.hex(u32At(bytes, at));
      out.byte(SLASH);
      out.hex(u32At(bytes, at + 4));
      return;
    default:
      printLabels(out, bytes, at);
  }
}
