/**
 * What a field's bytes mean, and so how it is written in text:
 * - `number`: up to 32 bits of a container of 1, 2 or 4 bytes, host or network order
 * - `number64`: a be64 (the tunnel id)
 * - `number128`: conntrack labels, least significant byte first
 * - `mac`, `ipv4`, `ipv6`: addresses
 * - `frag`: `no`, `first` or `later`, or a number
 * - `flags`: named bits
 * - `port`: a port number, or a name where a datapath is at hand
 * - `hex`: bytes with blanks between them
 */
type FieldKind =
  "number" | "number64" | "number128" | "mac" | "ipv4" | "ipv6" | "frag" | "flags" | "port" | "hex";

/**
 * How a number is printed: `dec`; `hex` as C's `%#x` (zero is `0`); `0xhex` as `0x%x`; `hex4` as
 * `0x%04x`; `bare` as `%x`, the print of OVS for masks of a few bits.
 */
export type Radix = "dec" | "hex" | "0xhex" | "hex4" | "bare";

/** One field of a key: where its bits are in the payload and how they are written. */
export type Field = {
  /** The word before `=`; empty for an attribute that is one value. */
  readonly name: string;
  /** Other words that are read for it. */
  readonly aliases: readonly string[];
  readonly kind: FieldKind;
  /** Offset and size of the container in the payload, in bytes. */
  readonly offset: number;
  readonly size: number;
  readonly bigEndian: boolean;
  /** The bits of the container that are the field: `bits` of them, `shift` from the lowest. */
  readonly shift: number;
  readonly bits: number;
  /** All bits of the field: the largest mask. */
  readonly max: number;
  /** The largest value: {@link max}, but where a kernel takes less than the bits hold. */
  readonly limit: number;
  /** The mask that text without a mask means. */
  readonly full: number;
  /** The mask that is left out when printed: `full`, but for ct_state. */
  readonly exact: number;
  readonly radix: Radix;
  readonly maskRadix: Radix;
  /** Flags that the verbose style prints as a number. */
  readonly numeric: boolean;
  /** Names of the bits, lowest first; undefined where a bit has none. */
  readonly flags: readonly (string | undefined)[];
};

/** What may be said about a field beyond its place; the rest follows from the kind. */
type FieldOptions = {
  aliases?: readonly string[];
  radix?: Radix;
  maskRadix?: Radix;
  shift?: number;
  bits?: number;
  limit?: number;
  full?: number;
  exact?: number;
  numeric?: boolean;
};

function field(
  name: string,
  kind: FieldKind,
  offset: number,
  size: number,
  bigEndian: boolean,
  options: FieldOptions,
  flags: readonly (string | undefined)[] = [],
): Field {
  const bits = options.bits ?? Math.min(32, size * 8);
  const max = 2 ** bits - 1;
  const full = options.full ?? max;
  return {
    name,
    aliases: options.aliases ?? [],
    kind,
    offset,
    size,
    bigEndian,
    shift: options.shift ?? 0,
    bits,
    max,
    limit: options.limit ?? max,
    full,
    exact: options.exact ?? full,
    radix: options.radix ?? "dec",
    maskRadix: options.maskRadix ?? "hex",
    numeric: options.numeric ?? false,
    flags,
  };
}

/** A byte. */
export function u8(name: string, offset: number, options: FieldOptions = {}): Field {
  return field(name, "number", offset, 1, true, options);
}

/** 16 bits in network order. */
export function be16(name: string, offset: number, options: FieldOptions = {}): Field {
  return field(name, "number", offset, 2, true, options);
}

/** 32 bits in network order. */
export function be32(name: string, offset: number, options: FieldOptions = {}): Field {
  return field(name, "number", offset, 4, true, options);
}

/** 16 bits in host order. */
export function u16(name: string, offset: number, options: FieldOptions = {}): Field {
  return field(name, "number", offset, 2, false, options);
}

/** 32 bits in host order. */
export function u32(name: string, offset: number, options: FieldOptions = {}): Field {
  return field(name, "number", offset, 4, false, options);
}

/** 64 bits in network order, printed hexadecimal. */
export function be64(name: string, offset: number): Field {
  return field(name, "number64", offset, 8, true, { radix: "hex" });
}

/** Conntrack labels: 128 bits. */
export function label128(name: string, offset: number): Field {
  return field(name, "number128", offset, 16, false, { radix: "hex" });
}

/** An Ethernet address. */
export function mac(name: string, offset: number): Field {
  return field(name, "mac", offset, 6, true, {});
}

