/** The thread of {@link file://./send-thread.ts}: it waits for a call, makes it, and waits again. */
import { serve, take } from "./hand-over.ts";
import { MSG_DONTWAIT } from "./libc.ts";
import {
  SEND_COUNT,
  SEND_FD,
  SEND_HEADERS,
  SEND_RECEIVED,
  SEND_REPLIES,
  SEND_SENT,
  SEND_SLOTS,
} from "./send-thread.ts";
import { KERNEL, recvmmsg, sendmmsg } from "./socket-calls.ts";

declare const self: Worker;

self.addEventListener("message", ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const words = new Int32Array(data);
  take(serve(), words, Number.POSITIVE_INFINITY, () => makeCall(words));
  self.postMessage(null, []);
});

function makeCall(words: Int32Array): void {
  const fd = words[SEND_FD] ?? -1;
  const headers = addressAt(words, SEND_HEADERS);
  const sent = sendmmsg(KERNEL, fd, headers, words[SEND_COUNT] ?? 0);
  const replies = addressAt(words, SEND_REPLIES);
  const slots = words[SEND_SLOTS] ?? 0;
  words[SEND_SENT] = sent;
  words[SEND_RECEIVED] = sent > 0 ? recvmmsg(KERNEL, fd, replies, slots, MSG_DONTWAIT) : 0;
}

// A 64-bit address comes as two halves.
function addressAt(words: Int32Array, at: number): number {
  return ((words[at] ?? 0) >>> 0) + (words[at + 1] ?? 0) * 2 ** 32;
}
