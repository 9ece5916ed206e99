import { statSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { FlowLineOptions } from "../../flow/line.ts";
import type { NumberedPort } from "../../flow/ports.ts";
import type { FlowFeed, LineNotes } from "../../format/feed.ts";
import { LinesAgain } from "../../format/lines-again.ts";
import { fileSource, UnreadableInputError } from "../../format/source.ts";
import type { Refusals } from "../../format/refusals.ts";
import type { FlowRequests } from "../../ovs/flow-requests.ts";
import { MillraceError } from "../../sys/errors.ts";
import { shareBatch, SharedBatch, type SharedBatchBlocks } from "./shared-batch.ts";

/** One being filled, one being sent, and one so that neither waits for the other. */
const BATCHES = 3;

/** Longest the sender sleeps without a look at signals and progress. */
const WAIT_MS = 20;

/** What the filler is to do. Everything in it can be sent to another thread. */
export type FillOrder = {
  readonly path: string;
  readonly line: Omit<FlowLineOptions, "ports">;
  readonly ports: readonly NumberedPort[];
  readonly family: number;
  readonly datapath: number;
  readonly batches: readonly SharedBatchBlocks[];
  /** A word: not 0 when the filler is to end. */
  readonly stop: SharedArrayBuffer;
};

/**
 * Flows of a file that another thread reads, parses and encodes while this one is in the kernel: a few
 * batches in shared memory go round between them, so memory is bounded, the order is kept, and no
 * message is copied.
 */
export class WorkerFeed implements FlowFeed {
  readonly name: string;
  readonly bytesTotal: number | undefined;
  bytesRead = 0;
  line = 0;
  notes: LineNotes | undefined;

  readonly #worker: Worker;
  readonly #ring: readonly SharedBatch[];
  readonly #stop: Int32Array;
  #turn = 0;
  #sending: SharedBatch | undefined;
  #ended = false;
  #failure: MillraceError | undefined;
  readonly #lines: LinesAgain;

  /** @param shape messages and arena bytes of a batch */
  constructor(
    order: Omit<FillOrder, "batches" | "stop">,
    bytesTotal: number | undefined,
    shape: { readonly messages: number; readonly bytes: number },
  ) {
    this.name = order.path;
    this.bytesTotal = bytesTotal;
    const { mtimeMs } = statSync(order.path);
    this.#lines = new LinesAgain(() =>
      statSync(order.path).mtimeMs === mtimeMs ? fileSource(order.path) : undefined,
    );
    const shared = Array.from({ length: BATCHES }, () => shareBatch(shape.messages, shape.bytes));
    const stop = new SharedArrayBuffer(4);
    this.#ring = shared.map((batch) => new SharedBatch(batch));
    this.#stop = new Int32Array(stop);
    const workerData: FillOrder = { ...order, batches: shared, stop };
    this.#worker = new Worker(new URL("fill-worker.ts", import.meta.url), { workerData });
    this.#worker.on("error", (cause: Error) => {
      this.#failure = new MillraceError("WORKER", `the parsing thread failed: ${cause.message}`, {
        cause,
      });
    });
  }

  pump(requests: FlowRequests, refusals: Refusals): FlowRequests | undefined {
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
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) return false;
    // Short: the load visits its event loop between two of these.
    this.#ring[this.#turn % BATCHES]?.waitFull(WAIT_MS);
    return true;
  }

  lineText(line: number): Uint8Array | undefined {
    // The thread is ahead: the file is read again, up to here.
    return this.#lines.textOf(line);
  }

  close(): void {
    this.#lines.close();
    // It ends by itself, at the next batch that it takes: cut off, it would leave its file open.
    Atomics.store(this.#stop, 0, 1);
    for (const batch of this.#ring) batch.giveBack();
    this.#worker.unref();
  }
}