/** An IPv4 address. */
export function ipv4(name: string, offset: number): Field {
  return field(name, "ipv4", offset, 4, true, {});
}

/** An IPv6 address. */
export function ipv6(name: string, offset: number): Field {
  return field(name, "ipv6", offset, 16, true, {});
}

/** Which fragment a packet is (`ovs_frag_type`). */
export function frag(name: string, offset: number): Field {
  return field(name, "frag", offset, 1, true, {});
}

/** A u32 that is a port number. */
export function port(name: string, offset: number): Field {
  return field(name, "port", offset, 4, false, {});
}

/** Bytes that are kept as they are. */
export function hex(name: string, offset: number, size: number): Field {
  return field(name, "hex", offset, size, true, {});
}

/** Named bits in a number; `full` is which of them a match without a mask looks at. */
export function flagBits(
  name: string,
  offset: number,
  size: number,
  bigEndian: boolean,
  names: readonly (string | undefined)[],
  options: FieldOptions = {},
): Field {
  return field(name, "flags", offset, size, bigEndian, { radix: "hex", ...options }, names);
}

/** The words for what a number may be, made beforehand: no string is built where it is. */
export function rangeTo(max: number): string {
  return RANGES[32 - Math.clz32(max)] ?? "";
}

const RANGES: readonly string[] = Array.from(
  { length: 33 },
  (_, bits) => `a number from 0 to ${2 ** bits - 1}`,
);

/** The container's bytes at `at`, as an unsigned number. */
export function readContainer(
  bytes: Uint8Array,
  at: number,
  size: number,
  bigEndian: boolean,
): number {
  if (size === 1) return bytes[at]!;
  if (size === 2) {
    return bigEndian ? (bytes[at]! << 8) | bytes[at + 1]! : bytes[at]! | (bytes[at + 1]! << 8);
  }
  const first =
    (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  if (bigEndian) return first >>> 0;
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

/** Writes an unsigned number into the container's bytes at `at`. */
export function writeContainer(
  bytes: Uint8Array,
  at: number,
  size: number,
  bigEndian: boolean,
  value: number,
): void {
  if (size === 1) {
    bytes[at] = value;
  } else if (size === 2) {
    bytes[at] = bigEndian ? value >>> 8 : value;
    bytes[at + 1] = bigEndian ? value : value >>> 8;
  } else if (bigEndian) {
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  } else {
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  }
}

/** The value of a field of up to 32 bits in the payload at `base`. */
export function getField(bytes: Uint8Array, base: number, of: Field): number {
  const container = readContainer(bytes, base + of.offset, of.size, of.bigEndian);
  return of.bits === 32 ? container : (container >>> of.shift) & of.max;
}

/** Sets a field of up to 32 bits in the payload at `base`; its container's other bits stay. */
export function setField(bytes: Uint8Array, base: number, of: Field, value: number): void {
  const at = base + of.offset;
  if (of.bits === of.size * 8) {
    writeContainer(bytes, at, of.size, of.bigEndian, value);
    return;
  }
  const container = readContainer(bytes, at, of.size, of.bigEndian);
  const others = container & ~(of.max << of.shift);
  writeContainer(bytes, at, of.size, of.bigEndian, (others | (value << of.shift)) >>> 0);
}

/** Sets the mask of a field to the one that text without a mask means. */
export function setFull(bytes: Uint8Array, maskBase: number, of: Field): void {
  if (of.kind === "number" || of.kind === "flags" || of.kind === "port" || of.kind === "frag") {
    setField(bytes, maskBase, of, of.full);
    return;
  }
  const at = maskBase + of.offset;
  for (let i = 0; i < of.size; i++) bytes[at + i] = 0xff;
}

/** All bits of a field are matched, or none, and then it is zero. */
export function isFieldWhole(of: Field, bytes: Uint8Array, key: number, mask: number): boolean {
  const bits = getField(bytes, mask, of);
  return bits === of.full || (bits === 0 && getField(bytes, key, of) === 0);
}

/** As {@link isFieldWhole}, of bytes. */
export function areBytesWhole(bytes: Uint8Array, key: number, mask: number, size: number): boolean {
  let ones = true;
  let zeros = true;
  for (let i = 0; i < size; i++) {
    if (bytes[mask + i] !== 0xff) ones = false;
    if (bytes[mask + i] !== 0 || bytes[key + i] !== 0) zeros = false;
  }
  return ones || zeros;
}
