import { assert, MillraceError, SystemCallError } from "./errors.ts";
import { epollControl, epollCreate, poll } from "./libc.ts";
import { PinnedMemory } from "./memory.ts";
import { threadFault, threadScript } from "./thread-code.ts";

// Waits for descriptors with epoll, in a separate thread.

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 1;
const EPOLLONESHOT = 0x4000_0000;
const POLLIN = 1;
const POLLFD_SIZE = 8;

/** struct epoll_event is packed only on x64: { u32 events; u64 data }. */
const EVENT_DATA = process.arch === "x64" ? 4 : 8;

/** How long a wait may take. */
export type WaitOptions = {
  /** Milliseconds; no limit by default. */
  readonly timeoutMs?: number | undefined;
  /**
   * Ends the wait by throwing its reason, at once if it is already aborted. Received data stays
   * readable.
   */
  readonly signal?: AbortSignal | undefined;
};

const WATCHING = "watching sockets";

/** A pending wait, notified once. */
type Waiter = { readonly onReady: () => void; readonly onFailure: (error: MillraceError) => void };

/**
 * Watches descriptors without blocking the event loop and without reading from them. Bun watches
 * only files and sockets that it opened, and a netlink socket is neither. One thread sleeps in
 * epoll_wait for all of them; each wait arms its descriptors once (EPOLLONESHOT). A wake-up takes
 * 13 µs where a timer of 1 ms takes 1,100, and nothing runs while nothing happens.
 *
 * Thread and epoll descriptor are made at the first wait and live as long as the process; they keep
 * it alive only during a wait.
 */
class Watch {
  readonly #epoll: number;
  readonly #event = new PinnedMemory(16);
  readonly #thread: Worker;
  readonly #waiters = new Map<number, Waiter>();
  /** Set once watching has failed for good. */
  #failure: MillraceError | undefined;
  #lastToken = 0;

  constructor() {
    const epoll = epollCreate(EPOLL_CLOEXEC);
    if (epoll < 0) throw new SystemCallError("epoll_create1", -epoll, WATCHING);
    this.#epoll = epoll;
    this.#thread = new Worker(
      threadScript("readiness", new URL("readiness-thread.ts", import.meta.url)),
    );
    this.#thread.unref();
    this.#thread.addEventListener(
      "message",
      ({ data }: MessageEvent<readonly number[] | number>) => {
        if (typeof data === "number") this.#fail(new SystemCallError("epoll_wait", data, WATCHING));
        else for (const token of data) this.#waiters.get(token)?.onReady();
      },
    );
    this.#thread.addEventListener("error", ({ message }: ErrorEvent) => {
      this.#fail(
        new MillraceError("WORKER", `${WATCHING}: the thread failed: ${threadFault(message)}`),
      );
    });
    this.#thread.postMessage(epoll, []);
  }

  takeToken(): number {
    this.#lastToken++;
    return this.#lastToken;
  }

  add(fd: number): void {
    this.#control(EPOLL_CTL_ADD, fd, EPOLLONESHOT, 0);
  }

  arm(fd: number, token: number): void {
    this.#control(EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLONESHOT, token);
  }

  remove(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0, 0);
  }

  register(token: number, waiter: Waiter): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#waiters.size === 0) this.#thread.ref();
    this.#waiters.set(token, waiter);
  }

  // Forgets a waiter; a late event for its token is ignored. The descriptor stays armed in the
  // kernel until it fires or is armed again.
  unregister(token: number): void {
    if (this.#waiters.delete(token) && this.#waiters.size === 0) this.#thread.unref();
  }

  // Tells every waiter: one without a time limit would wait forever.
  #fail(error: MillraceError): void {
    this.#failure = error;
    for (const { onFailure } of this.#waiters.values()) onFailure(error);
  }

  #control(operation: number, fd: number, events: number, token: number): void {
    const { u32, view, address } = this.#event;
    u32[0] = events;
    view.setUint32(EVENT_DATA, token, true);
    view.setUint32(EVENT_DATA + 4, 0, true);
    const done = epollControl(this.#epoll, operation, fd, address);
    if (done < 0) throw new SystemCallError("epoll_ctl", -done, WATCHING);
  }
}

let watch: Watch | undefined;

/**
 * Waits for any of a few descriptors, which it does not own: {@link remove} one, or dispose of this
 * object, before closing it.
 */
export class Readiness implements Disposable {
  /** Descriptors, and whether each is registered with the watch. */
  readonly #fds = new Map<number, boolean>();
  #token = 0;
  #end: ((ready: boolean) => void) | undefined;
  #closed = false;

  add(fd: number): void {
    this.#fds.set(fd, false);
    // A pending wait now includes this descriptor.
    this.#end?.(true);
  }

  remove(fd: number): void {
    if (this.#fds.get(fd) === true) watch?.remove(fd);
    this.#fds.delete(fd);
  }

  /**
   * Waits until something can be read; it may wake up early. One wait at a time.
   * @returns false if the time is up, or if this is closed meanwhile
   * @throws the reason of the signal; SystemCallError if nothing can be watched any more
   */
  async wait(options: WaitOptions = {}): Promise<boolean> {
    const { timeoutMs, signal } = options;
    signal?.throwIfAborted();
    if (this.#closed) return false;
    assert(this.#end === undefined, "one wait at a time");
    watch ??= new Watch();
    if (this.#token === 0) this.#token = watch.takeToken();
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    this.#end = resolve;
    const onAbort = (): void => resolve(false);
    signal?.addEventListener("abort", onAbort, { once: true });
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => resolve(false), timeoutMs);
    try {
      watch.register(this.#token, { onReady: () => resolve(true), onFailure: reject });
      this.#arm(watch);
      const ready = await promise;
      signal?.throwIfAborted();
      return ready;
    } finally {
      this.#end = undefined;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      watch.unregister(this.#token);
    }
  }

  /** As {@link wait}, with the thread blocked: no timer and no signal handler runs meanwhile. */
  waitSync(timeoutMs: number): boolean {
    const fds = new PinnedMemory(this.#fds.size * POLLFD_SIZE + POLLFD_SIZE);
    let at = 0;
    for (const fd of this.#fds.keys()) {
      fds.i32[at >> 2] = fd;
      fds.u16[(at + 4) >> 1] = POLLIN;
      at += POLLFD_SIZE;
    }
    const ready = poll(fds.address, this.#fds.size, timeoutMs);
    if (ready < 0) throw new SystemCallError("poll", -ready, "waiting for the kernel");
    return ready > 0;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of this.#fds.keys()) this.remove(fd);
    this.#end?.(false);
  }

  #arm(by: Watch): void {
    for (const [fd, known] of this.#fds) {
      if (!known) by.add(fd);
      this.#fds.set(fd, true);
      by.arm(fd, this.#token);
    }
  }
}
