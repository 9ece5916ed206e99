/**
 * The thread that reads, parses and encodes while another is in the kernel: fills shared batches in
 * turn.
 */
import { portNamesOf } from "../../flow/ports.ts";
import { Refusals } from "../../format/refusals.ts";
import { fileSource } from "../../format/source.ts";
import { TextFeed } from "../../format/text-feed.ts";
import { FlowRequests } from "../../ovs/flow-requests.ts";
import { MillraceError } from "../../sys/errors.ts";
import { REFUSALS_MAX, SharedBatch, STARTED, STOP } from "./shared-batch.ts";
import type { FillOrder } from "./worker-feed.ts";

/** The time after which a vanished sender is noticed. */
const WAIT_MS = 1000;

/** A shared batch and the object that frames requests in it. */
type Filled = { readonly shared: SharedBatch; readonly requests: FlowRequests };

declare const self: Worker;

self.addEventListener("message", ({ data }: MessageEvent<FillOrder>) => {
  run(data);
  // Without this, the thread would wait for messages forever. It ends only the thread.
  process.exit();
});

function run(order: FillOrder): void {
  const words = new Int32Array(order.words);
  Atomics.store(words, STARTED, 1);
  const ring = order.batches.map((blocks): Filled => {
    const shared = new SharedBatch(blocks);
    return { shared, requests: new FlowRequests(order.family, order.datapath, shared.batch) };
  });
  const ports = portNamesOf(order.ports);
  const feed = new TextFeed(fileSource(order.path), { ...order.line, ports });
  const refusals = new Refusals(REFUSALS_MAX);
  let turn = 0;
  let { shared, requests } = ring[0] ?? failWithoutBatch();
  const take = (): boolean => {
    ({ shared, requests } = ring[turn++ % ring.length] ?? failWithoutBatch());
    while (!shared.waitEmpty(WAIT_MS)) if (Atomics.load(words, STOP) !== 0) return false;
    shared.batch.clear();
    return Atomics.load(words, STOP) === 0;
  };
  let said = JSON.stringify(feed.notes);
  const handOver = (): void => {
    for (const refusal of refusals.list) shared.note({ kind: "refused", refusal });
    refusals.clear();
    const { notes } = feed;
    const now = JSON.stringify(notes);
    if (now !== said) shared.note({ kind: "lines", notes });
    said = now;
    shared.handOver(feed.line, feed.bytesRead);
  };
  let error: string | null = null;
  try {
    if (!take()) return;
    for (;;) {
      if (feed.pump(requests, refusals) !== undefined) {
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
  shared.note({ kind: "end", error });
  handOver();
}

function failWithoutBatch(): never {
  throw new MillraceError("ASSERTION", "a filler has batches");
}
