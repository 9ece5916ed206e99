import { be32At, isZero } from "../bytes.ts";
import { type PortNames, printPort } from "../ports.ts";
import { type Field, getField, holdsNumber, type Radix } from "./field.ts";
import { printFlags } from "./flags.ts";
import type { TextSink } from "./sink.ts";
import { SLASH } from "./ascii.ts";

/** How a flow is printed. */
export type PrintStyle = {
  /** Prints wildcarded fields and attributes too, as `ovs-dpctl -m` does. */
  readonly verbose: boolean;
  /** Port names, printed if known. */
  readonly ports?: PortNames | undefined;
  /**
   * Called for each printed value whose text depends only on its own bytes, with its field, its
   * payload, and the range of its text.
   */
  readonly onValue?: ((field: Field, base: number, start: number, end: number) => void) | undefined;
};

/** Prints `value[/mask]` of a field from the payloads at `key` and `mask`. */
export function printField(
  out: TextSink,
  field: Field,
  bytes: Uint8Array,
  key: number,
  mask: number,
  style: PrintStyle,
): void {
  if (field.kind === "flags" && !(style.verbose && field.numeric)) {
    printFlags(out, field, bytes, key, mask);
    return;
  }
  const exact = isExact(field, bytes, mask);
  const start = out.length;
  // A port's name is printed only without a mask.
  printValue(out, field, bytes, key, exact ? style.ports : undefined);
  // A partly matched port has other rules.
  if (exact || field.kind !== "port") style.onValue?.(field, key, start, out.length);
  if (exact) return;
  out.byte(SLASH);
  if (field.kind === "number64") print64(out, field.maskRadix, bytes, mask + field.offset);
  else if (!holdsNumber(field) || field.kind === "ipv4" || field.kind === "hex")
    printValue(out, field, bytes, mask, undefined);
  else printNumber(out, getField(field, bytes, mask), field.maskRadix);
}

/** Prints the value of a field from the payload at `base`. */
export function printValue(
  out: TextSink,
  field: Field,
  bytes: Uint8Array,
  base: number,
  ports: PortNames | undefined,
): void {
  const at = base + field.offset;
  switch (field.kind) {
    case "number":
    case "flags":
      printNumber(out, getField(field, bytes, base), field.radix);
      return;
    case "mac":
      out.mac(bytes, at);
      return;
    case "ipv4":
      out.ipv4(bytes, at);
      return;
    case "ipv6":
      out.ipv6(bytes, at);
      return;
    case "frag":
      printFrag(out, getField(field, bytes, base));
      return;
    case "port":
      printPort(out, getField(field, bytes, base), ports);
      return;
    case "number64":
    case "hex64":
      print64(out, field.radix, bytes, at);
      return;
    case "number128":
      printLabel(out, bytes, at);
      return;
    case "uuid":
      out.uuid(bytes, at);
      return;
    case "choice": {
      const value = getField(field, bytes, base);
      out.text(field.words[value] ?? String(value));
      return;
    }
    case "hex":
      printBytes(out, bytes, at, field.size);
  }
}

/** Whether no bit of the field is matched. */
export function isWild(field: Field, bytes: Uint8Array, mask: number): boolean {
  if (holdsNumber(field)) return getField(field, bytes, mask) === 0;
  return isZero(bytes, mask + field.offset, field.size);
}

/** Whether the mask is the one that is left out. */
function isExact(field: Field, bytes: Uint8Array, mask: number): boolean {
  if (holdsNumber(field)) return getField(field, bytes, mask) === field.exact;
  const at = mask + field.offset;
  for (let i = 0; i < field.size; i++) if (bytes[at + i] !== 0xff) return false;
  return true;
}

/** Prints a number in one of the radices of the language. */
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

/** Prints 64 bits in network order; like OVS, a value of zero as `0x0`. */
function print64(out: TextSink, radix: Radix, bytes: Uint8Array, at: number): void {
  if (radix === "0xhex" && isZero(bytes, at, 8)) out.text("0x");
  out.hex64(be32At(bytes, at + 4), be32At(bytes, at));
}

function printFrag(out: TextSink, value: number): void {
  if (value === 0) out.text("no");
  else if (value === 1) out.text("first");
  else if (value === 2) out.text("later");
  else out.dec(value);
}

/** Prints conntrack labels as one number, most significant byte first, no leading zeros. */
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

/** Prints bytes as pairs of digits with blanks between them. */
export function printBytes(out: TextSink, bytes: Uint8Array, at: number, size: number): void {
  for (let i = 0; i < size; i++) {
    if (i > 0) out.byte(0x20);
    out.hexBytes(bytes, at + i, at + i + 1);
  }
}
