/** A sending thread whose call takes until the thread is told to end, and then says -7. */
import { serve, take, Turn } from "../../src/sys/hand-over.ts";
import { SEND_SENT } from "../../src/sys/send-thread.ts";

declare const self: Worker;

self.addEventListener("message", ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const words = new Int32Array(data);
  take(serve(), words, Number.POSITIVE_INFINITY, () => {
    while (Atomics.load(words, 0) !== Turn.ended) Bun.sleepSync(5);
    words[SEND_SENT] = -7;
  });
  self.postMessage(null, []);
});
