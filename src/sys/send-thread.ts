import { assert, MillraceError } from "./errors.ts";

/*
 * The words that both threads share. A call is ordered by its arguments, then the state; its results
 * are there when the state says so.
 */
export const SEND_STATE = 0;
export const SEND_FD = 1;
export const SEND_HEADERS = 2;
export const SEND_COUNT = 4;
export const SEND_REPLIES = 5;
export const SEND_SLOTS = 7;
export const SEND_SENT = 8;
export const SEND_RECEIVED = 9;
const WORDS = 10;

/** Whose turn it is. */
export const SendState = { starting: 0, idle: 1, ordered: 2, ended: 3 } as const;

/** Longest wait for a call: netlink carries out what one sendmmsg holds within seconds. */
const WAIT_MS = 120_000;

/**
 * A thread that makes two system calls for this one, sendmmsg(2) and the recvmmsg(2) that reads the
 * replies, while this one makes its own. It gets a descriptor and addresses: the memory stays this
 * thread's, which leaves it alone from {@link begin} to {@link wait}.
 */
export class SendThread implements Disposable {
  readonly #words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  readonly #worker: Worker;

  constructor() {
    this.#worker = new Worker(new URL("send-thread-worker.ts", import.meta.url).href);
    this.#worker.unref();
    this.#worker.postMessage(this.#words.buffer, []);
  }

  /** It has started, which takes some milliseconds, and may be given a call. */
  get ready(): boolean {
    return Atomics.load(this.#words, SEND_STATE) === SendState.idle;
  }

  /** Of the last call: datagrams sent, or the errno negated. */
  get sent(): number {
    return this.#words[SEND_SENT] ?? 0;
  }

  /** Of the last call: messages received, or the errno negated; nothing is read where nothing was sent. */
  get received(): number {
    return this.#words[SEND_RECEIVED] ?? 0;
  }

  /**
   * Orders sendmmsg(fd, headers, count), then recvmmsg(fd, replies, slots) without waiting.
   * @param headers @param replies addresses of `struct mmsghdr` arrays
   */
  begin(fd: number, headers: number, count: number, replies: number, slots: number): void {
    assert(this.ready, "a thread makes one call at a time");
    const words = this.#words;
    words[SEND_FD] = fd;
    words[SEND_HEADERS] = headers;
    words[SEND_HEADERS + 1] = Math.floor(headers / WORD);
    words[SEND_COUNT] = count;
    words[SEND_REPLIES] = replies;
    words[SEND_REPLIES + 1] = Math.floor(replies / WORD);
    words[SEND_SLOTS] = slots;
    Atomics.store(words, SEND_STATE, SendState.ordered);
    Atomics.notify(words, SEND_STATE);
  }

  /** Waits for the end of the call, with the thread blocked. @throws MillraceError `WORKER` */
  wait(): void {
    // The thread sets its state and then notifies: the notice of one call may wake the wait for the next one.
    const deadline = performance.now() + WAIT_MS;
    while (Atomics.load(this.#words, SEND_STATE) === SendState.ordered) {
      const left = deadline - performance.now();
      if (left <= 0) break;
      Atomics.wait(this.#words, SEND_STATE, SendState.ordered, left);
    }
    if (this.ready) return;
    throw new MillraceError("WORKER", "the sending thread does not answer");
  }

  /** Ends the thread, after its call. */
  [Symbol.dispose](): void {
    Atomics.store(this.#words, SEND_STATE, SendState.ended);
    Atomics.notify(this.#words, SEND_STATE);
    this.#worker.terminate();
  }
}

// A 64-bit address goes as two halves.
const WORD = 2 ** 32;
