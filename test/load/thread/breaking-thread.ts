/** A thread that begins to fill batches, and breaks. */
import { STARTED } from "../../../src/load/thread/shared-batch.ts";
import type { FillOrder } from "../../../src/load/thread/worker-feed.ts";

declare const self: Worker;

self.addEventListener("message", ({ data }: MessageEvent<FillOrder>) => {
  Atomics.store(new Int32Array(data.words), STARTED, 1);
  throw new Error("broken on purpose");
});
