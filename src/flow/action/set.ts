import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import {
  OVS_ACTION_ATTR_SET,
  OVS_ACTION_ATTR_SET_MASKED,
  OVS_NSH_KEY_ATTR_BASE,
  OVS_NSH_KEY_ATTR_MD1,
} from "../../uapi/openvswitch.ts";
import { writeAttribute } from "../key/encode.ts";
import { SLOT_UNKNOWN } from "../key/levels.ts";
import { parseKeyAttribute } from "../key/parse.ts";
import { KeyRecord, keyOffset, maskOffset } from "../key/record.ts";
import { isTunnelExact } from "../key/tunnel-exact.ts";
import { SLOT_ENCAP, SLOT_MPLS, SLOT_NSH, SLOT_TUNNEL } from "../key/slots.ts";
import { SIZE_OF_SLOT, TYPE_OF_SLOT } from "../key/table.ts";
import type { PortNames } from "../ports.ts";
import type { Cursor } from "../text/cursor.ts";
import { failUserspaceOnly } from "../userspace-only.ts";
import { SLASH } from "../text/ascii.ts";

/** Bytes of `struct ovs_nsh_key_base`; `struct ovs_nsh_key_md1` follows it in a record. */
const NSH_BASE_SIZE = 8;

/**
 * Reads the key in the parentheses of set() and writes the action: SET if the text gives all bits,
 * otherwise SET_MASKED, with value & mask and then the mask.
 */
export function parseSet(
  cursor: Cursor,
  writer: AttributeWriter,
  ports: PortNames | undefined,
): void {
  const start = cursor.position;
  RECORD.clear();
  const slot = parseKeyAttribute(cursor, RECORD, ports);
  const [word] = RECORD.userspace;
  if (word !== undefined) failUserspaceOnly(cursor, word.name, word.kind, word.at);
  if (slot === SLOT_TUNNEL && !isTunnelExact(RECORD)) {
    cursor.fail("no masks: set(tunnel(…)) writes whole fields", maskAt(cursor, start));
  }
  if (slot === SLOT_ENCAP && RECORD.count[1] !== 0) cursor.fail("nothing in encap()", start);
  writeSet(RECORD, slot, writer);
}

/**
 * The offset of the first mask in the key just read, which begins at `start`; signed flags imply a
 * mask.
 */
function maskAt(cursor: Cursor, start: number): number {
  const slash = cursor.bytes.indexOf(SLASH, start);
  return slash >= 0 && slash < cursor.position ? slash : start;
}

/** Writes SET or SET_MASKED of the one attribute of a record. */
export function writeSet(record: KeyRecord, slot: number, writer: AttributeWriter): void {
  const masked = !isExact(record, slot);
  const mark = writer.nest(masked ? OVS_ACTION_ATTR_SET_MASKED : OVS_ACTION_ATTR_SET);
  if (slot === SLOT_TUNNEL || (slot === SLOT_NSH && !masked)) {
    writeAttribute(record, 0, slot, false, writer);
  } else if (slot === SLOT_NSH) {
    writeMaskedNsh(record, writer);
  } else if (slot === SLOT_UNKNOWN) {
    const unknown = record.unknown[0];
    if (unknown !== undefined) {
      const bytes = Buffer.concat([unknown.key, unknown.mask]);
      const size = unknown.key.length;
      writePair(unknown.type, { bytes, key: 0, mask: size, size, masked }, writer);
    }
  } else {
    const size = slot === SLOT_MPLS ? record.mplsEntries[0]! * 4 : SIZE_OF_SLOT[slot]!;
    const key = keyOffset(0, slot);
    const mask = maskOffset(0, slot);
    writePair(TYPE_OF_SLOT[slot]!, { bytes: record.bytes, key, mask, size, masked }, writer);
  }
  writer.endNest(mark);
}

/** Whether every bit of the attribute is written, as is always the case for a tunnel. */
export function isExact(record: KeyRecord, slot: number): boolean {
  if (slot === SLOT_TUNNEL || slot === SLOT_ENCAP) return true;
  if (slot === SLOT_UNKNOWN) return record.unknown[0]?.mask.every((byte) => byte === 0xff) ?? true;
  EXACT.clear().add(0, slot);
  EXACT.mplsEntries[0] = record.mplsEntries[0]!;
  EXACT.setExact(0, slot);
  const at = maskOffset(0, slot);
  for (let i = at; i < at + SIZE_OF_SLOT[slot]!; i++)
    if (record.bytes[i] !== EXACT.bytes[i]) return false;
  return true;
}

/** A value and its mask, each of `size` bytes. */
type Pair = {
  readonly bytes: Uint8Array;
  readonly key: number;
  readonly mask: number;
  readonly size: number;
  /** Whether the mask is written as well. */
  readonly masked: boolean;
};

/** Writes one attribute: the value, or value & mask followed by the mask. */
function writePair(
  type: number,
  { bytes, key, mask, size, masked }: Pair,
  writer: AttributeWriter,
): void {
  const at = writer.reserve(type, masked ? size * 2 : size);
  if (at < 0) return;
  const out = writer.memory.u8;
  for (let i = 0; i < size; i++) {
    out[at + i] = bytes[key + i]! & bytes[mask + i]!;
    if (masked) out[at + size + i] = bytes[mask + i]!;
  }
}

/** Writes NSH. Its parts are separate attributes, each a value followed by its mask. */
function writeMaskedNsh(record: KeyRecord, writer: AttributeWriter): void {
  const key = keyOffset(0, SLOT_NSH);
  const mask = maskOffset(0, SLOT_NSH);
  const size = SIZE_OF_SLOT[SLOT_NSH]! - NSH_BASE_SIZE;
  const nsh = writer.nest(TYPE_OF_SLOT[SLOT_NSH]!);
  const { bytes } = record;
  const base = { bytes, key, mask, size: NSH_BASE_SIZE, masked: true };
  const context = { ...base, key: key + NSH_BASE_SIZE, mask: mask + NSH_BASE_SIZE, size };
  writePair(OVS_NSH_KEY_ATTR_BASE, base, writer);
  writePair(OVS_NSH_KEY_ATTR_MD1, context, writer);
  writer.endNest(nsh);
}

/** The key being read, and its exact mask. */
const RECORD = new KeyRecord();
const EXACT = new KeyRecord();
