/** A sending thread that takes a second for a call, and then says -7. */
import { serve, take } from "../../src/sys/hand-over.ts";
import { SEND_SENT } from "../../src/sys/send-thread.ts";

declare const self: Worker;

self.addEventListener("message", ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const words = new Int32Array(data);
  take(serve(), words, Number.POSITIVE_INFINITY, () => {
    Bun.sleepSync(1000);
    words[SEND_SENT] = -7;
  });
  self.postMessage(null, []);
});
