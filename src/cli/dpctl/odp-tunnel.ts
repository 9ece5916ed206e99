import { be16At, be32At, isZero, u32At } from "../../flow/bytes.ts";
import * as T from "../../flow/key/tunnel-fields.ts";
import { CLOSE, COMMA, SLASH } from "../../flow/text/ascii.ts";
import { printBytes, printField } from "../../flow/text/field-print.ts";
import { printFlagBits } from "../../flow/text/flags.ts";
import type { TextSink } from "../../flow/text/sink.ts";
import * as uapi from "../../uapi/openvswitch.ts";
import { begin } from "./odp-headers.ts";
import { attributesOf, isOnes, isZeros, maskBytes, type OdpMask, payloadOf } from "./odp.ts";

/** The flags that are separate attributes without a payload. */
const FLAGS: Readonly<Record<number, number>> = {
  [uapi.OVS_TUNNEL_KEY_ATTR_DONT_FRAGMENT]: T.TUNNEL_F_DF,
  [uapi.OVS_TUNNEL_KEY_ATTR_CSUM]: T.TUNNEL_F_CSUM,
  [uapi.OVS_TUNNEL_KEY_ATTR_OAM]: T.TUNNEL_F_OAM,
};

/** The output of comma-separated parts, and whether unmatched parts are printed. */
type Parts = { readonly out: TextSink; readonly start: number; readonly verbose: boolean };

/**
 * Prints a tunnel (`format_odp_tun_attr`): what the key has, in its order. The mask of a part that
 * the key lacks, such as an address matched as zero, is not printed.
 */
export function printOdpTunnel(
  out: TextSink,
  payload: Uint8Array,
  masks: OdpMask,
  verbose: boolean,
): void {
  const start = out.length;
  let flags = 0;
  let bits = 0;
  for (const [type, value] of attributesOf(payload)) {
    const own = typeof masks === "string" ? masks : payloadOf(masks, type);
    const mask = maskBytes(own ?? "wild", value.length);
    const flag = FLAGS[type];
    if (type === uapi.OVS_TUNNEL_KEY_ATTR_ID) {
      flags |= T.TUNNEL_F_KEY;
      if (mask !== undefined) bits |= T.TUNNEL_F_KEY;
    }
    if (flag !== undefined) flags |= flag;
    else if (type !== uapi.OVS_TUNNEL_KEY_ATTR_PAD) {
      printPart({ out, start, verbose }, type, value, mask);
    }
  }
  const isMasked = masks !== "exact";
  if (masks !== "wild" && masks !== "exact") {
    for (const [type] of attributesOf(masks)) bits |= FLAGS[type] ?? 0;
  }
  if (!verbose && isMasked && bits === 0) return;
  if (out.length > start) out.byte(COMMA);
  out.text("flags(");
  printFlagBits(out, T.TUNNEL_FLAGS_FIELD, flags, isMasked ? bits : T.TUNNEL_F_FULL);
  out.byte(CLOSE);
}

function printPart(
  { out, start, verbose }: Parts,
  type: number,
  value: Uint8Array,
  mask: Uint8Array | undefined,
): void {
  const field = T.TUNNEL_FIELDS[T.TUNNEL_FIELD_TYPES.indexOf(type)];
  if (field !== undefined) {
    if (!verbose && mask !== undefined && isZeros(mask)) return;
    begin(out, start, field.name);
    WORK.fill(0xff);
    WORK.set(value);
    if (mask !== undefined) WORK.set(mask, MASK_AT);
    // A field has an offset in a record; here its value is at the beginning.
    const place = { ...field, offset: 0 };
    printField(out, place, WORK, 0, MASK_AT, { verbose });
    return;
  }
  if (out.length > start) out.byte(COMMA);
  if (type === uapi.OVS_TUNNEL_KEY_ATTR_VXLAN_OPTS) {
    out.text("vxlan(");
    printVxlan(out, value, mask, verbose);
  } else if (type === uapi.OVS_TUNNEL_KEY_ATTR_GENEVE_OPTS) {
    out.text("geneve(");
    printGeneve(out, value, mask, verbose);
  } else if (type === uapi.OVS_TUNNEL_KEY_ATTR_ERSPAN_OPTS) {
    out.text("erspan(");
    printErspan(out, value, mask, verbose);
  } else {
    out.text(`key${type}(`);
    printBytes(out, value, 0, value.length);
    if (mask !== undefined && !isOnes(mask)) {
      out.byte(SLASH);
      printBytes(out, mask, 0, mask.length);
    }
  }
  out.byte(CLOSE);
}

const MASK_AT = 16;
const WORK = new Uint8Array(2 * MASK_AT);

/** How a number is printed: decimal, or as `%#x`. */
type Radix = "dec" | "hex";

