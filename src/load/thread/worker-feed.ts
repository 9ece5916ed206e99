import { statSync } from "node:fs";
import type { FlowLineOptions } from "../../flow/line.ts";
import type { NumberedPort } from "../../flow/ports.ts";
import type { FlowFeed, LineNotes } from "../../format/feed.ts";
import { RereadLines } from "../../format/reread-lines.ts";
import { fileSource, UnreadableInputError } from "../../format/source.ts";
import type { Refusals } from "../../format/refusals.ts";
import type { FlowRequests } from "../../ovs/flow-requests.ts";
import { MillraceError } from "../../sys/errors.ts";
import { threadFault, threadScript } from "../../sys/thread-code.ts";
import { shareBatch, SharedBatch, type SharedBatchBlocks, STARTED, STOP } from "./shared-batch.ts";

/** One batch being filled, one being sent, and one so that neither thread waits for the other. */
const BATCHES = 3;

/** The longest sleep of the sender without checking signals and progress. */
const WAIT_MS = 20;

/** The task of the filler. Everything in it can be sent to another thread. */
export type FillOrder = {
  readonly path: string;
  readonly line: Omit<FlowLineOptions, "ports">;
  readonly ports: readonly NumberedPort[];
  readonly family: number;
  readonly datapath: number;
  readonly batches: readonly SharedBatchBlocks[];
  /** Two words, {@link STOP} and {@link STARTED}. */
  readonly words: SharedArrayBuffer;
};

/** How the thread is started, and the fallback if that fails. */
type ThreadOptions = {
  /** Opens the same flows for parsing in the sending thread. */
  readonly openHere: () => FlowFeed;
  /** The thread's script, for tests. */
  readonly script?: URL;
};

/**
 * Flows of a file that another thread reads, parses and encodes while this one is in the kernel. A
 * few batches in shared memory circulate between them, so memory is bounded, the order is kept, and
 * no message is copied. If that thread cannot start, this one parses.
 */
export class WorkerFeed implements FlowFeed {
  readonly name: string;
  readonly bytesTotal: number | undefined;
  bytesRead = 0;
  line = 0;
  notes: LineNotes | undefined;
  withoutThread: string | undefined;

  readonly #worker: Worker | undefined;
  readonly #ring: readonly SharedBatch[];
  readonly #words: Int32Array;
  #turn = 0;
  #sending: SharedBatch | undefined;
  #ended = false;
  #failure: MillraceError | undefined;
  readonly #lines: RereadLines;
  readonly #openHere: () => FlowFeed;
  /** The same flows, parsed here, if the thread did not start. */
  #here: FlowFeed | undefined;

  /** @param size messages and arena bytes per batch */
  constructor(
    order: Omit<FillOrder, "batches" | "words">,
    bytesTotal: number | undefined,
    size: { readonly messages: number; readonly bytes: number },
    { openHere, script }: ThreadOptions,
  ) {
    this.name = order.path;
    this.bytesTotal = bytesTotal;
    const { mtimeMs } = statSync(order.path);
    this.#lines = new RereadLines(() =>
      statSync(order.path).mtimeMs === mtimeMs ? fileSource(order.path) : undefined,
    );
    const shared = Array.from({ length: BATCHES }, () => shareBatch(size.messages, size.bytes));
    const words = new SharedArrayBuffer(8);
    this.#ring = shared.map((batch) => new SharedBatch(batch));
    this.#words = new Int32Array(words);
    this.#openHere = openHere;
    try {
      this.#worker = this.#start({ ...order, batches: shared, words }, script);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#parseHere(error.message);
    }
  }

  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    if (this.#here !== undefined) return this.#pumpHere(this.#here, requests, refusals);
    this.#sending?.giveBack();
    this.#sending = undefined;
    if (this.#ended) return undefined;
    const shared = this.#ring[this.#turn % BATCHES];
    if (shared === undefined || !shared.waitFull(0)) return undefined;
    this.#turn++;
    this.#sending = shared;
    this.line = shared.line;
    this.bytesRead = shared.bytesRead;
    for (const note of shared.notes()) {
      if (note.kind === "refused") refusals.add(note.refusal);
      else if (note.kind === "lines") this.notes = note.notes;
      else {
        this.#ended = true;
        if (note.error !== null) this.#failure = new UnreadableInputError(note.error);
      }
    }
    return requests.in(shared.batch);
  }

  fill(): boolean | Promise<boolean> {
    if (this.#here !== undefined) return this.#here.fill();
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) return false;
    // A short wait: the load visits its event loop between two of them.
    this.#ring[this.#turn % BATCHES]?.waitFull(WAIT_MS);
    return true;
  }

  lineText(line: number): Uint8Array | undefined {
    // The thread is ahead, so the file is read again up to the line.
    return this.#here === undefined ? this.#lines.textOf(line) : this.#here.lineText?.(line);
  }

  close(): void {
    this.#lines.close();
    this.#here?.close();
    // The thread ends by itself at its next batch: terminated, it would leave its file open.
    Atomics.store(this.#words, STOP, 1);
    for (const batch of this.#ring) batch.giveBack();
    this.#worker?.unref();
  }

  #start(order: FillOrder, script: URL | undefined): Worker {
    const module = new URL("fill-worker.ts", import.meta.url);
    const worker = new Worker(script?.href ?? threadScript("fill", module));
    worker.addEventListener("error", ({ message }: ErrorEvent) => {
      if (Atomics.load(this.#words, STOP) !== 0) return;
      if (Atomics.load(this.#words, STARTED) === 0) this.#parseHere(threadFault(message));
      else
        this.#failure = new MillraceError(
          "WORKER",
          `the parsing thread failed: ${threadFault(message)}`,
        );
    });
    worker.postMessage(order, []);
    return worker;
  }

  // Parses here: the thread has taken nothing, so the file is read from the beginning.
  #parseHere(reason: string): void {
    this.withoutThread = `the thread that parses did not start, the load parsed itself: ${reason}`;
    try {
      this.#here = this.#openHere();
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#failure = error;
    }
  }

  #pumpHere(here: FlowFeed, requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
    const ready = here.pump(requests, refusals);
    this.line = here.line;
    this.bytesRead = here.bytesRead;
    this.notes = here.notes;
    return ready;
  }
}
