import { assert, MillraceError } from "./errors.ts";
import { awaitCall, type CallEnd, end, order, take, Turn } from "./hand-over.ts";
import { threadFault, threadScript } from "./thread-code.ts";

/**
 * Indices of the words that both threads share. Word 0 says whose turn it is. The arguments of a
 * call are valid once it is ordered, its results once it is made.
 */
export const SEND_FD = 1;
export const SEND_HEADERS = 2;
export const SEND_COUNT = 4;
export const SEND_REPLIES = 5;
export const SEND_SLOTS = 7;
export const SEND_SENT = 8;
export const SEND_RECEIVED = 9;
const WORDS = 10;

/** Longest wait for a call: netlink carries out the requests of one sendmmsg within seconds. */
const WAIT_MS = 120_000;

/** Options of a thread, for tests. */
type SendThreadOptions = {
  /** The longest wait for a call. */
  readonly waitMs?: number;
  readonly script?: URL;
};

/** Makes calls on behalf of another thread; a test replaces it. */
export type CallMaker = Pick<
  SendThread,
  "ready" | "startFailure" | "sent" | "received" | "begin" | "wait" | "end"
>;

/** Threads that still make a call nobody waits for, each with the owners of its memory. */
const RUNNING = new Map<SendThread, readonly object[]>();

/**
 * A thread that makes two system calls for this one, sendmmsg(2) and the recvmmsg(2) that reads the
 * replies, while this one makes its own. It gets a descriptor and addresses; this thread owns the
 * memory, and does not touch it from {@link begin} until {@link wait} says that the call was made.
 */
export class SendThread implements Disposable {
  readonly #words = new Int32Array(new SharedArrayBuffer(WORDS * 4));
  readonly #worker: Worker | undefined;
  readonly #waitMs: number;
  /** The owners of the call's memory. */
  #owners: readonly object[] = [];
  #whenEnded: (() => void) | undefined;
  #startFailure: string | undefined;

  constructor(options: SendThreadOptions = {}) {
    const { waitMs = WAIT_MS, script } = options;
    this.#waitMs = waitMs;
    try {
      this.#worker = this.#start(script);
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      this.#startFailure = error.message;
    }
  }

  /** Whether it has started, which takes some milliseconds, and can take a call. */
  get ready(): boolean {
    return Atomics.load(this.#words, 0) === Turn.idle;
  }

  /** Why it failed to start; undefined while it may still start. */
  get startFailure(): string | undefined {
    return this.#startFailure;
  }

  /** Datagrams sent by the last call, or the errno negated. */
  get sent(): number {
    return this.#words[SEND_SENT] ?? 0;
  }

  /**
   * Messages received by the last call, or the errno negated; nothing is read if nothing was sent.
   */
  get received(): number {
    return this.#words[SEND_RECEIVED] ?? 0;
  }

  /**
   * Orders sendmmsg(fd, headers, count), then recvmmsg(fd, replies, slots) without waiting.
   * @param headers @param replies addresses of `struct mmsghdr` arrays
   * @param owners the owners of that memory, which are kept alive until the call has ended
   */
  begin(
    fd: number,
    headers: number,
    count: number,
    replies: number,
    slots: number,
    owners: readonly object[],
  ): void {
    assert(this.ready, "a thread makes one call at a time");
    const words = this.#words;
    words[SEND_FD] = fd;
    words[SEND_HEADERS] = headers;
    words[SEND_HEADERS + 1] = Math.floor(headers / WORD);
    words[SEND_COUNT] = count;
    words[SEND_REPLIES] = replies;
    words[SEND_REPLIES + 1] = Math.floor(replies / WORD);
    words[SEND_SLOTS] = slots;
    this.#owners = owners;
    take(order(), words, 0);
  }

  /** Waits for the end of the call, with the thread blocked. */
  wait(): CallEnd {
    return take(awaitCall(), this.#words, this.#waitMs);
  }

  /**
   * Ends the thread, after its call. May be called once.
   * @param whenEnded is called, now or later, as soon as the thread makes no more calls: then its
   * descriptor may be closed. Not called if the process ends first
   */
  end(whenEnded: () => void = () => {}): void {
    this.#whenEnded = whenEnded;
    if (take(end(), this.#words, 0)) RUNNING.set(this, this.#owners);
    else this.#free();
  }

  [Symbol.dispose](): void {
    this.end();
  }

  #start(script: URL | undefined): Worker {
    const module = new URL("send-thread-worker.ts", import.meta.url);
    const worker = new Worker(script?.href ?? threadScript("send", module));
    worker.unref();
    worker.addEventListener("error", ({ message }: ErrorEvent) => {
      if (Atomics.load(this.#words, 0) === Turn.starting) this.#startFailure = threadFault(message);
    });
    // The thread's last message. The end of a Worker proves nothing: a terminated one counts as
    // ended even while it is in a system call.
    worker.addEventListener("message", () => this.#free());
    worker.postMessage(this.#words.buffer, []);
    return worker;
  }

  #free(): void {
    const whenEnded = this.#whenEnded;
    // Only once: the last message of a thread that made no call may still arrive.
    if (whenEnded === undefined) return;
    this.#whenEnded = undefined;
    this.#worker?.terminate();
    RUNNING.delete(this);
    this.#owners = [];
    whenEnded();
  }
}

// A 64-bit address goes as two halves.
const WORD = 2 ** 32;

/** What makes the calls for a part of a batch: a {@link SendThread}. */
export type PartSender = Pick<SendThread, "begin" | "wait" | "sent" | "received">;
