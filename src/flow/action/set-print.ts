import { AttributeWriter, NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { PinnedMemory } from "../../sys/memory.ts";
import * as uapi from "../../uapi/openvswitch.ts";
import { decodeKey, NO_MASK } from "../key/decode.ts";
import { SLOT_UNKNOWN } from "../key/levels.ts";
import { printKeyAttribute } from "../key/print.ts";
import { KeyRecord, keyOffset, maskOffset } from "../key/record.ts";
import { SLOT_ENCAP, SLOT_IN_PORT, SLOT_TUNNEL } from "../key/slots.ts";
import { KEY_BY_SLOT } from "../key/table.ts";
import * as T from "../key/tunnel-fields.ts";
import type { PortNames } from "../ports.ts";
import type { TextSink } from "../text/sink.ts";
import { attributeLength, attributeType, nextAttribute } from "./attributes.ts";
import { u32At } from "../bytes.ts";
import { isExact, writeSet } from "./set.ts";
import { CLOSE } from "../text/ascii.ts";

/** The longest payload that is handled; a tunnel with all of its options is shorter. */
const PAYLOAD_MAX = 512;

/**
 * Prints SET or SET_MASKED, `start` to `end`, as `set(KEY)`. Like OVS, prints SET_MASKED with all
 * bits as SET: to the kernel they are the same.
 * @returns false if the text does not read back to these bytes
 */
export function printSet(
  out: TextSink,
  bytes: Uint8Array,
  start: number,
  end: number,
  type: number,
  ports: PortNames | undefined,
): boolean {
  const length = attributeLength(bytes, start, end);
  if (length > 0 && attributeType(bytes, start) === uapi.OVS_KEY_ATTR_TUNNEL) {
    const packed = withoutPadding(bytes, start, start + length);
    if (packed !== undefined) return printSet(out, packed, 0, packed.length, type, ports);
  }
  if (length === 0 || nextAttribute(start, length, end) !== end || end - start > PAYLOAD_MAX)
    return false;
  const masked = type === uapi.OVS_ACTION_ATTR_SET_MASKED;
  if (!(masked ? decodeMasked(bytes, start, length) : decodeWhole(bytes, start, end))) return false;
  const slot = RECORD.order[0]!;
  if (RECORD.count[0] !== 1 || slot === SLOT_UNKNOWN) return false;
  // The parser refuses keys that no kernel sets.
  if (KEY_BY_SLOT[slot]?.where === "userspace") return false;
  // Text has 16-bit ports; no kernel writes a longer one.
  if (slot === SLOT_IN_PORT && u32At(RECORD.bytes, keyOffset(0, slot)) > 0xffff) return false;
  if (!comesBack(bytes, start, end, slot, masked)) return false;
  out.text("set(");
  printKeyAttribute(RECORD, 0, slot, out, { verbose: !masked, ports });
  out.byte(CLOSE);
  return true;
}

/**
 * A tunnel without the empty attributes with which some kernels align the id (`nla_put_be64`);
 * undefined if there are none.
 */
function withoutPadding(bytes: Uint8Array, start: number, end: number): Uint8Array | undefined {
  const packed = bytes.slice(start, end);
  let size = NLA_HEADER;
  for (let at = NLA_HEADER; at < packed.length;) {
    const length = attributeLength(packed, at, packed.length);
    if (length === 0) return undefined;
    const next = nextAttribute(at, length, packed.length);
    const padding =
      length === NLA_HEADER && attributeType(packed, at) === uapi.OVS_TUNNEL_KEY_ATTR_PAD;
    if (!padding) {
      packed.copyWithin(size, at, next);
      size += next - at;
    }
    at = next;
  }
  if (size === packed.length) return undefined;
  packed[0] = size & 0xff;
  packed[1] = size >> 8;
  return packed.subarray(0, size);
}

/** Decodes the attribute of SET as a key with every bit matched. */
function decodeWhole(bytes: Uint8Array, start: number, end: number): boolean {
  const type = attributeType(bytes, start);
  if (type === uapi.OVS_KEY_ATTR_ENCAP && end - start > NLA_HEADER) return false;
  if (type !== uapi.OVS_KEY_ATTR_TUNNEL) return decodeKey(bytes, start, end, NO_MASK, 0, RECORD);
  // Only the present parts of a tunnel are written: its mask has the same attributes, all ones.
  const size = end - start;
  for (let i = 0; i < size; i++) {
    WORK[i] = bytes[start + i]!;
    WORK[size + i] = bytes[start + i]!;
  }
  fillOnes(size + NLA_HEADER, size * 2);
  if (!decodeKey(WORK, 0, size, size, size * 2, RECORD)) return false;
  RECORD.bytes[maskOffset(0, SLOT_TUNNEL) + T.TUNNEL_FLAGS] = T.TUNNEL_F_FULL;
  const present = (keyOffset(0, SLOT_TUNNEL) + T.TUNNEL_PRESENT) >> 2;
  RECORD.words[present] = RECORD.words[present]! | T.TUNNEL_PLAIN_FLAGS;
  return true;
}

/** Sets the payloads of WORK's attributes between `start` and `end` to ones. */
function fillOnes(start: number, end: number): void {
  for (let at = start; at < end;) {
    const length = attributeLength(WORK, at, end);
    if (length === 0) return;
    if (attributeType(WORK, at) === uapi.OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS)
      fillOnes(at + NLA_HEADER, at + length);
    else WORK.fill(0xff, at + NLA_HEADER, at + length);
    at = nextAttribute(at, length, end);
  }
}

/**
 * Decodes the attribute of SET_MASKED: the value followed by the mask; for NSH, in each of its
 * parts.
 */
function decodeMasked(bytes: Uint8Array, start: number, length: number): boolean {
  WRITER.reset(0, WORK_HALF);
  const type = attributeType(bytes, start);
  const payload = start + NLA_HEADER;
  const nsh = type === uapi.OVS_KEY_ATTR_NSH;
  if (!copyHalf(bytes, payload, start + length, type, nsh, 0)) return false;
  const size = WRITER.position;
  if (!copyHalf(bytes, payload, start + length, type, nsh, 1)) return false;
  const twice = WRITER.position;
  return !WRITER.failed && decodeKey(WRITER.memory.u8, 0, size, size, twice, RECORD);
}

/** Writes the values (half 0) or the masks (half 1) of an attribute as a separate attribute. */
function copyHalf(
  bytes: Uint8Array,
  start: number,
  end: number,
  type: number,
  nest: boolean,
  half: number,
): boolean {
  const size = (end - start) >> 1;
  if (!nest) {
    if (((end - start) & 1) !== 0) return false;
    WRITER.bytes(type, bytes, start + size * half, start + size * (half + 1));
    return true;
  }
  const mark = WRITER.nest(type);
  for (let at = start; at < end;) {
    const length = attributeLength(bytes, at, end);
    if (length === 0) return false;
    const part = attributeType(bytes, at);
    if (part !== uapi.OVS_NSH_KEY_ATTR_BASE && part !== uapi.OVS_NSH_KEY_ATTR_MD1) return false;
    if (!copyHalf(bytes, at + NLA_HEADER, at + length, part, false, half)) return false;
    at = nextAttribute(at, length, end);
  }
  WRITER.endNest(mark);
  return true;
}

/** Whether writing the record gives the action that was read. */
function comesBack(
  bytes: Uint8Array,
  start: number,
  end: number,
  slot: number,
  masked: boolean,
): boolean {
  // These are never masked.
  if (masked && (slot === SLOT_TUNNEL || slot === SLOT_ENCAP)) return false;
  // SET_MASKED with all bits: dropping the mask loses nothing.
  if (masked && isExact(RECORD, slot)) return true;
  WRITER.reset(0, WRITER.memory.size);
  writeSet(RECORD, slot, WRITER);
  if (WRITER.failed || WRITER.position - NLA_HEADER !== end - start) return false;
  const written = WRITER.memory.u8;
  for (let i = start; i < end; i++) if (written[NLA_HEADER + i - start] !== bytes[i]) return false;
  return true;
}

const RECORD = new KeyRecord();
const WORK_HALF = 2048;
const WORK = new Uint8Array(PAYLOAD_MAX * 2);
const WRITER = new AttributeWriter(new PinnedMemory(WORK_HALF));
