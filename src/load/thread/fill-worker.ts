/**
 * The thread that reads, parses and encodes while another one is in the kernel: fills slots in turn.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { FlowRefusal, FlowSink } from "../../format/feed.ts";
import { fileSource } from "../../format/source.ts";
import { TextFeed } from "../../format/text-feed.ts";
import { portNamesOf } from "../../flow/ports.ts";
import type { LineVerb } from "../../flow/line.ts";
import type { Batch } from "../../netlink/batch.ts";
import { FlowMessages } from "../../ovs/flow-requests.ts";
import { MillraceError } from "../../sys/errors.ts";
import type { FillOrder } from "./worker-feed.ts";
import { Slot } from "./shared-batch.ts";

/** A sender that has gone away is noticed after this time. */
const WAIT_MS = 1000;

const order: FillOrder = workerData;
const stop = new Int32Array(order.stop);
const slots = order.slots.map((shared) => new Slot(shared));
const messages = new FlowMessages(order.family, order.datapath);

class SlotSink implements FlowSink {
  slot: Slot;

  constructor(slot: Slot) {
    this.slot = slot;
  }

  get batch(): Batch {
    return this.slot.batch;
  }

  get ended(): boolean {
    return this.slot.notesFull;
  }

  begin(): void {
    messages.begin(this.slot.batch);
  }

  commit(verb: LineVerb, line: number): boolean {
    return messages.commit(this.slot.batch, verb, line);
  }

  commitReady(bytes: number, verb: LineVerb, line: number): void {
    messages.commitReady(this.slot.batch, bytes, verb, line);
  }

  commitCopies(): never {
    throw new MillraceError("ASSERTION", "a file's flows are no copies");
  }

  adopt(): never {
    throw new MillraceError("ASSERTION", "a filler's feed fills the slot itself");
  }

  refuse(refusal: FlowRefusal): void {
    this.slot.note({ kind: "refused", refusal });
  }
}

function run(): void {
  const ports = portNamesOf(order.ports);
  const feed = new TextFeed(fileSource(order.path), { ...order.line, ports });
  let turn = 0;
  const sink = new SlotSink(slots[0] ?? failNoSlot());
  const take = (): boolean => {
    const slot = slots[turn++ % slots.length] ?? failNoSlot();
    while (!slot.waitEmpty(WAIT_MS)) if (Atomics.load(stop, 0) !== 0) return false;
    slot.batch.clear();
    sink.slot = slot;
    return Atomics.load(stop, 0) === 0;
  };
  let said = JSON.stringify(feed.notes);
  const handOver = (): void => {
    const { notes } = feed;
    const now = JSON.stringify(notes);
    if (now !== said) sink.slot.note({ kind: "lines", notes });
    said = now;
    sink.slot.handOver(feed.line, feed.bytesRead);
  };
  let error: string | null = null;
  try {
    if (!take()) return;
    for (;;) {
      if (feed.pump(sink)) {
        handOver();
        if (!take()) return;
      } else if (feed.fill() !== true) break;
    }
  } catch (cause) {
    if (!(cause instanceof MillraceError)) throw cause;
    error = cause.message;
  } finally {
    feed.close();
  }
  sink.slot.note({ kind: "end", error });
  handOver();
}

function failNoSlot(): never {
  throw new MillraceError("ASSERTION", "a filler has slots");
}

run();
parentPort?.close();
