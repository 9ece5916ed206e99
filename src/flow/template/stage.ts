import type { AttributeWriter } from "../../netlink/attribute-writer.ts";
import type { PortNames } from "../ports.ts";
import type { PinnedMemory } from "../../sys/memory.ts";
import {
  clearBits,
  HOLE_BE64,
  HOLE_IPV4,
  HOLE_MAC,
  HOLE_SKIP,
  isBits,
  putNumber,
  VALUE_MAX,
} from "../shape/hole.ts";
import type { Layout } from "../shape/layout.ts";
import type { CompiledTemplate, Place } from "./compile.ts";
import { bytesOf, isBytes, numberOf, type TemplateValue } from "./values.ts";

/** Returned by {@link Stage.put}: the row is a flow, but a zero gives its message another form. */
export const PUT_AS_TEXT = -2;

/** The number of rows staged together. */
export const STAGE_ROWS = 1024;

/**
 * The values of one hole, one per row, in an array or a typed array. A `Uint8Array` for addresses
 * holds their bytes back to back, in network order: 6 per row for MAC, 16 for IPv6, 4 for IPv4.
 * IPv4 addresses as numbers come in a `Uint32Array`.
 */
export type TemplateColumn = readonly TemplateValue[] | TypedColumn;

type TypedColumn =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/**
 * The values of some rows, by hole: numbers, and for MAC and IPv6 addresses and numbers of 64 bits
 * bytes. Allocated once.
 */
export class Stage {
  readonly #layout: Layout;
  readonly #places: readonly Place[];
  readonly #ports: PortNames | undefined;
  /** For bytes: zero, or NaN if there are none. */
  readonly #numbers: Float64Array;
  readonly #bytes: Uint8Array;

  constructor(template: CompiledTemplate, ports: PortNames | undefined) {
    const { layout, places } = template;
    this.#layout = layout;
    this.#places = places;
    this.#ports = ports;
    this.#numbers = new Float64Array(places.length * STAGE_ROWS);
    const anyBytes = layout.kind.some(isBytes);
    this.#bytes = new Uint8Array(anyBytes ? places.length * STAGE_ROWS * VALUE_MAX : 0);
  }

