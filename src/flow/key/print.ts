import { printBytes, printField, printNumber, type PrintStyle } from "../text/field-print.ts";
import { isZero } from "../bytes.ts";
import { getField } from "../text/field.ts";
import type { TextSink } from "../text/sink.ts";
import { SLOT_UNKNOWN, SLOTS } from "./levels.ts";
import { IN_PORT_WILD } from "./normal-form.ts";
import { FIELDS_OF_SLOT } from "./parse.ts";
import { keyOffset, type KeyRecord, maskOffset, type UnknownKey } from "./record.ts";
import { SLOT_ETHERNET, SLOT_ETHERTYPE, SLOT_IN_PORT, SLOT_MPLS, SLOT_VLAN } from "./slots.ts";
import type { KeySpec } from "./spec.ts";
import { KEY_BY_SLOT } from "./table.ts";
import { printTunnel } from "./tunnel-print.ts";
import { CLOSE, COMMA, EQUALS, OPEN, SLASH } from "../text/ascii.ts";

/**
 * Prints a key as ovs-dpctl does, in the order in which its attributes came. Without `verbose`,
 * fully wildcarded attributes are left out, unless the text would not load again without them.
 */
export function printKey(record: KeyRecord, out: TextSink, style: PrintStyle): void {
  const start = out.length;
  printLevel(record, 0, out, style);
  // A key that matches nothing still needs a text.
  if (out.length === start) out.text("in_port(0/0)");
}

function printLevel(record: KeyRecord, level: number, out: TextSink, style: PrintStyle): void {
  const start = out.length;
  const count = record.count[level]!;
  for (let i = 0; i < count; i++) {
    const slot = record.order[level * SLOTS + i]!;
    if (slot === SLOT_UNKNOWN) {
      for (const unknown of record.unknown) {
        if (unknown.level !== level) continue;
        if (out.length > start) out.byte(COMMA);
        printUnknown(unknown, out);
      }
      continue;
    }
    const spec = KEY_BY_SLOT[slot];
    if (spec === undefined || (!style.verbose && isLeftOut(record, level, spec))) continue;
    if (out.length > start) out.byte(COMMA);
    printKeyAttribute(record, level, slot, out, style);
  }
}

function isLeftOut(record: KeyRecord, level: number, spec: KeySpec): boolean {
  // Without an Ethernet header only the type says so, even if any type is matched.
  if (spec.slot === SLOT_ETHERTYPE && level === 0 && !record.has(0, SLOT_ETHERNET)) return false;
  if (spec.slot === SLOT_IN_PORT && isAnyPort(record, level)) return true;
  return !spec.keep && record.isWild(level, spec.slot);
}

/**
 * Whether in_port is the kernel's dump of any port; ovs-dpctl would read `in_port(0/0xffff0000)` as
 * port 0.
 */
function isAnyPort(record: KeyRecord, level: number): boolean {
  const key = record.words[keyOffset(level, SLOT_IN_PORT) >> 2];
  return key === 0 && record.words[maskOffset(level, SLOT_IN_PORT) >> 2] === IN_PORT_WILD;
}

/** Prints one attribute, `name(…)`. */
export function printKeyAttribute(
  record: KeyRecord,
  level: number,
  slot: number,
  out: TextSink,
  style: PrintStyle,
): void {
  const spec = KEY_BY_SLOT[slot];
  if (spec === undefined) return;
  const key = keyOffset(level, slot);
  const mask = maskOffset(level, slot);
  out.text(spec.name);
  out.byte(OPEN);
  switch (spec.form) {
    case "single":
      printSingle(record, spec, key, mask, out, style);
      break;
    case "struct":
      if (slot === SLOT_VLAN) printVlan(spec, record, key, mask, out, unheard(style));
      else FIELDS_OF_SLOT[slot]!.print(out, record.bytes, key, mask, style);
      break;
    case "mpls":
      printMpls(record, level, spec, out, style);
      break;
    case "tunnel":
      printTunnel(out, record.bytes, key, mask, unheard(style));
      break;
    case "encap":
      if (level + 1 < record.count.length) printLevel(record, level + 1, out, style);
  }
  out.byte(CLOSE);
}

// A style without onValue: these texts depend on more than the bytes of one field.
function unheard(style: PrintStyle): PrintStyle {
  return style.onValue === undefined ? style : { ...style, onValue: undefined };
}

function printSingle(
  record: KeyRecord,
  spec: KeySpec,
  key: number,
  mask: number,
  out: TextSink,
  style: PrintStyle,
): void {
  const field = spec.fields[0]!;
  if (spec.slot === SLOT_ETHERTYPE && isZero(record.bytes, key, 2)) {
    // No Ethernet type: 802.2, or any. OVS prints it this way.
    out.text("0/");
    printNumber(out, getField(field, record.bytes, mask), "hex4");
    return;
  }
  printField(out, field, record.bytes, key, mask, style);
}

/** Prints a tag. The CFI bit says that it is present: only the bit's absence is printed. */
function printVlan(
  spec: KeySpec,
  record: KeyRecord,
  key: number,
  mask: number,
  out: TextSink,
  style: PrintStyle,
): void {
  const start = out.length;
  const bytes = record.bytes;
  for (const field of spec.fields) {
    const value = getField(field, bytes, key);
    const bits = getField(field, bytes, mask);
    const shown =
      field.name === "cfi" ? value === 0 || bits === 0 : style.verbose || value !== 0 || bits !== 0;
    if (!shown) continue;
    if (out.length > start) out.byte(COMMA);
    out.text(field.name);
    out.byte(EQUALS);
    printField(out, field, bytes, key, mask, style);
  }
}

/** Prints a stack as OVS does: if any bit of it is wildcarded, every field gets its mask. */
function printMpls(
  record: KeyRecord,
  level: number,
  spec: KeySpec,
  out: TextSink,
  style: PrintStyle,
): void {
  const key = keyOffset(level, SLOT_MPLS);
  const mask = maskOffset(level, SLOT_MPLS);
  const bytes = record.bytes;
  const entries = record.mplsEntries[level]!;
  if (!style.verbose && entries === 1 && record.isWild(level, SLOT_MPLS)) return;
  let exact = true;
  for (let i = 0; i < entries * 4; i++) exact &&= bytes[mask + i] === 0xff;
  for (let entry = 0; entry < entries; entry++) {
    for (const [index, of] of spec.fields.entries()) {
      if (entry + index > 0) out.byte(COMMA);
      out.text(of.name);
      out.byte(EQUALS);
      printNumber(out, getField(of, bytes, key + entry * 4), of.radix);
      if (exact) continue;
      out.byte(SLASH);
      printNumber(out, getField(of, bytes, mask + entry * 4), of.maskRadix);
    }
  }
}

function printUnknown(unknown: UnknownKey, out: TextSink): void {
  out.text("key");
  out.dec(unknown.type);
  out.byte(OPEN);
  printBytes(out, unknown.key, 0, unknown.key.length);
  if (unknown.mask.some((byte) => byte !== 0xff)) {
    out.byte(SLASH);
    printBytes(out, unknown.mask, 0, unknown.mask.length);
  }
  out.byte(CLOSE);
}
