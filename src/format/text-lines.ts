import { assert } from "../sys/errors.ts";
import { KeptLines } from "./kept-lines.ts";
import { type ByteSource, UnreadableInputError } from "./source.ts";

/** Small enough to stay in the cache, and cheap to touch for the first time. */
const BUFFER_BYTES = 256 << 10;

/**
 * The longest line. The longest flow that netlink can carry (64 KiB each of key, mask and actions)
 * is shorter in text.
 */
export const LINE_BYTES_MAX: number = 1 << 20;
export const TOO_LONG_LINE: string = `longer than ${LINE_BYTES_MAX} bytes`;

/** How many bytes are searched for a zero: text has none, a binary file has one early. */
const BINARY_LOOK_BYTES = 8192;

const NEWLINE = 10;

/**
 * Cuts a source into lines, through one reused buffer: memory does not grow with the input. A
 * line's bytes are `buffer[start..end)`, without the newline, valid until {@link fill}.
 */
export class LineReader {
  readonly source: ByteSource;
  buffer: Uint8Array = new Uint8Array(new ArrayBuffer(BUFFER_BYTES));
  start = 0;
  end = 0;
  /** 1-based number of the current line. */
  line = 0;
  /**
   * Whether the current line is longer than {@link LINE_BYTES_MAX}: it was skipped, and its bytes
   * are gone.
   */
  overlong = false;
  /** Bytes taken from the source so far. */
  bytesRead = 0;

  #position = 0;
  #filled = 0;
  #ended = false;
  /** Whether the rest of an overlong line is being skipped. */
  #skipping = false;
  readonly #kept = new KeptLines();
  readonly #isWhole: boolean;
  /** The first line that may be asked for again. */
  #keptFrom = Number.POSITIVE_INFINITY;
  /** The number of the buffer's first line, and where it begins. */
  #firstLine = 1;
  #firstStart = 0;

  /**
   * @param isWhole whether the source begins as a file does: only there is a byte order mark passed
   * over, and a binary file told
   */
  constructor(source: ByteSource, isWhole = true) {
    this.source = source;
    this.#isWhole = isWhole;
  }

  /**
   * Moves to the next line that is complete in the buffer.
   * @returns false when {@link fill} is due.
   */
  next(): boolean {
    const newline = this.buffer.indexOf(NEWLINE, this.#position);
    if (newline < 0 || newline >= this.#filled) return this.#last();
    this.#take(this.#position, newline);
    this.#position = newline + 1;
    return true;
  }

  /**
   * Reads more. The current line's bytes become invalid.
   * @returns false at the end of the input, a promise if the source has nothing yet
   * @throws UnreadableInputError if the input is binary
   */
  fill(): boolean | Promise<boolean> {
    if (this.#ended) return false;
    const rest = this.#filled - this.#position;
    if (rest < this.buffer.length) this.#makeRoom(rest);
    else this.#grow();
    this.#position = this.#firstStart = 0;
    this.#firstLine = this.line + 1;
    const read = this.source.read(this.buffer, this.#filled);
    return typeof read === "number"
      ? this.#accept(read)
      : read.then((count) => this.#accept(count));
  }

  /** Says that lines after number `line` may be asked for again, and earlier ones may not. */
  keepFrom(line: number): void {
    this.#keptFrom = line + 1;
    this.#kept.clear();
  }

  /** The bytes of a line that was read before and may be asked for; undefined if they are gone. */
  textOf(line: number): Uint8Array | undefined {
    if (line < this.#keptFrom || line > this.line) return undefined;
    const { buffer: bytes } = this;
    const current = { bytes, start: this.#firstStart, end: this.#position, line: this.#firstLine };
    return this.#kept.find(line, current);
  }

  close(): void {
    this.source.close();
  }

  #accept(count: number): boolean {
    assert(count >= 0 && this.#filled + count <= this.buffer.length, "a source overran the buffer");
    const first = this.#isWhole && this.bytesRead === 0;
    if (first) this.#refuseBinary(count);
    this.bytesRead += count;
    // Skips a byte order mark, which some editors write first.
    if (first && isByteOrderMark(this.buffer, count)) {
      this.#position = this.#firstStart = 3;
    }
    this.#filled += count;
    if (count === 0) {
      this.#ended = true;
      return this.#filled > 0 || this.#skipping;
    }
    return true;
  }

  #refuseBinary(count: number): void {
    const zero = this.buffer.indexOf(0);
    if (zero < 0 || zero >= Math.min(count, BINARY_LOOK_BYTES)) return;
    throw new UnreadableInputError(
      `cannot read ${this.source.name}: it is a binary file, not flows in text (a zero byte at ${zero})`,
    );
  }

  // The last line may lack its newline.
  #last(): boolean {
    if (!this.#ended || (this.#position >= this.#filled && !this.#skipping)) return false;
    this.#take(this.#position, this.#filled);
    this.#position = this.#filled;
    return true;
  }

  #take(start: number, end: number): void {
    this.start = start;
    this.end = end;
    this.overlong = this.#skipping;
    this.#skipping = false;
    this.line++;
  }

  // Moves the remaining bytes to the front; to that of another buffer if lines of this one are
  // kept.
  #makeRoom(rest: number): void {
    const { buffer: bytes } = this;
    if (this.line < Math.max(this.#keptFrom, this.#firstLine)) {
      bytes.copyWithin(0, this.#position, this.#filled);
    } else {
      this.buffer = this.#kept.takeBuffer(bytes.length);
      this.buffer.set(bytes.subarray(this.#position, this.#filled));
      const end = this.#position;
      this.#kept.add({ bytes, start: this.#firstStart, end, line: this.#firstLine });
    }
    this.#filled = rest;
  }

  // Handles a full buffer without a newline: grows it, or at the limit drops the bytes.
  #grow(): void {
    if (this.buffer.length >= LINE_BYTES_MAX) {
      this.#skipping = true;
      this.#filled = 0;
      return;
    }
    const longer = new Uint8Array(new ArrayBuffer(this.buffer.length * 2));
    longer.set(this.buffer);
    this.buffer = longer;
  }
}

function isByteOrderMark(bytes: Uint8Array, count: number): boolean {
  return count >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}
