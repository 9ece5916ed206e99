import type { ByteSource } from "./source.ts";
import { LineReader } from "./text-lines.ts";

/**
 * Lines of an input that can be read again: asking for one reads the input again up to it. Nothing
 * is kept until then.
 */
export class RereadLines {
  readonly #open: () => ByteSource | undefined;
  #lines: LineReader | undefined;

  /**
   * @param open opens the input from its beginning; returns undefined, or throws, if it has changed
   */
  constructor(open: () => ByteSource | undefined) {
    this.#open = open;
  }

  /**
   * The bytes of a line, without its newline, valid until the next call; undefined if they are
   * gone.
   */
  textOf(line: number): Uint8Array | undefined {
    try {
      if (this.#lines !== undefined && this.#lines.line > line) this.close();
      const source = this.#lines === undefined ? this.#open() : undefined;
      if (source !== undefined) this.#lines = new LineReader(source);
      const lines = this.#lines;
      if (lines === undefined) return undefined;
      while (lines.line < line) if (!lines.next() && lines.fill() !== true) return undefined;
      return lines.buffer.subarray(lines.start, lines.end);
    } catch {
      return undefined;
    }
  }

  close(): void {
    this.#lines?.close();
    this.#lines = undefined;
  }
}
