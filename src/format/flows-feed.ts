import type { MillraceErrorCode } from "../sys/error-codes.ts";
import { Flow } from "../flow/flow.ts";
import { ufidSeed } from "../flow/key/ufid.ts";
import { FlowLineEncoder, type FlowLineOptions, type LineVerb } from "../flow/line.ts";
import { FlowSyntaxError } from "../flow/text/syntax-error.ts";
import { type WrittenName, writeFlow } from "../flow/write.ts";
import type { FlowRequests } from "../ovs/flow-requests.ts";
import type { FlowFeed, LineNotes } from "./feed.ts";
import {
  type FlowRefusal,
  type Refusals,
  refusalOfSyntax,
  NO_KEY,
  TOO_LONG_MESSAGE,
} from "./refusals.ts";
import { brokenOff, UnreadableInputError } from "./source.ts";
import { LINE_BYTES_MAX, TOO_LONG_LINE } from "./text-lines.ts";

/** An item of a script: a line of text, or a flow, which never becomes text. */
export type FlowItem = string | Flow;

/** Initial room for lines; it grows. */
const TEXT_BYTES = 4096;

/** The most items taken per pump, since all may be comments. */
const ITEMS_PER_PUMP = 8192;

/**
 * The most items kept for quoting. A batch with more, for example because of comments, loses the
 * first.
 */
const KEPT_MAX = 65_536;

/** How the flows of a script are encoded. */
type FlowsFeedOptions = FlowLineOptions & {
  /**
   * Whether a {@link Flow} keeps its identity: its UFID, or its key as a kernel has it. Has no
   * effect on text.
   */
  readonly keepNames?: boolean;
};

/**
 * Flows of a script, one by one: lines of text and {@link Flow}s; each counts as a line. If the
 * script throws, the input counts as broken off, after the flows before it were taken.
 */
export class FlowsFeed implements FlowFeed {
  readonly name: string;
  readonly bytesTotal = undefined;
  bytesRead = 0;
  /** Items taken. */
  line = 0;
  readonly #source: SyncItems | AsyncItems;
  readonly #encoder: FlowLineEncoder;
  readonly #mode: LineVerb;
  readonly #flowName: WrittenName;
  readonly #onPump: () => void;
  readonly #utf8 = new TextEncoder();
  #text = new Uint8Array(TEXT_BYTES);
  /** An item that did not fit and is still to be encoded. */
  #repeated: FlowItem | undefined;
  /** Items in flight; the first is line `#keptFrom`. */
  #kept: FlowItem[] = [];
  #keptFrom = 1;
  #completed = 0;
  #headers = 0;
  #failure: UnreadableInputError | undefined;

  /**
   * @param name the name of the script in messages
   * @param onPump called before items are taken
   */
  constructor(
    name: string,
    items: Iterable<FlowItem> | AsyncIterable<FlowItem>,
    options: FlowsFeedOptions,
    onPump: () => void = () => {},
  ) {
    this.name = name;
    this.#onPump = onPump;
    this.#source = Symbol.asyncIterator in items ? new AsyncItems(items) : new SyncItems(items);
    this.#encoder = new FlowLineEncoder(options);
    this.#mode = options.mode ?? "put";
    this.#flowName =
      options.keepNames === true ? "kept" : options.ufid ? ufidSeed(options.owner) : "none";
  }

  get notes(): LineNotes {
    const members = [...this.#encoder.members];
    return { completed: this.#completed, passedOver: { headers: this.#headers, members } };
  }

  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    const { batch } = requests;
    this.#onPump();
    if (batch.count === 0) {
      // The outcome of earlier items is known and was reported.
      this.#kept = [];
      this.#keptFrom = this.line + 1;
    }
    for (let taken = 0; taken < ITEMS_PER_PUMP; taken++) {
      const item = this.#next();
      if (item === undefined) break;
      this.#repeated = undefined;
      this.line++;
      this.#keep(item);
      if (!this.#take(item, requests, refusals)) {
        if (batch.count === 0) {
          // A flow that does not fit an empty arena is longer than a netlink message can be.
          this.#refuse(refusals, "EMSGSIZE", TOO_LONG_MESSAGE);
        } else {
          this.line--;
          this.#kept.pop();
          this.#repeated = item;
        }
        return requests;
      }
      if (batch.full || refusals.full) return requests;
    }
    return undefined;
  }

  fill(): boolean | Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure;
    const more = this.#source.fill();
    return typeof more === "boolean"
      ? more
      : more.catch((cause: unknown) => {
          throw this.#brokenOff(cause);
        });
  }

  lineText(line: number): Uint8Array | undefined {
    const item = this.#kept[line - this.#keptFrom];
    return item === undefined ? undefined : this.#utf8.encode(textOf(item));
  }

  close(): void {
    this.#source.close();
  }

