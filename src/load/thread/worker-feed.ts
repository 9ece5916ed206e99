import { statSync } from "node:fs";
import { Worker } from "node:worker_threads";
import type { FlowLineOptions } from "../../flow/line.ts";
import type { NumberedPort } from "../../flow/ports.ts";
import type { FlowFeed, FlowRefusal, FlowSink, LineNotes } from "../../format/feed.ts";
import { LinesAgain } from "../../format/lines-again.ts";
import { fileSource, UnreadableInputError } from "../../format/source.ts";
import { MillraceError } from "../../sys/errors.ts";
import { type SharedSlot, shareSlot, Slot } from "./shared-batch.ts";

/** One being filled, one being sent, and one so that neither waits for the other. */
const SLOTS = 3;

/** Longest the sender sleeps without a look at signals and progress. */
const WAIT_MS = 20;

/** What the filler is to do. Everything in it can be sent to another thread. */
export type FillOrder = {
  readonly path: string;
  readonly line: Omit<FlowLineOptions, "ports">;
  readonly ports: readonly NumberedPort[];
  readonly family: number;
  readonly datapath: number;
  readonly slots: readonly SharedSlot[];
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
  readonly #slots: readonly Slot[];
  readonly #stop: Int32Array;
  #turn = 0;
  #sending: Slot | undefined;
  #ended = false;
  #failure: MillraceError | undefined;
  readonly #lines: LinesAgain;

  /** @param shape messages and arena bytes of a batch */
  constructor(
    order: Omit<FillOrder, "slots" | "stop">,
    bytesTotal: number | undefined,
    shape: { readonly messages: number; readonly bytes: number },
  ) {
    this.name = order.path;
    this.bytesTotal = bytesTotal;
    const { mtimeMs } = statSync(order.path);
    this.#lines = new LinesAgain(() =>
      statSync(order.path).mtimeMs === mtimeMs ? fileSource(order.path) : undefined,
    );
    const shared = Array.from({ length: SLOTS }, () => shareSlot(shape.messages, shape.bytes));
    const stop = new SharedArrayBuffer(4);
    this.#slots = shared.map((slot) => new Slot(slot));
    this.#stop = new Int32Array(stop);
    const workerData: FillOrder = { ...order, slots: shared, stop };
    this.#worker = new Worker(new URL("fill-worker.ts", import.meta.url), { workerData });
    this.#worker.on("error", (cause: Error) => {
      this.#failure = new MillraceError("WORKER", `the parsing thread failed: ${cause.message}`, {
        cause,
      });
    });
  }

  pump(sink: FlowSink): boolean {
    this.#sending?.giveBack();
    this.#sending = undefined;
    if (this.#ended) return false;
    const slot = this.#slots[this.#turn % SLOTS];
    if (slot === undefined || !slot.waitFull(0)) return false;
    this.#turn++;
    this.#sending = slot;
    this.line = slot.line;
    this.bytesRead = slot.bytesRead;
    const refusals: FlowRefusal[] = [];
    for (const note of slot.notes()) {
      if (note.kind === "refused") refusals.push(note.refusal);
      else if (note.kind === "lines") this.notes = note.notes;
      else {
        this.#ended = true;
        if (note.error !== null) this.#failure = new UnreadableInputError(note.error);
      }
    }
    sink.adopt(slot.batch, refusals);
    return true;
  }

  fill(): boolean | Promise<boolean> {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#ended) return false;
    // Short: the load visits its event loop between two of these.
    this.#slots[this.#turn % SLOTS]?.waitFull(WAIT_MS);
    return true;
  }

  lineText(line: number): Uint8Array | undefined {
    // The thread is ahead: the file is read again, up to here.
    return this.#lines.textOf(line);
  }

  close(): void {
    this.#lines.close();
    // It ends by itself, at the next slot that it takes: cut off, it would leave its file open.
    Atomics.store(this.#stop, 0, 1);
    for (const slot of this.#slots) slot.giveBack();
    this.#worker.unref();
  }
}
