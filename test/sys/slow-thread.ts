/** A sending thread whose call takes until the thread is told to end, and then says -7; nobody waits for ever. */
import { serve, take, Turn } from "../../src/sys/hand-over.ts";
import { SEND_SENT } from "../../src/sys/send-thread.ts";

declare const self: Worker;

self.addEventListener("message", ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const words = new Int32Array(data);
  take(serve(), words, Number.POSITIVE_INFINITY, () => {
    for (let i = 0; i < 4000 && Atomics.load(words, 0) !== Turn.ended; i++) Bun.sleepSync(5);
    words[SEND_SENT] = -7;
  });
  self.postMessage(null, []);
});
