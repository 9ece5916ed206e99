import { existsSync, fstatSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import type { Writable } from "node:stream";
import { visibleInGuest } from "./cache.ts";

/** The source of the command's standard input. */
export type InputSource = "inherit" | "ignore" | Uint8Array | AsyncIterable<Uint8Array>;

/** Sends a command's input to its guest. */
export type InputSender = {
  /** Sends one piece; resolves when there is room for another, to false if nobody reads. */
  readonly send: (piece: Uint8Array) => Promise<boolean>;
  readonly end: () => void;
  /** Called with the guest's acknowledgement on the control channel. */
  readonly took: (name: string) => void;
};

/** The largest piece sent at once; the guest holds it in memory. */
const PIECE_BYTES = 1024 * 1024;
/** The most pieces that the guest has not taken yet. */
const PIECES_MAX = 4;

/** Sends pieces as files `spool.N` that the guest reads and removes. */
export function spoolSender(spool: string, control: Writable): InputSender {
  const count = { sent: 0, taken: 0 };
  let room = Promise.withResolvers<void>();
  return {
    send: async (piece) => {
      writeFileSync(`${spool}.${count.sent}`, piece);
      control.write(`${count.sent}\n`);
      count.sent += 1;
      while (count.sent - count.taken >= PIECES_MAX && !control.destroyed) await room.promise;
      return !control.destroyed;
    },
    end: () => control.write("end\n"),
    took: (name) => {
      // Removed here too, since a guest that may not write cannot remove it.
      rmSync(`${spool}.${Number(name)}`, { force: true });
      count.taken += 1;
      room.resolve();
      room = Promise.withResolvers<void>();
    },
  };
}

/**
 * Sends `source` until it ends, or until nobody reads. Chunks that arrive together are sent
 * together.
 */
export async function sendInput(
  source: AsyncIterable<Uint8Array>,
  sender: InputSender,
): Promise<void> {
  const chunks = source[Symbol.asyncIterator]();
  let next = chunks.next();
  for (;;) {
    const first = await next;
    if (first.done === true) break;
    const piece = [first.value];
    let size = first.value.length;
    next = chunks.next();
    while (size < PIECE_BYTES) {
      const more = await Promise.race([next, Bun.sleep(1)]);
      if (more === undefined || more.done === true) break;
      piece.push(more.value);
      size += more.value.length;
      next = chunks.next();
    }
    const bytes = Buffer.concat(piece);
    for (let start = 0; start < size; start += PIECE_BYTES) {
      if (!(await sender.send(bytes.subarray(start, start + PIECE_BYTES)))) return;
    }
  }
  sender.end();
}

/** A source of input as an iterable. */
export function inputChunks(source: Exclude<InputSource, "ignore">): AsyncIterable<Uint8Array> {
  if (source === "inherit") return Bun.stdin.stream();
  if (source instanceof Uint8Array) return single(source);
  return source;
}

async function* single(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** The path of this process's standard input, if it is a regular file that was not read yet. */
export function inputFile(): string | undefined {
  try {
    if (!fstatSync(0).isFile()) return undefined;
    const path = readlinkSync("/proc/self/fd/0");
    const position = /^pos:\s+(\d+)$/m.exec(readFileSync("/proc/self/fdinfo/0", "utf8"))?.[1];
    // Another path may have replaced the file, or the guest may not see it.
    return position === "0" && visibleInGuest(path) && existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}
