/** The thread of {@link file://./send-thread.ts}: it waits for a call, makes it, and waits again. */
import { MSG_DONTWAIT, recvmmsg, sendmmsg } from "./libc.ts";
import {
  SEND_COUNT,
  SEND_FD,
  SEND_HEADERS,
  SEND_RECEIVED,
  SEND_REPLIES,
  SEND_SENT,
  SEND_SLOTS,
  SEND_STATE,
  SendState,
} from "./send-thread.ts";

declare const self: Worker;

self.addEventListener("message", ({ data }: MessageEvent<SharedArrayBuffer>) => {
  const words = new Int32Array(data);
  Atomics.compareExchange(words, SEND_STATE, SendState.starting, SendState.idle);
  for (;;) {
    const state = Atomics.load(words, SEND_STATE);
    if (state === SendState.ended) return;
    if (state === SendState.ordered) {
      makeCall(words);
      Atomics.compareExchange(words, SEND_STATE, SendState.ordered, SendState.idle);
      Atomics.notify(words, SEND_STATE);
    } else {
      Atomics.wait(words, SEND_STATE, state);
    }
  }
});

function makeCall(words: Int32Array): void {
  const fd = words[SEND_FD] ?? -1;
  const sent = sendmmsg(fd, addressAt(words, SEND_HEADERS), words[SEND_COUNT] ?? 0, 0);
  const replies = addressAt(words, SEND_REPLIES);
  words[SEND_SENT] = sent;
  words[SEND_RECEIVED] = sent > 0 ? recvmmsg(fd, replies, words[SEND_SLOTS] ?? 0, MSG_DONTWAIT) : 0;
}

// A 64-bit address comes as two halves.
function addressAt(words: Int32Array, at: number): number {
  return ((words[at] ?? 0) >>> 0) + (words[at + 1] ?? 0) * 2 ** 32;
}
