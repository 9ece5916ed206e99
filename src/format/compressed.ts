import { type ByteSource, streamSource, UnreadableInputError } from "./source.ts";

/** How an input may be compressed: what `gzip` and `zstd` write. */
type Compression = "gzip" | "zstd";

/** Compressed bytes are read in pieces of this size; what they hold comes in pieces, too. */
const PIECE_BYTES = 64 << 10;

/** How an input that begins with `first` is compressed; undefined where it is not. */
export function compressionOf(first: Uint8Array): Compression | undefined {
  const [a = 0, b, c, d] = first;
  if (a === 0x1f && b === 0x8b && c === 0x08) return "gzip";
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return "zstd";
  // A frame that is to be skipped: pzstd puts one first.
  if ((a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18) return "zstd";
  return undefined;
}

/**
 * What a compressed input holds. It has to be waited for, and is read once. Memory is bounded, however much a
 * few bytes stand for. Input that is damaged or cut is an {@link UnreadableInputError} where it is.
 * @param source which is this one's from now on
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
    ? `it is compressed by ${compression}, and ends too early`
    : `it is compressed by ${compression}, and damaged (${said})`;
  return new UnreadableInputError(`cannot read ${name}: ${reason}`, { cause });
}