/** How a number of some bits is printed. */
type Bits = {
  readonly name: string;
  readonly radix: Radix;
  /** The mask that is not printed. */
  readonly exact: number;
};
const GBP_ID: Bits = { name: "id", radix: "dec", exact: 0xffff };
const GBP_FLAGS: Bits = { name: "flags", radix: "hex", exact: 0xff };
const CLASS: Bits = { name: "class", radix: "hex", exact: 0xffff };
const TYPE: Bits = { name: "type", radix: "hex", exact: 0xff };
const LENGTH: Bits = { name: "len", radix: "dec", exact: 0x1f };
const VERSION: Bits = { name: "ver", radix: "dec", exact: 0xff };
// For fewer bits than a byte, the mask is always printed.
const DIRECTION: Bits = { name: "dir", radix: "dec", exact: 0xff };
const HARDWARE_ID: Bits = { name: "hwid", radix: "hex", exact: 0xff };

/** Prints `name=value[/mask]`, unless no bit of it is matched. */
function printNumber(
  { out, start, verbose }: Parts,
  { name, radix, exact }: Bits,
  value: number,
  mask: number | undefined,
): void {
  if (!verbose && mask === 0) return;
  begin(out, start, name);
  if (radix === "dec") out.dec(value);
  else out.hex(value);
  if (mask === undefined || mask === exact) return;
  out.byte(SLASH);
  out.hex(mask);
}

function printVxlan(
  out: TextSink,
  value: Uint8Array,
  mask: Uint8Array | undefined,
  verbose: boolean,
): void {
  const option = payloadOf(value, uapi.OVS_VXLAN_EXT_GBP);
  if (option === undefined || option.length < 4) return;
  const number = u32At(option, 0);
  let bits: number | undefined;
  if (mask !== undefined) {
    const own = payloadOf(mask, uapi.OVS_VXLAN_EXT_GBP);
    bits = own === undefined || own.length < 4 ? 0 : u32At(own, 0);
  }
  out.text("gbp(");
  const parts = { out, start: out.length, verbose };
  const part = (shift: number, max: number): number | undefined =>
    bits === undefined ? undefined : (bits >>> shift) & max;
  printNumber(parts, GBP_ID, number & 0xffff, part(0, 0xffff));
  printNumber(parts, GBP_FLAGS, (number >>> 16) & 0xff, part(16, 0xff));
  out.byte(CLOSE);
}

const GENEVE_HEADER = 4;

function printGeneve(
  out: TextSink,
  value: Uint8Array,
  mask: Uint8Array | undefined,
  verbose: boolean,
): void {
  if (mask !== undefined && mask.length !== value.length) {
    out.text(`value len ${value.length} different from mask len ${mask.length}`);
    return;
  }
  for (let at = 0; at + GENEVE_HEADER <= value.length;) {
    const size = ((value[at + 3] ?? 0) & 0x1f) * 4;
    const data = at + GENEVE_HEADER;
    if (data + size > value.length) return;
    out.byte(0x7b);
    const parts = { out, start: out.length, verbose };
    const length = (mask?.[at + 3] ?? 0) & 0x1f;
    const masked = (number: number): number | undefined =>
      mask === undefined ? undefined : number;
    const kind = mask === undefined ? 0 : be16At(mask, at);
    printNumber(parts, CLASS, be16At(value, at), masked(kind));
    const type = masked(mask?.[at + 2] ?? 0);
    printNumber(parts, TYPE, value[at + 2] ?? 0, type);
    printNumber(parts, LENGTH, size, masked(length));
    if (size > 0 && (verbose || mask === undefined || !isZero(mask, data, size))) {
      if (out.length > parts.start) out.byte(COMMA);
      printHex(out, value.subarray(data, data + size));
      const bits = mask?.subarray(data, data + size);
      if (bits !== undefined && !isOnes(bits)) {
        out.byte(SLASH);
        printHex(out, bits);
      }
    }
    out.byte(0x7d);
    at = data + size;
  }
}

/** Prints `struct erspan_metadata`: a 32-bit version, then an index, or the fields of version 2. */
function printErspan(
  out: TextSink,
  value: Uint8Array,
  mask: Uint8Array | undefined,
  verbose: boolean,
): void {
  const parts = { out, start: out.length, verbose };
  const version = u32At(value, 0);
  const versionMask = mask === undefined ? undefined : mask[0];
  printNumber(parts, VERSION, version & 0xff, versionMask);
  if (version === 1) {
    begin(out, parts.start, "idx");
    out.hex(be32At(value, 4));
    if (mask === undefined) return;
    out.byte(SLASH);
    out.hex(be32At(mask, 4));
  } else if (version === 2) {
    const [last, bits] = [value[11] ?? 0, mask?.[11]];
    const part = (shift: number, max: number): number | undefined =>
      bits === undefined ? undefined : (bits >>> shift) & max;
    printNumber(parts, DIRECTION, (last >>> 3) & 1, part(3, 1));
    printNumber(parts, HARDWARE_ID, last >>> 4, part(4, 15));
  }
}

/** Prints bytes as one hexadecimal number, without leading zeros (`ds_put_hex`). */
export function printHex(out: TextSink, bytes: Uint8Array): void {
  const from = bytes.findIndex((byte) => byte !== 0);
  if (from < 0) {
    out.byte(0x30);
    return;
  }
  out.hex(bytes[from] ?? 0);
  out.hexBytes(bytes, from + 1, bytes.length);
}
