/**
 * What a field's bytes mean, and so how it is written in text:
 * - `number`: up to 32 bits of a container of 1, 2 or 4 bytes, host or network order
 * - `number64`: a be64 (the tunnel id); `hex64`: the same, read as hexadecimal even without `0x`
 * - `number128`: conntrack labels, least significant byte first
 * - `mac`, `ipv4`, `ipv6`: addresses
 * - `frag`: `no`, `first` or `later`, or a number
 * - `flags`: named bits
 * - `port`: a port number, or a name if the datapath is known
 * - `hex`: bytes with blanks between them
 * - `uuid`: 16 bytes
 * - `choice`: a number that is written as a bare word, or left out if it is 0
 */
type FieldKind =
  | "number"
  | "number64"
  | "hex64"
  | "number128"
  | "mac"
  | "ipv4"
  | "ipv6"
  | "frag"
  | "flags"
  | "port"
  | "hex"
  | "uuid"
  | "choice";

/**
 * How a number is printed: `dec`; `hex` as C's `%#x` (zero is `0`); `0xhex` as `0x%x`; `hex4` as
 * `0x%04x`; `bare` as `%x`, as OVS prints masks of a few bits.
 */
export type Radix = "dec" | "hex" | "0xhex" | "hex4" | "bare";

/** One field of a key or of an action's struct: where its bits are, and how its text looks. */
export type Field = {
  /** The word before `=`; empty for an attribute that is a single value. */
  readonly name: string;
  /** Other words that are read as its name. */
  readonly aliases: readonly string[];
  /** What it means, for the reference page; empty if its name says it. */
  readonly about: string;
  readonly kind: FieldKind;
  /** Offset and size of the container in the payload, in bytes. */
  readonly offset: number;
  readonly size: number;
  readonly bigEndian: boolean;
  /** The field's bits in the container: `bits` of them, the lowest at `shift`. */
  readonly shift: number;
  readonly bits: number;
  /** All bits of the field set: the largest mask. */
  readonly max: number;
  /** The largest value: {@link max}, unless a kernel takes less than the bits can hold. */
  readonly limit: number;
  /** The mask implied by text without a mask. */
  readonly full: number;
  /** The mask that is left out when printed: `full`, except for ct_state. */
  readonly exact: number;
  readonly radix: Radix;
  readonly maskRadix: Radix;
  /** Whether the verbose style prints these flags as a number. */
  readonly numeric: boolean;
  /**
   * Names of the bits of flags, lowest first, undefined for a bit without one; or names of a
   * choice's values.
   */
  readonly words: readonly (string | undefined)[];
  /** In an action, its value if the text leaves it out; undefined if the text must have it. */
  readonly initial: number | undefined;
  /** In an action, whether it is printed only if it is not {@link initial}. */
  readonly hidden: boolean;
};

/** Optional properties of a field; the rest follows from its kind. */
type FieldOptions = Partial<
  Pick<
    Field,
    | "about"
    | "aliases"
    | "radix"
    | "maskRadix"
    | "shift"
    | "bits"
    | "limit"
    | "full"
    | "exact"
    | "numeric"
    | "words"
    | "initial"
    | "hidden"
  >
>;

/** Where a field's container is. */
type Place = Pick<Field, "offset" | "size" | "bigEndian">;

function fieldOf(name: string, kind: FieldKind, place: Place, options: FieldOptions): Field {
  const bits = options.bits ?? Math.min(32, place.size * 8);
  const max = 2 ** bits - 1;
  const full = options.full ?? max;
  return {
    name,
    aliases: options.aliases ?? [],
    about: options.about ?? "",
    kind,
    offset: place.offset,
    size: place.size,
    bigEndian: place.bigEndian,
    shift: options.shift ?? 0,
    bits,
    max,
    limit: options.limit ?? max,
    full,
    exact: options.exact ?? full,
    radix: options.radix ?? "dec",
    maskRadix: options.maskRadix ?? "hex",
    numeric: options.numeric ?? false,
    words: options.words ?? [],
    initial: options.initial,
    hidden: options.hidden ?? false,
  };
}

/** Makes fields of one kind, size and byte order. */
type FieldMaker = (name: string, offset: number, options?: FieldOptions) => Field;

function maker(
  kind: FieldKind,
  size: number,
  bigEndian: boolean,
  defaults: FieldOptions = {},
): FieldMaker {
  return (name, offset, options) =>
    fieldOf(name, kind, { offset, size, bigEndian }, { ...defaults, ...options });
}

/** A byte. */
export const u8: FieldMaker = maker("number", 1, true);

