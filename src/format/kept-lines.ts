/** Bytes that hold complete lines, from `start` to `end`; the first is line number `line`. */
type LineBlock = {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly line: number;
};

/**
 * The most blocks that are kept: 2 MiB of lines. A longer batch, for example because of comments,
 * loses the first.
 */
const BLOCKS_MAX = 8;

const NEWLINE = 10;

/**
 * Lines of the flows in flight, which may be asked for again, in the buffers into which they were
 * read. The buffers are reused.
 */
export class KeptLines {
  readonly #blocks: LineBlock[] = [];
  readonly #spare: Uint8Array[] = [];
  /** The place of the line found last, since lines are asked for in order. */
  #found: { bytes: Uint8Array; line: number; at: number } = {
    bytes: new Uint8Array(0),
    line: 0,
    at: 0,
  };

  /** Keeps a block and owns its bytes from now on. */
  add(block: LineBlock): void {
    this.#blocks.push(block);
    if (this.#blocks.length > BLOCKS_MAX) this.#release(1);
  }

  /** A buffer without kept lines. */
  takeBuffer(length: number): Uint8Array {
    const spare = this.#spare.pop();
    return spare?.length === length ? spare : new Uint8Array(new ArrayBuffer(length));
  }

  /** Drops the kept lines. */
  clear(): void {
    this.#release(this.#blocks.length);
    this.#found.line = 0;
  }

  /**
   * The bytes of a line, without its newline; undefined if it is not kept.
   * @param current the lines after the blocks
   */
  find(line: number, current: LineBlock): Uint8Array | undefined {
    const block = [...this.#blocks, current].findLast((kept) => kept.line <= line);
    if (block === undefined) return undefined;
    const { bytes, end } = block;
    const found = this.#found;
    const goesOn = found.bytes === bytes && found.line >= block.line && found.line <= line;
    let at = goesOn ? found.at : block.start;
    for (let number = goesOn ? found.line : block.line; number < line; number++) {
      at = bytes.indexOf(NEWLINE, at) + 1;
      if (at === 0 || at >= end) return undefined;
    }
    this.#found = { bytes, line, at };
    const newline = bytes.indexOf(NEWLINE, at);
    return bytes.subarray(at, newline < 0 || newline > end ? end : newline);
  }

  #release(count: number): void {
    for (const { bytes } of this.#blocks.splice(0, count)) {
      if (this.#spare.length < BLOCKS_MAX) this.#spare.push(bytes);
    }
  }
}
