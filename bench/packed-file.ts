import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Messages of a piece, as in bench/peers/limit.c. */
const PIECE_MESSAGES = 16_384;
const PIECE_BYTES = PIECE_MESSAGES * 256;
/** The longest message fits. */
const READ_BYTES_MIN = 256 << 10;
const HEADER_WORDS = 4;

/**
 * Netlink messages back to back in a file, read a piece at a time into reused memory: in a guest, a
 * fresh page costs as much as a hundred flows.
 */
export class PackedFile implements Disposable {
  /** The piece read last. */
  readonly words: Uint32Array = new Uint32Array(PIECE_BYTES >> 2);
  /** Messages of the whole file. */
  readonly flows: number;
  /** The number of messages read. */
  position = 0;

  readonly #fd: number;
  readonly #bytes: Uint8Array = new Uint8Array(this.words.buffer);
  #offset = 0;

  constructor(path: string) {
    this.#fd = openSync(path, "r");
    const { size } = fstatSync(this.#fd);
    while (this.#offset < size) this.read(PIECE_MESSAGES);
    this.flows = this.position;
  }

  rewind(): void {
    this.position = 0;
    this.#offset = 0;
  }

  /** Reads at most `count` messages. @returns the words of the piece that they fill */
  read(count: number): number {
    const most = Math.min(count, PIECE_MESSAGES);
    const wanted = Math.min(PIECE_BYTES, Math.max(most * 256, READ_BYTES_MIN));
    const got = readSync(this.#fd, this.#bytes, 0, wanted, this.#offset) >> 2;
    let length = 0;
    let messages = 0;
    while (messages < most && length + HEADER_WORDS <= got) {
      const words = (this.words[length] ?? 0) >> 2;
      if (words < HEADER_WORDS) throw new Error(`no netlink message at ${this.#offset}`);
      if (length + words > got) break;
      length += words;
      messages++;
    }
    if (messages === 0) throw new Error("the file ends within a message");
    this.position += messages;
    this.#offset += length << 2;
    return length;
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
