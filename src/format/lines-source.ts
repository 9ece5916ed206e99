import { brokenOff, type ByteSource, UnreadableInputError } from "./source.ts";

/**
 * Lines from a script, one flow each; the newline is added. What they throw is thrown, as the input that breaks
 * off, once those before are read.
 */
export function linesSource(
  name: string,
  lines: Iterable<string> | AsyncIterable<string>,
): ByteSource {
  const stage = new LineStage(name);
  return Symbol.asyncIterator in lines ? asyncLines(stage, lines) : iterableLines(stage, lines);
}

function iterableLines(stage: LineStage, lines: Iterable<string>): ByteSource {
  const iterator = lines[Symbol.iterator]();
  let failure: UnreadableInputError | undefined;
  // An iterator that throws has ended, too: it is not to be left, then.
  let ended = false;
  return {
    name: stage.name,
    size: undefined,
    read: (buffer, offset) => {
      if (failure !== undefined) throw failure;
      let filled = 0;
      try {
        // As many lines as fit: a read a line would be slow.
        while (offset + filled < buffer.length) {
          if (stage.empty) {
            ended = true;
            const next = iterator.next();
            if (next.done === true) break;
            ended = false;
            stage.put(next.value);
          }
          filled += stage.take(buffer, offset + filled);
        }
      } catch (cause) {
        failure = stage.unreadable(cause);
        // The lines before are good: they go first.
        if (filled === 0) throw failure;
      }
      return filled;
    },
    // As a loop that is left: the generator's own clean-up runs.
    close: () => {
      if (!ended) iterator.return?.();
    },
  };
}

/** A line as it comes: who feeds lines one by one wants them to go out. */
function asyncLines(stage: LineStage, lines: AsyncIterable<string>): ByteSource {
  const iterator = lines[Symbol.asyncIterator]();
  let ended = false;
  return {
    name: stage.name,
    size: undefined,
    read: async (buffer, offset) => {
      try {
        if (stage.empty) {
          const next = await iterator.next();
          ended = next.done === true;
          if (next.done === true) return 0;
          stage.put(next.value);
        }
        return stage.take(buffer, offset);
      } catch (cause) {
        throw stage.unreadable(cause);
      }
    },
    // Whether that goes well is no matter of the load.
    close: () => {
      if (!ended) void iterator.return?.().catch(() => undefined);
    },
  };
}

/** A line from a script, while its bytes are being read. */
class LineStage {
  readonly name: string;
  readonly #encoder = new TextEncoder();
  #left: Uint8Array = new Uint8Array(0);
  #lines = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Its bytes are all read. */
  get empty(): boolean {
    return this.#left.length === 0;
  }

  /** Puts the next line. @throws UnreadableInputError where it is more than one */
  put(text: string): void {
    const line = text.replace(/\r?\n$/, "");
    if (line.includes("\n")) {
      throw new UnreadableInputError(
        `cannot read ${this.name}: a newline within the flow "${line}"`,
      );
    }
    this.#left = this.#encoder.encode(`${line}\n`);
    this.#lines++;
  }

  /** @returns how many of its bytes were put into `buffer` */
  take(buffer: Uint8Array, offset: number): number {
    const count = Math.min(this.#left.length, buffer.length - offset);
    buffer.set(this.#left.subarray(0, count), offset);
    this.#left = this.#left.subarray(count);
    return count;
  }

  /** What it is that the script threw instead of the next line. */
  unreadable(cause: unknown): UnreadableInputError {
    return brokenOff(`line ${this.#lines + 1} of ${this.name}`, cause);
  }
}
