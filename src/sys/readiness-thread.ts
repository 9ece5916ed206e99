/**
 * The thread of {@link file://./readiness.ts}: it sleeps in epoll_wait and posts the tokens of the
 * descriptors that are ready. If epoll_wait fails, it posts the errno and ends. It owns nothing and
 * ends with the process.
 */
import { epollWait } from "./libc.ts";
import { PinnedMemory } from "./memory.ts";

declare const self: Worker;

/** struct epoll_event is packed only on x64: { u32 events; u64 data }. */
const EVENT_BYTES = process.arch === "x64" ? 12 : 16;
const EVENT_DATA = process.arch === "x64" ? 4 : 8;
const EVENTS = 64;

self.addEventListener("message", ({ data }: MessageEvent<number>) => {
  const events = new PinnedMemory(EVENTS * EVENT_BYTES);
  for (;;) {
    const ready = epollWait(data, events.address, EVENTS, -1);
    if (ready < 0) {
      self.postMessage(-ready, []);
      return;
    }
    const tokens: number[] = [];
    for (let i = 0; i < ready; i++) {
      tokens.push(events.view.getUint32(i * EVENT_BYTES + EVENT_DATA, true));
    }
    if (tokens.length > 0) self.postMessage(tokens, []);
  }
});
