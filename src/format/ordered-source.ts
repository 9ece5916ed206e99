import { UnreadableInputError, type ByteSource } from "./source.ts";

/** The window that lines are read through. */
const WINDOW_BYTES = 256 << 10;

/** What is read behind a jump: most lines after one are jumps, too. */
const JUMP_BYTES = 4096;

const NEWLINE = Uint8Array.of(10);

/** A source that can be read at any place. */
export type PlacedSource = ByteSource & Required<Pick<ByteSource, "readAt" | "reopen">>;

/** Whether a source can be read in another order. */
export function isPlaced(source: ByteSource): source is PlacedSource {
  return source.readAt !== undefined && source.reopen !== undefined;
}

/** Lines of an input in another order, as the bytes of an input. Memory does not grow with it. */
export class OrderedSource implements ByteSource {
  readonly name: string;
  readonly size: number | undefined;
  readonly reopen: () => ByteSource | undefined;
  readonly #source: PlacedSource;
  readonly #starts: Float64Array;
  readonly #order: Int32Array;
  /** The next line is `#order[#next]`, of which `#given` bytes are given. */
  #next = 0;
  #given = 0;
  readonly #window = new Uint8Array(WINDOW_BYTES);
  #windowStart = 0;
  #windowEnd = 0;

  /**
   * @param source owned by this
   * @param starts where the lines begin, and where the last one ends, with its newline
   * @param order indices of the lines
   */
  constructor(source: PlacedSource, starts: Float64Array, order: Int32Array) {
    this.name = source.name;
    this.size = source.size;
    this.reopen = source.reopen;
    this.#source = source;
    this.#starts = starts;
    this.#order = order;
  }

  read(buffer: Uint8Array, offset: number): number {
    let at = offset;
    while (at < buffer.length && this.#next < this.#order.length) {
      const line = this.#order[this.#next]!;
      const start = this.#starts[line]! + this.#given;
      const wanted = this.#starts[line + this.#linesInARow()]! - start;
      const piece = this.#piece(start, Math.min(wanted, buffer.length - at), wanted);
      buffer.set(piece, at);
      at += piece.length;
      this.#forward(line, start + piece.length);
    }
    return at - offset;
  }

  close(): void {
    this.#source.close();
  }

  /** How many of the next lines follow one another in the input. */
  #linesInARow(): number {
    const order = this.#order;
    let count = 1;
    while (order[this.#next + count] === order[this.#next]! + count) count++;
    return count;
  }

  // Moves to the byte `place` of the input, in the line or one of those in a row with it.
  #forward(line: number, place: number): void {
    let at = line;
    for (; at + 1 < this.#starts.length && this.#starts[at + 1]! <= place; at++) this.#next++;
    this.#given = this.#order[this.#next] === at ? place - this.#starts[at]! : 0;
  }

  // Some of the bytes from `start` on, at most `most`, of `wanted` that will be asked for.
  #piece(start: number, most: number, wanted: number): Uint8Array {
    if (start < this.#windowStart || start >= this.#windowEnd) {
      const isEnd = start + 1 === this.#starts.at(-1);
      if (!this.#load(start, wanted)) {
        // The input's last line may have no newline.
        if (isEnd) return NEWLINE;
        throw changedWhileRead(this.name);
      }
    }
    const from = start - this.#windowStart;
    return this.#window.subarray(from, Math.min(from + most, this.#windowEnd - this.#windowStart));
  }

  #load(start: number, wanted: number): boolean {
    const goesOn = start === this.#windowEnd;
    const length = goesOn ? WINDOW_BYTES : Math.min(WINDOW_BYTES, Math.max(JUMP_BYTES, wanted));
    const count = this.#source.readAt(this.#window.subarray(0, length), start);
    this.#windowStart = start;
    this.#windowEnd = start + count;
    return count > 0;
  }
}

/** The error for an input that is not what it was when it was read first. */
export function changedWhileRead(name: string): UnreadableInputError {
  return new UnreadableInputError(`cannot read ${name}: it was changed while it was read`);
}