  // The item that did not fit, or the next one.
  #next(): FlowItem | undefined {
    if (this.#repeated !== undefined) return this.#repeated;
    try {
      const item = this.#source.next();
      if (typeof item !== "string" || !/\n./s.test(item)) return item;
      this.#source.close();
      const why = `a newline within the flow "${textOf(item)}"`;
      throw new UnreadableInputError(`cannot read ${this.name}: ${why}`);
    } catch (cause) {
      this.#failure = this.#brokenOff(cause);
      return undefined;
    }
  }

  // Returns false if there is no room for it.
  #take(item: FlowItem, requests: FlowRequests, refusals: Refusals): boolean {
    return item instanceof Flow
      ? this.#takeFlow(item, requests, refusals)
      : this.#takeText(textOf(item), requests, refusals);
  }

  #keep(item: FlowItem): void {
    if (this.#kept.length === KEPT_MAX) {
      this.#kept = [];
      this.#keptFrom = this.line;
    }
    this.#kept.push(item);
  }

  #takeText(text: string, requests: FlowRequests, refusals: Refusals): boolean {
    const size = this.#encodeText(text);
    if (size > LINE_BYTES_MAX) {
      this.#refuse(refusals, "LINE_TOO_LONG", TOO_LONG_LINE);
      return true;
    }
    const encoder = this.#encoder;
    const writer = requests.begin();
    try {
      if (!encoder.encode(this.#text, 0, size, this.line, writer)) {
        if (encoder.isHeader) this.#headers++;
        return true;
      }
    } catch (error) {
      if (!(error instanceof FlowSyntaxError)) throw error;
      refusals.add(refusalOfSyntax(this.line, error));
      return true;
    }
    if (!requests.commit(encoder.verb, this.line)) return false;
    if (encoder.completed) this.#completed++;
    return true;
  }

  #takeFlow(flow: Flow, requests: FlowRequests, refusals: Refusals): boolean {
    const { parts } = flow;
    const isDelete = this.#mode === "delete";
    if (parts.actions.start < 0 && !isDelete && this.#mode !== "modify") {
      this.#refuse(refusals, "NO_ACTIONS", "a flow without actions");
      return true;
    }
    const written = writeFlow(requests.begin(), parts, this.#flowName, !isDelete);
    if (written === "malformed") {
      this.#refuse(refusals, "MALFORMED", "the flow's key or mask cannot be read");
      return true;
    }
    if (written === "nameless" && isDelete) {
      this.#refuse(refusals, "NO_KEY", NO_KEY);
      return true;
    }
    return requests.commit(this.#mode, this.line);
  }

  // Returns the number of bytes of the text.
  #encodeText(text: string): number {
    if (text.length * 3 > this.#text.length) {
      const size = Buffer.byteLength(text);
      if (size > LINE_BYTES_MAX) return size;
      if (size > this.#text.length) this.#text = new Uint8Array(size * 2);
    }
    const { written } = this.#utf8.encodeInto(text, this.#text);
    this.bytesRead += written;
    return written;
  }

  #refuse(refusals: Refusals, code: MillraceErrorCode, reason: string): void {
    const refusal: FlowRefusal = { line: this.line, column: 1, code, reason, text: "" };
    refusals.add(refusal);
  }

  #brokenOff(cause: unknown): UnreadableInputError {
    return brokenOff(`line ${this.line + 1} of ${this.name}`, cause);
  }
}

// Removes the newline at the end, which is allowed.
function textOf(item: FlowItem): string {
  const text = item.toString();
  return text.endsWith("\n") ? text.replace(/\r?\n$/, "") : text;
}

/**
 * Items of a synchronous iterator. An iterator that throws has ended: do not call `return` on it.
 */
class SyncItems {
  readonly #iterator: Iterator<FlowItem>;
  #ended = false;

  constructor(items: Iterable<FlowItem>) {
    this.#iterator = items[Symbol.iterator]();
  }

  next(): FlowItem | undefined {
    if (this.#ended) return undefined;
    this.#ended = true;
    const step = this.#iterator.next();
    if (step.done === true) return undefined;
    this.#ended = false;
    return step.value;
  }

  // Never waits.
  fill(): boolean {
    return !this.#ended;
  }

  // Lets the generator clean up, as leaving a loop does.
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#iterator.return?.();
  }
}

/**
 * Items of an asynchronous iterator, taken as they arrive: a caller that gives them one by one
 * expects them to be sent.
 */
class AsyncItems {
  readonly #iterator: AsyncIterator<FlowItem>;
  #item: FlowItem | undefined;
  #ended = false;

  constructor(items: AsyncIterable<FlowItem>) {
    this.#iterator = items[Symbol.asyncIterator]();
  }

  next(): FlowItem | undefined {
    const item = this.#item;
    this.#item = undefined;
    return item;
  }

  async fill(): Promise<boolean> {
    const step = await this.#iterator.next();
    this.#ended = step.done === true;
    if (step.done === true) return false;
    this.#item = step.value;
    return true;
  }

  // Errors of `return` do not concern the load.
  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    void this.#iterator.return?.().catch(() => undefined);
  }
}
