import { be32At, isZero } from "../bytes.ts";
import { type PortNames, printPort } from "../ports.ts";
import type { Field, Radix } from "./field.ts";
import { getField } from "./field.ts";
import { printFlags } from "./flags.ts";
import type { TextSink } from "./sink.ts";
import { SLASH } from "./ascii.ts";

/** How a flow is printed. */
export type PrintStyle = {
  /** As `ovs-dpctl -m`: wildcarded fields and attributes too. */
  readonly verbose: boolean;
  /** Port names, printed where they are known. */
  readonly ports?: PortNames | undefined;
};

/** Prints `value[/mask]` of a field from the payloads at `keyBase` and `maskBase`. */
export function printField(
  out: TextSink,
  of: Field,
  bytes: Uint8Array,
  keyBase: number,
  maskBase: number,
  style: PrintStyle,
): void {
  const key = keyBase + of.offset;
  const mask = maskBase + of.offset;
  switch (of.kind) {
    case "number":
      printNumber(out, getField(bytes, keyBase, of), of.radix);
      printNumberMask(out, of, bytes, maskBase);
      return;
    case "mac":
      out.mac(bytes, key);
      if (isExact(bytes, mask, 6)) return;
      out.byte(SLASH);
      out.mac(bytes, mask);
      return;
    case "ipv4":
      out.ipv4(bytes, key);
      if (isExact(bytes, mask, 4)) return;
      out.byte(SLASH);
      out.ipv4(bytes, mask);
      return;
    case "ipv6":
      out.ipv6(bytes, key);
      if (isExact(bytes, mask, 16)) return;
      out.byte(SLASH);
      out.ipv6(bytes, mask);
      return;
    case "frag":
      printFrag(out, getField(bytes, keyBase, of));
      printNumberMask(out, of, bytes, maskBase);
      return;
    case "flags":
      if (style.verbose && of.numeric) {
        printNumber(out, getField(bytes, keyBase, of), "hex");
        printNumberMask(out, of, bytes, maskBase);
      } else {
        printFlags(out, of, bytes, keyBase, maskBase);
      }
      return;
    case "port":
      printMatchedPort(out, of, bytes, keyBase, maskBase, style.ports);
      return;
    case "number64":
      // As OVS: of zero too.
      if (isZero(bytes, key, 8)) out.text("0x");
      out.hex64(be32At(bytes, key + 4), be32At(bytes, key));
      if (isExact(bytes, mask, 8)) return;
      out.byte(SLASH);
      out.hex64(be32At(bytes, mask + 4), be32At(bytes, mask));
      return;
    case "number128":
      printLabel(out, bytes, key);
      if (isExact(bytes, mask, 16)) return;
      out.byte(SLASH);
      printLabel(out, bytes, mask);
      return;
    case "hex":
      printBytes(out, bytes, key, of.size);
      if (isExact(bytes, mask, of.size)) return;
      out.byte(SLASH);
      printBytes(out, bytes, mask, of.size);
  }
}

/** No bit of the field is matched. */
export function isWild(of: Field, bytes: Uint8Array, maskBase: number): boolean {
  if (of.size <= 4 && of.kind !== "ipv4" && of.kind !== "hex") {
    return getField(bytes, maskBase, of) === 0;
  }
  return isZero(bytes, maskBase + of.offset, of.size);
}

/** A number in one of the radices of the language. */
export function printNumber(out: TextSink, value: number, radix: Radix): void {
  switch (radix) {
    case "dec":
      out.dec(value);
      return;
    case "hex":
      out.hex(value);
      return;
    case "0xhex":
      if (value === 0) out.text("0x");
      out.hex(value);
      return;
    case "hex4":
      out.text("0x");
      out.hexDigits(value, value > 0xffff ? 8 : 4);
      return;
    case "bare":
      out.hexDigits(value, value > 0xf ? 2 : 1);
  }
}

function printNumberMask(out: TextSink, of: Field, bytes: Uint8Array, maskBase: number): void {
  const mask = getField(bytes, maskBase, of);
  if (mask === of.exact) return;
  out.byte(SLASH);
  printNumber(out, mask, of.maskRadix);
}

function printFrag(out: TextSink, value: number): void {
  if (value === 0) out.text("no");
  else if (value === 1) out.text("first");
  else if (value === 2) out.text("later");
  else out.dec(value);
}

/** A name has no mask behind it. */
function printMatchedPort(
  out: TextSink,
  of: Field,
  bytes: Uint8Array,
  keyBase: number,
  maskBase: number,
  ports: PortNames | undefined,
): void {
  const number = getField(bytes, keyBase, of);
  const mask = getField(bytes, maskBase, of);
  if (mask === of.exact) {
    printPort(number, out, ports);
    return;
  }
  out.dec(number);
  out.byte(SLASH);
  out.hex(mask);
}

/** Conntrack labels as one number, most significant byte first, no leading zeros. */
export function printLabel(out: TextSink, bytes: Uint8Array, at: number): void {
  let from = at + 15;
  while (from >= at && bytes[from] === 0) from--;
  if (from < at) {
    out.byte(0x30);
    return;
  }
  out.hex(bytes[from]!);
  for (let i = from - 1; i >= at; i--) out.hexBytes(bytes, i, i + 1);
}

/** Bytes as pairs of digits with blanks between them. */
export function printBytes(out: TextSink, bytes: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) {
    if (i > 0) out.byte(0x20);
    out.hexBytes(bytes, at + i, at + i + 1);
  }
}

function isExact(bytes: Uint8Array, at: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (bytes[at + i] !== 0xff) return false;
  return true;
}
