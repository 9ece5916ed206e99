/** Bytes that hold whole lines, from `start` to `end`; the first one has number `line`. */
type LineBlock = {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly line: number;
};

/** The most blocks that are kept: 2 MiB of lines. Of a batch that is longer, comments say, the first are lost. */
const BLOCKS_MAX = 8;

const NEWLINE = 10;

/**
 * Lines that were read and may be asked for again, those of the flows on their way, in the buffers that
 * they were read into. The buffers go round.
 */
export class KeptLines {
  readonly #blocks: LineBlock[] = [];
  readonly #spare: Uint8Array[] = [];
  /** Where the line that was found last is: they are asked for in their order. */
  #found: { bytes: Uint8Array; line: number; at: number } = {
    bytes: new Uint8Array(0),
    line: 0,
    at: 0,
  };

  /** Keeps a block: its bytes are not the caller's any more. */
  add(block: LineBlock): void {
    this.#blocks.push(block);
    if (this.#blocks.length > BLOCKS_MAX) this.#release(1);
  }

  /** A buffer that no kept line is in. */
  takeBuffer(length: number): Uint8Array {
    const spare = this.#spare.pop();
    return spare?.length === length ? spare : new Uint8Array(new ArrayBuffer(length));
  }

  /** The lines that are kept are not asked for any more. */
  clear(): void {
    this.#release(this.#blocks.length);
    this.#found.line = 0;
  }

  /** The bytes of a line, without its newline; undefined where it is not kept. @param current what follows the blocks */
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
