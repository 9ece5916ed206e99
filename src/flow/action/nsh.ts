import { type AttributeWriter, NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { align } from "../../netlink/align.ts";
import * as uapi from "../../uapi/openvswitch.ts";
import type { Cursor } from "../text/cursor.ts";
import { be32, u8 } from "../text/field.ts";
import { FieldSet } from "../text/field-set.ts";
import type { TextSink } from "../text/sink.ts";
import { attributeLength, attributeType, nextAttribute } from "./attributes.ts";
import { isZero } from "../bytes.ts";
import { parseHexBytes } from "./value.ts";
import { CLOSE, OPEN } from "../text/ascii.ts";

/** `struct ovs_nsh_key_base`, followed by `struct ovs_nsh_key_md1`. */
const BASE_SIZE = 8;
const MD1_SIZE = 16;

/** The kinds of metadata, `NSH_M_TYPE1` and `NSH_M_TYPE2` (linux/nsh.h). */
const MDTYPE_1 = 1;
const MDTYPE_2 = 2;

/** Offset of the kind in the base. */
const MDTYPE_AT = 2;

/** Most bytes of metadata (`NSH_CTX_HDRS_MAX_LEN`). */
export const MD2_MAX = 244;

const BASE = [
  u8("flags", 0, { about: "NSH flags", initial: 0 }),
  u8("ttl", 1, { about: "time to live", initial: 63 }),
  u8("mdtype", MDTYPE_AT, { about: "kind of metadata: 1 or 2", initial: MDTYPE_1 }),
  u8("np", 3, {
    about: "next protocol: 1 IPv4, 2 IPv6, 3 Ethernet, 4 NSH, 5 MPLS",
    initial: 3,
  }),
  be32("spi", 4, { about: "service path", shift: 8, bits: 24, radix: "0xhex", initial: 0 }),
  be32("si", 4, { about: "service index", bits: 8, initial: 255 }),
];

/**
 * The fields of push_nsh. Metadata of type 2, `md2=0x…`, is not a field, since its length varies.
 */
export const NSH_FIELDS: FieldSet = new FieldSet([
  ...BASE,
  ...[1, 2, 3, 4].map((n) =>
    be32(`c${n}`, BASE_SIZE + (n - 1) * 4, {
      about: `context ${n} (mdtype 1)`,
      radix: "0xhex",
      initial: 0,
    }),
  ),
]);

const BASE_FIELDS = new FieldSet(BASE);
const MD2 = new TextEncoder().encode("md2=");

/** Reads `(flags=…,…)` into PUSH_NSH { NSH { BASE, MD1 or MD2 } }. */
export function parsePushNsh(cursor: Cursor, writer: AttributeWriter): void {
  const start = cursor.position;
  cursor.expect(OPEN, '"("');
  HEADER.fill(0);
  let seen = 0;
  let md2 = -1;
  cursor.skipSeparators();
  while (cursor.peek() !== CLOSE) {
    if (md2 < 0 && cursor.takeWord(MD2)) {
      md2 = cursor.position;
      cursor.position = cursor.tokenEnd();
    } else {
      seen |= NSH_FIELDS.parseNext(cursor, HEADER, 0, undefined, seen);
    }
    cursor.endMember();
  }
  NSH_FIELDS.fill(cursor, HEADER, 0, seen);
  const mdtype = HEADER[MDTYPE_AT];
  const context = !isZero(HEADER, BASE_SIZE, MD1_SIZE);
  if (mdtype !== MDTYPE_1 && mdtype !== MDTYPE_2) cursor.fail("mdtype=1 or mdtype=2", start);
  if (mdtype === MDTYPE_1 && md2 >= 0) cursor.fail("mdtype=2 with md2=", md2);
  if (mdtype === MDTYPE_2 && context) cursor.fail("mdtype=1 with c1= to c4=", start);

  const outer = writer.nest(uapi.OVS_ACTION_ATTR_PUSH_NSH);
  const inner = writer.nest(uapi.OVS_KEY_ATTR_NSH);
  writer.bytes(uapi.OVS_NSH_KEY_ATTR_BASE, HEADER, 0, BASE_SIZE);
  if (mdtype === MDTYPE_1) {
    writer.bytes(uapi.OVS_NSH_KEY_ATTR_MD1, HEADER, BASE_SIZE, BASE_SIZE + MD1_SIZE);
  } else if (md2 >= 0) {
    const after = cursor.position;
    cursor.position = md2;
    parseHexBytes(cursor, writer, uapi.OVS_NSH_KEY_ATTR_MD2, MD2_MAX, 4);
    cursor.position = after;
  }
  writer.endNest(inner);
  writer.endNest(outer);
  cursor.expect(CLOSE, '")"');
}

/** Prints the nest of push_nsh. @returns false if no text gives these bytes. */
export function printPushNsh(
  out: TextSink,
  bytes: Uint8Array,
  start: number,
  end: number,
): boolean {
  const length = attributeLength(bytes, start, end);
  if (length === 0 || nextAttribute(start, length, end) !== end) return false;
  if (attributeType(bytes, start) !== uapi.OVS_KEY_ATTR_NSH) return false;
  const base = start + NLA_HEADER;
  const inner = start + length;
  const baseLength = attributeLength(bytes, base, inner);
  if (baseLength !== NLA_HEADER + BASE_SIZE) return false;
  if (attributeType(bytes, base) !== uapi.OVS_NSH_KEY_ATTR_BASE) return false;
  const metadata = base + baseLength;
  const metadataLength = attributeLength(bytes, metadata, inner);
  if (metadata !== inner && metadata + align(metadataLength) !== inner) return false;
  HEADER.fill(0);
  for (let i = 0; i < BASE_SIZE; i++) HEADER[i] = bytes[base + NLA_HEADER + i]!;
  const type = metadata === inner ? 0 : attributeType(bytes, metadata);
  const size = metadataLength - NLA_HEADER;
  const at = metadata + NLA_HEADER;

  if (HEADER[MDTYPE_AT] === MDTYPE_1) {
    if (type !== uapi.OVS_NSH_KEY_ATTR_MD1 || size !== MD1_SIZE) return false;
    for (let i = 0; i < MD1_SIZE; i++) HEADER[BASE_SIZE + i] = bytes[at + i]!;
    out.byte(OPEN);
    NSH_FIELDS.printValues(out, HEADER, 0, undefined);
  } else {
    const none = metadata === inner;
    const md2 =
      type === uapi.OVS_NSH_KEY_ATTR_MD2 && size > 0 && size <= MD2_MAX && (size & 3) === 0;
    if (HEADER[MDTYPE_AT] !== MDTYPE_2 || !(none || md2)) return false;
    out.byte(OPEN);
    BASE_FIELDS.printValues(out, HEADER, 0, undefined);
    if (md2) {
      out.text(",md2=0x");
      out.hexBytes(bytes, at, at + size);
    }
  }
  out.byte(CLOSE);
  return true;
}

const HEADER = new Uint8Array(BASE_SIZE + MD1_SIZE);