/** 16 bits in network order. */
export const be16: FieldMaker = maker("number", 2, true);

/** 32 bits in network order. */
export const be32: FieldMaker = maker("number", 4, true);

/** 16 bits in host order. */
export const u16: FieldMaker = maker("number", 2, false);

/** 32 bits in host order. */
export const u32: FieldMaker = maker("number", 4, false);

/** 64 bits in network order, printed hexadecimal, zero as `0x0`. */
export const be64: FieldMaker = maker("number64", 8, true, { radix: "0xhex" });

/** 64 bits in network order, read and printed hexadecimal. */
export const hex64: FieldMaker = maker("hex64", 8, true, { radix: "hex" });

/** Conntrack labels: 128 bits. */
export const label128: FieldMaker = maker("number128", 16, false, { radix: "hex" });

/** An Ethernet address. */
export const mac: FieldMaker = maker("mac", 6, true);

/** An IPv4 address. */
export const ipv4: FieldMaker = maker("ipv4", 4, true);

/** An IPv6 address. */
export const ipv6: FieldMaker = maker("ipv6", 16, true);

/** Which fragment a packet is (`ovs_frag_type`). */
export const frag: FieldMaker = maker("frag", 1, true);

/** A u32 that is a port number, of 16 bits in a key. */
export const port: FieldMaker = maker("port", 4, false, { limit: 0xffff });

/** 16 bytes, written as OVS writes a UUID. */
export const uuid: FieldMaker = maker("uuid", 16, false);

/** A u32 written as one of `words`, by value; the first, for 0, is not written. */
export function choice(
  name: string,
  offset: number,
  words: readonly string[],
  about: string,
): Field {
  const place = { offset, size: 4, bigEndian: false };
  return fieldOf(name, "choice", place, { about, words, limit: words.length - 1, initial: 0 });
}

/** Bytes without further structure. */
export function hex(name: string, offset: number, size: number): Field {
  return fieldOf(name, "hex", { offset, size, bigEndian: true }, {});
}

/** Named bits in a number; `full` has the bits that a match without a mask looks at. */
export function flagBits(
  name: string,
  offset: number,
  size: number,
  bigEndian: boolean,
  words: readonly (string | undefined)[],
  options: FieldOptions = {},
): Field {
  return fieldOf(name, "flags", { offset, size, bigEndian }, { radix: "hex", ...options, words });
}

/** The words for a number's range, made beforehand: a valid number costs no string. */
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
export function getField(field: Field, bytes: Uint8Array, base: number): number {
  const container = readContainer(bytes, base + field.offset, field.size, field.bigEndian);
  return field.bits === 32 ? container : (container >>> field.shift) & field.max;
}

/** Sets a field of up to 32 bits in the payload at `base`; the container's other bits are kept. */
export function setField(field: Field, bytes: Uint8Array, base: number, value: number): void {
  const at = base + field.offset;
  if (field.bits === field.size * 8) {
    writeContainer(bytes, at, field.size, field.bigEndian, value);
    return;
  }
  const container = readContainer(bytes, at, field.size, field.bigEndian);
  const rest = container & ~(field.max << field.shift);
  writeContainer(bytes, at, field.size, field.bigEndian, (rest | (value << field.shift)) >>> 0);
}

/**
 * Whether the field is a number in its container; {@link getField} and {@link setField} take only
 * such fields.
 */
export function holdsNumber(field: Field): boolean {
  return field.size <= 4;
}

/** Sets the mask of a field to the one implied by text without a mask. */
export function setFull(field: Field, bytes: Uint8Array, mask: number): void {
  if (holdsNumber(field)) {
    setField(field, bytes, mask, field.full);
    return;
  }
  const at = mask + field.offset;
  for (let i = 0; i < field.size; i++) bytes[at + i] = 0xff;
}

/** Whether all bits of a field are matched, or none is and the field is zero. */
export function isFieldExact(field: Field, bytes: Uint8Array, key: number, mask: number): boolean {
  const bits = getField(field, bytes, mask);
  return bits === field.full || (bits === 0 && getField(field, bytes, key) === 0);
}

/** As {@link isFieldExact}, for bytes. */
export function areBytesExact(bytes: Uint8Array, key: number, mask: number, size: number): boolean {
  let ones = true;
  let zeros = true;
  for (let i = 0; i < size; i++) {
    if (bytes[mask + i] !== 0xff) ones = false;
    if (bytes[mask + i] !== 0 || bytes[key + i] !== 0) zeros = false;
  }
  return ones || zeros;
}
