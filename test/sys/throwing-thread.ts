/** A sending thread that cannot make its call. */
import { serve, take } from "../../src/sys/hand-over.ts";

declare const self: Worker;

self.addEventListener("message", ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const words = new Int32Array(data);
  take(serve(), words, Number.POSITIVE_INFINITY, () => {
    throw new Error("thrown on purpose");
  });
  self.postMessage(null, []);
});
