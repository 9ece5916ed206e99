import { writeSync } from "node:fs";
import type { Readable } from "node:stream";

/** The target of a stream of the command. */
export type OutputTarget =
  "inherit" | "ignore" | "pipe" | ((chunk: Uint8Array) => void | Promise<void>);

/** Writes all of `chunk` to a descriptor of this process, waiting while it is full. */
async function writeAll(fd: number, chunk: Uint8Array): Promise<boolean> {
  for (let done = 0; done < chunk.length;) {
    try {
      done += writeSync(fd, chunk, done);
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : undefined;
      if (code === "EAGAIN") await Bun.sleep(2);
      else if (code !== "EINTR") return false;
    }
  }
  return true;
}

/**
 * Carries `source` to `target` until it ends. Returns the output for "pipe", otherwise nothing.
 *
 * A closed reader (EPIPE) is not a failure: the rest is read and dropped, so that the command does
 * not hang.
 */
export async function carryOutput(
  source: Readable,
  target: OutputTarget,
  fd: 1 | 2,
): Promise<Uint8Array> {
  const kept: Uint8Array[] = [];
  let open = true;
  for await (const chunk of source) {
    if (!(chunk instanceof Uint8Array)) continue;
    if (target === "pipe") kept.push(chunk);
    else if (target === "inherit") open = open && (await writeAll(fd, chunk));
    else if (target !== "ignore") await target(chunk);
  }
  return Buffer.concat(kept);
}

/** The lines of a stream, without their newlines. A serial line may add carriage returns. */
export async function* lines(source: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of source) {
    const parts = (rest + String(chunk)).split("\n");
    rest = parts.pop() ?? "";
    for (const part of parts) yield part.replaceAll("\r", "");
  }
}
