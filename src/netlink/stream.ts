import { ETIMEDOUT } from "../sys/errno.ts";
import { MillraceError, SystemCallError } from "../sys/errors.ts";
import type { WaitOptions } from "../sys/readiness.ts";
import type { Inbox } from "./inbox.ts";

/** The most events read at once for callers that take them one by one. */
const READ_AHEAD = 64;

/** After this many full reads in a row, timers and signal handlers may run. */
const READS_A_TURN = 16;

/**
 * The events of an inbox, one by one: the base class of every stream. An iteration closes the
 * stream when it ends, also by `break`; {@link next} takes one event and leaves it open.
 */
export abstract class EventStream<T> implements AsyncIterable<T>, Disposable {
  protected readonly inbox: Inbox;
  readonly #queue: T[] = [];
  #taken = 0;
  #reads = 0;

  protected constructor(inbox: Inbox) {
    this.inbox = inbox;
  }

  /** Appends the waiting events, about `limit`, to `into`. @returns how many */
  protected abstract readInto(into: T[], limit: number): number;

  /**
   * Events lost since it was opened, because the kernel had no room for them. Each loss is also an
   * event.
   */
  get lost(): number {
    return this.inbox.lost;
  }

  /** Whether it was closed, by its owner or by the end of an iteration. */
  get closed(): boolean {
    return this.inbox.closed;
  }

  /** The waiting events, about `limit`; does not wait for more. */
  read(limit: number = READ_AHEAD): T[] {
    const events = this.#queue.splice(0, this.#taken + limit).slice(this.#taken);
    this.#taken = 0;
    while (events.length < limit && this.readInto(events, limit - events.length) > 0);
    return events;
  }

  /**
   * Waits until there is something to read.
   * @returns false if the time is up or it was closed
   * @throws the reason of the signal
   */
  async wait(options?: WaitOptions): Promise<boolean> {
    options?.signal?.throwIfAborted();
    return this.#taken < this.#queue.length || this.inbox.wait(options);
  }

  /** As {@link wait}, with the thread blocked. */
  waitSync(timeoutMs: number): boolean {
    return this.#taken < this.#queue.length || this.inbox.waitSync(timeoutMs);
  }

  /**
   * Takes the next event.
   * @throws SystemCallError ETIMEDOUT if the time is up; the reason of the signal; MillraceError
   * `CLOSED` if it is closed
   */
  async next(options: WaitOptions = {}): Promise<T> {
    const event = await this.#take(options);
    if (event === undefined) throw new MillraceError("CLOSED", "the stream of events is closed");
    return event;
  }

  /**
   * All events from now on; closes this at its end.
   * @param options a limit for each wait
   * @throws as {@link next}
   */
  async *events(options: WaitOptions = {}): AsyncGenerator<T, void> {
    try {
      for (;;) {
        const event = await this.#take(options);
        if (event === undefined) return;
        yield event;
      }
    } finally {
      this.close();
    }
  }

  [Symbol.asyncIterator](): AsyncGenerator<T, void> {
    return this.events();
  }

  /**
   * Closes its sockets and ends a wait; events that were not taken are dropped. Closing twice is
   * harmless.
   */
  close(): void {
    this.inbox.close();
    this.#queue.length = 0;
    this.#taken = 0;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // @returns undefined if it was closed meanwhile
  async #take(options: WaitOptions): Promise<T | undefined> {
    const deadline = performance.now() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
    for (;;) {
      options.signal?.throwIfAborted();
      const event = this.#queue[this.#taken];
      if (event !== undefined) {
        this.#taken++;
        return event;
      }
      this.#queue.length = 0;
      this.#taken = 0;
      if (this.closed) return undefined;
      if (this.readInto(this.#queue, READ_AHEAD) > 0) {
        if (++this.#reads % READS_A_TURN === 0) await Bun.sleep(0);
        continue;
      }
      const left = deadline - performance.now();
      if (left <= 0) throw new SystemCallError("poll", ETIMEDOUT, "waiting for an event");
      const timeoutMs = Number.isFinite(left) ? Math.ceil(left) : undefined;
      await this.inbox.wait({ timeoutMs, signal: options.signal });
    }
  }
}
