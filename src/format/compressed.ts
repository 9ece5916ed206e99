import { type ByteSource, streamSource, UnreadableInputError } from "./source.ts";

/** The supported compressions: the formats of `gzip` and `zstd`. */
export type Compression = "gzip" | "zstd";

/** Compressed bytes are read in pieces of this size; their content also comes in pieces. */
const PIECE_BYTES = 64 << 10;

/**
 * The content of a compressed input. It is asynchronous, and can be read once. Memory is bounded,
 * even if a few bytes expand to many. Damaged or truncated input throws an
 * {@link UnreadableInputError} when the damage is reached.
 * @param source owned by the result
 */
export function decompressed(source: ByteSource, compression: Compression): ByteSource {
  let taken = 0;
  let closed = false;
  const pull = async (
    controller: ReadableStreamDefaultController<Bun.BufferSource>,
  ): Promise<void> => {
    if (closed) return;
    const piece = new Uint8Array(PIECE_BYTES);
    const count = await source.read(piece, 0);
    taken += count;
    if (count === 0) controller.close();
    else controller.enqueue(piece.subarray(0, count));
  };
  const bytes = new ReadableStream<Bun.BufferSource>({ pull }, { highWaterMark: 1 });
  const plain = streamSource(
    source.name,
    () => bytes.pipeThrough(new DecompressionStream(compression)),
    (cause) => damaged(source.name, compression, cause),
  );
  const close = (): void => {
    closed = true;
    plain.close();
    source.close();
  };
  return { ...plain, size: source.size, taken: () => taken, close };
}

function damaged(name: string, compression: Compression, cause: unknown): UnreadableInputError {
  if (cause instanceof UnreadableInputError) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  const reason = said.includes("end of file")
    ? `it is compressed by ${compression}, and was cut short: its end is missing`
    : `it is compressed by ${compression}, and damaged (${said})`;
  return new UnreadableInputError(`cannot read ${name}: ${reason}`, { cause });
}