  /** Takes the value of a hole in one row; {@link put} checks it. */
  set(hole: number, row: number, value: TemplateValue | undefined): void {
    const at = hole * STAGE_ROWS + row;
    const kind = this.#layout.kind[hole]!;
    const place = this.#places[hole];
    if (value === undefined || place === undefined) {
      this.#numbers[at] = Number.NaN;
    } else if (isBytes(kind)) {
      const good = bytesOf(value, kind, this.#bytes, at * VALUE_MAX);
      this.#numbers[at] = good ? 0 : Number.NaN;
    } else {
      this.#numbers[at] = numberOf(value, place, this.#layout.max[hole]!, this.#ports);
    }
  }

  /** Takes the values `first` to `first + count` of a column. */
  setColumn(hole: number, column: TemplateColumn, first: number, count: number): void {
    const at = hole * STAGE_ROWS;
    const kind = this.#layout.kind[hole]!;
    const packed = packedBytes(column, kind, this.#layout.size[hole]!, this.#places[hole]);
    if (column instanceof Uint8Array && packed > 0) {
      if (isBytes(kind)) this.#setBytes(at, column, packed, first, count);
      else this.#setWords(at, column, first, count);
    } else if (!isBytes(kind) && isNumeric(column)) {
      this.#numbers.set(column.subarray(first, first + count), at);
    } else {
      for (let row = 0; row < count; row++) this.set(hole, row, column[first + row]);
    }
  }

  /**
   * Appends the flow of a row to the writer; a writer without room is left failed.
   * @returns -1; or, with nothing appended, the hole whose value does not fit, or
   * {@link PUT_AS_TEXT}
   */
  put(row: number, writer: AttributeWriter): number {
    const layout = this.#layout;
    const base = layout.place(writer);
    if (base < 0) {
      writer.failed = true;
      return -1;
    }
    const holes = layout.kind.length;
    let asText = false;
    for (let hole = 0; hole < holes; hole++) {
      if (this.#putHole(hole, row, 1, writer.memory.u8, base, 0) === 1) continue;
      if (!fits(this.#numbers[hole * STAGE_ROWS + row]!, layout.max[hole]!)) return hole;
      asText = true;
    }
    if (asText) return PUT_AS_TEXT;
    layout.finish(writer, base);
    return -1;
  }

  /** The value of a hole in one row, which fits, as text. */
  textOf(hole: number, row: number): string {
    const kind = this.#layout.kind[hole]!;
    const at = hole * STAGE_ROWS + row;
    // Any value is accepted there.
    if (kind === HOLE_SKIP) return "0";
    if (!isBytes(kind)) {
      const number = this.#numbers[at]!;
      return kind === HOLE_IPV4 ? ipv4Text(number) : String(number);
    }
    const from = at * VALUE_MAX;
    const hex = this.#bytes.subarray(from, from + this.#layout.size[hole]!).toHex();
    if (kind === HOLE_BE64) return `0x${hex}`;
    return hex.replaceAll(kind === HOLE_MAC ? /..(?=.)/g : /.{4}(?=.)/g, "$&:");
  }

  /**
   * Puts rows from `row` on into copies of the message; the first is at `base`, each next one
   * `stride` bytes later. Works hole by hole, which is much faster than row by row.
   * @returns how many of the `count` rows precede the first one with a value that does not fit
   */
  putCopies(
    row: number,
    count: number,
    memory: PinnedMemory,
    base: number,
    stride: number,
  ): number {
    const layout = this.#layout;
    const holes = layout.kind.length;
    let good = count;
    for (let hole = 0; hole < holes; hole++) {
      good = this.#putHole(hole, row, good, memory.u8, base, stride);
    }
    layout.finishCopies(memory, base, stride, good);
    return good;
  }

  /**
   * Puts the values of one hole, from `row` on, into `count` copies.
   * @returns how many precede the first one that does not fit
   */
  #putHole(
    hole: number,
    row: number,
    count: number,
    out: Uint8Array,
    base: number,
    stride: number,
  ): number {
    const layout = this.#layout;
    const numbers = this.#numbers;
    const bytes = this.#bytes;
    const from = hole * STAGE_ROWS + row;
    const kind = layout.kind[hole]!;
    if (kind === HOLE_SKIP) return count;
    const at = layout.at[hole]!;
    const size = layout.size[hole]!;
    const max = layout.max[hole]!;
    const bits = layout.bits[hole]!;
    const shift = layout.shift[hole]!;
    const special = layout.special[hole]!;
    // The bits now there belong to another row.
    const cleared = isBits(kind) ? max << shift : 0;
    let copy = base;
    for (let i = 0; i < count; i++) {
      const value = numbers[from + i]!;
      if (!fits(value, max)) return i;
      const target = copy + at;
      if (kind >= HOLE_BE64) {
        const source = (from + i) * VALUE_MAX;
        for (let k = 0; k < size; k++) out[target + k] = bytes[source + k]!;
      } else {
        if (cleared !== 0) clearBits(out, target, size, cleared);
        putNumber(out, target, kind, value & bits, shift);
      }
      if (special !== 0 && !layout.settle(hole, out, copy)) return i;
      copy += stride;
    }
    return count;
  }

  #setBytes(at: number, column: Uint8Array, size: number, first: number, count: number): void {
    let from = first * size;
    for (let row = 0; row < count; row++) {
      const to = (at + row) * VALUE_MAX;
      for (let i = 0; i < size; i++) this.#bytes[to + i] = column[from++]!;
      this.#numbers[at + row] = 0;
    }
  }

  // IPv4 addresses, which are numbers here.
  #setWords(at: number, column: Uint8Array, first: number, count: number): void {
    const view = new DataView(column.buffer, column.byteOffset, column.byteLength);
    for (let row = 0; row < count; row++) {
      this.#numbers[at + row] = view.getUint32((first + row) * 4);
    }
  }
}

/** Bytes per row of a column that holds addresses back to back; 0 if each element is a value. */
export function packedBytes(
  column: TemplateColumn,
  kind: number,
  size: number,
  place: Place | undefined,
): number {
  if (!(column instanceof Uint8Array)) return 0;
  if (place?.field?.kind === "ipv4") return 4;
  return isBytes(kind) && kind !== HOLE_BE64 ? size : 0;
}

function isNumeric(
  column: TemplateColumn,
): column is Exclude<TypedColumn, BigUint64Array | BigInt64Array> {
  return (
    ArrayBuffer.isView(column) &&
    !(column instanceof BigUint64Array) &&
    !(column instanceof BigInt64Array)
  );
}

/** Whether a hole takes a number: it is whole and in range, which NaN is not. */
function fits(value: number, max: number): boolean {
  return value >= 0 && value <= max && value >>> 0 === value;
}

function ipv4Text(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}
