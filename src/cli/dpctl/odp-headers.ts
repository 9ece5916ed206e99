import { COMMA, EQUALS, SLASH } from "../../flow/text/ascii.ts";
import { be16At, be32At } from "../../flow/bytes.ts";
import type { TextSink } from "../../flow/text/sink.ts";
import { OVS_NSH_KEY_ATTR_BASE, OVS_NSH_KEY_ATTR_MD1 } from "../../uapi/openvswitch.ts";
import { attributesOf, isOnes, maskBytes, type OdpMask, payloadOf } from "./odp.ts";

/**
 * `format_vlan_tci`: does not print fields that are zero and wildcarded, and prints the CFI bit
 * only if it is not set.
 */
export function printOdpVlan(
  out: TextSink,
  payload: Uint8Array,
  mask: OdpMask,
  verbose: boolean,
): void {
  const start = out.length;
  const tci = be16At(payload, 0);
  const bits = mask === "exact" ? 0xffff : be16At(maskBytes(mask, 2) ?? payload, 0);
  for (const [name, shift, max] of [
    ["vid", 0, 0xfff],
    ["pcp", 13, 7],
  ] as const) {
    const value = (tci >>> shift) & max;
    const masked = (bits >>> shift) & max;
    if (!verbose && value === 0 && masked === 0) continue;
    begin(out, start, name);
    out.dec(value);
    if (masked === max) continue;
    out.text("/0x");
    out.hexDigits(masked, digitsOf(masked));
  }
  if ((tci & 0x1000) !== 0) return;
  begin(out, start, "cfi");
  out.dec(0);
}

/**
 * `format_mpls`: if any bit is wildcarded, all fields have masks.
 * @returns false if it is not a stack
 */
export function printOdpMpls(out: TextSink, payload: Uint8Array, mask: OdpMask): boolean {
  const own = maskBytes(mask, payload.length);
  const masks = own === undefined || isOnes(own) ? undefined : own;
  if (payload.length === 0 || payload.length % 4 !== 0) {
    out.text(`(bad key length ${payload.length})`);
    return false;
  }
  if (masks !== undefined && masks.length !== payload.length) {
    out.text(`(key length ${payload.length} != mask length ${masks.length})`);
    return false;
  }
  const start = out.length;
  for (let at = 0; at < payload.length; at += 4) {
    const entry = be32At(payload, at);
    for (const [name, shift, max, prefix] of MPLS) {
      begin(out, start, name);
      out.dec((entry >>> shift) & max);
      if (masks === undefined) continue;
      const bits = (be32At(masks, at) >>> shift) & max;
      out.byte(SLASH);
      out.text(prefix);
      out.hexDigits(bits, digitsOf(bits));
    }
  }
  return true;
}

const MPLS = [
  ["label", 12, 0xf_ffff, "0x"],
  ["tc", 9, 7, ""],
  ["ttl", 0, 0xff, "0x"],
  ["bos", 8, 1, ""],
] as const;

/** `format_odp_nsh_attr`: a part without a mask is exact, regardless of the other parts. */
export function printOdpNsh(out: TextSink, payload: Uint8Array, mask: OdpMask): void {
  const key = new Uint8Array(NSH_SIZE);
  const bits = new Uint8Array(NSH_SIZE).fill(0xff);
  for (const [type, part] of attributesOf(payload)) {
    const at = NSH_PARTS[type];
    if (at === undefined) continue;
    key.set(part, at);
    if (mask === "wild") bits.fill(0, at, at + part.length);
    else if (mask !== "exact") bits.set(payloadOf(mask, type) ?? [], at);
  }
  if (mask === "exact") printWholeNsh(out, key);
  else printMaskedNsh(out, key, bits);
}

/** `format_odp_set_nsh`: in each part of a set(), the values precede their masks. */
export function printOdpSetNsh(out: TextSink, payload: Uint8Array): void {
  const key = new Uint8Array(NSH_SIZE);
  const bits = new Uint8Array(NSH_SIZE).fill(0xff);
  for (const [type, part] of attributesOf(payload)) {
    const at = NSH_PARTS[type];
    if (at === undefined) continue;
    key.set(part.subarray(0, part.length / 2), at);
    bits.set(part.subarray(part.length / 2), at);
  }
  printMaskedNsh(out, key, bits);
}

/** `struct ovs_nsh_key_base`, followed by `struct ovs_nsh_key_md1`. */
const NSH_SIZE = 24;
const NSH_PARTS: Readonly<Record<number, number>> = {
  [OVS_NSH_KEY_ATTR_BASE]: 0,
  [OVS_NSH_KEY_ATTR_MD1]: 8,
};
const NSH_BYTES = ["flags", "ttl", "mdtype", "np"];
const NSH_MDTYPE_AT = 2;

function printWholeNsh(out: TextSink, key: Uint8Array): void {
  const start = out.length;
  for (const [at, name] of NSH_BYTES.entries()) {
    begin(out, start, name);
    out.dec(key[at] ?? 0);
  }
  const path = be32At(key, 4);
  out.text(`,spi=0x${(path >>> 8).toString(16)},si=${path & 0xff}`);
  if (key[NSH_MDTYPE_AT] !== 1) return;
  for (let i = 0; i < 4; i++) out.text(`,c${i + 1}=0x${be32At(key, 8 + i * 4).toString(16)}`);
}

function printMaskedNsh(out: TextSink, key: Uint8Array, mask: Uint8Array): void {
  const start = out.length;
  const byte = (name: string, value: number, bits: number): void => {
    if (bits === 0) return;
    begin(out, start, name);
    out.text(bits === 0xff ? `${value}` : `0x${hex(value, 2)}/0x${hex(bits, 2)}`);
  };
  const word = (name: string, value: number, bits: number): void => {
    if (bits === 0) return;
    begin(out, start, name);
    out.text(`0x${value.toString(16)}`);
    if (bits !== 0xffff_ffff) out.text(`/0x${hex(bits, 8)}`);
  };
  for (const [at, name] of NSH_BYTES.entries()) byte(name, key[at] ?? 0, mask[at] ?? 0);
  const [path, pathMask] = [be32At(key, 4), be32At(mask, 4)];
  const spi = pathMask >>> 8;
  word("spi", path >>> 8, spi === 0xff_ffff ? 0xffff_ffff : spi);
  byte("si", path & 0xff, pathMask & 0xff);
  for (let at = 8; at < NSH_SIZE; at += 4) {
    word(`c${at / 4 - 1}`, be32At(key, at), be32At(mask, at));
  }
}

/** Begins `name=`, with a comma before it unless the list began at `start`. */
export function begin(out: TextSink, start: number, name: string): void {
  if (out.length > start) out.byte(COMMA);
  out.text(name);
  out.byte(EQUALS);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

function digitsOf(value: number): number {
  return value.toString(16).length;
}
