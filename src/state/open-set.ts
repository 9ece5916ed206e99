import { detect } from "../format/detect.ts";
import { bytesSource, type ByteSource, UnreadableInputError } from "../format/source.ts";
import { MillraceError } from "../sys/errors.ts";
import { readSnapshotFacts } from "./restore.ts";
import type { SnapshotFacts } from "./snapshot-facts.ts";

/** An input of flows, not read yet, and what it says of its datapath. */
export type OpenSet = {
  readonly source: ByteSource;
  /** Undefined if it is not a snapshot. */
  readonly facts: SnapshotFacts | undefined;
};

/**
 * Looks whether an input is a snapshot, and reads its facts, which are at its end: before its flows
 * can be read, the numbers of its ports must be known. A snapshot from a pipe is kept in memory.
 * @throws UnreadableInputError if it is damaged; MillraceError `INTERRUPTED`
 */
export async function openSet(opened: ByteSource, signal?: AbortSignal): Promise<OpenSet> {
  try {
    return await lookInto(opened, signal);
  } catch (error) {
    // An open pipe would keep the process alive.
    opened.close();
    throw error;
  }
}

async function lookInto(opened: ByteSource, signal: AbortSignal | undefined): Promise<OpenSet> {
  const { format, source } = await untilAborted(detect(opened), signal);
  if (format !== "msgpack") return { source: reread(opened, source), facts: undefined };
  const again = opened.reopen === undefined ? await kept(source, signal) : undefined;
  const facts = await readSnapshotFacts(again ?? source);
  source.close();
  if (again === undefined) return { source: reopened(opened), facts };
  again.rewind?.();
  return { source: again, facts };
}

/** The input from its first byte on, after its format was detected. */
function reread(opened: ByteSource, detected: ByteSource): ByteSource {
  if (opened.reopen === undefined || detected === opened) return detected;
  detected.close();
  return reopened(opened);
}

function reopened({ name, reopen }: ByteSource): ByteSource {
  const again = reopen?.();
  if (again !== undefined) return again;
  throw new UnreadableInputError(`cannot read ${name}: it changed while it was read`);
}

async function kept(source: ByteSource, signal: AbortSignal | undefined): Promise<ByteSource> {
  const pieces: Uint8Array[] = [];
  const buffer = new Uint8Array(1 << 20);
  for (;;) {
    const count = await untilAborted(source.read(buffer, 0), signal);
    if (count === 0) return bytesSource(source.name, Buffer.concat(pieces));
    pieces.push(buffer.slice(0, count));
  }
}

/** Waiting for a pipe or a terminal must be abortable. */
async function untilAborted<T>(work: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!(work instanceof Promise) || signal === undefined) return work;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void =>
    reject(new MillraceError("INTERRUPTED", "interrupted while its input was read"));
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
