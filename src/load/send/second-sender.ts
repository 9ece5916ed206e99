import type { Batch } from "../../netlink/batch.ts";
import { tracedThread } from "../../netlink/trace.ts";
import { type Packing, Transactor } from "../../netlink/transactor.ts";
import type { OvsChannel } from "../../ovs/channel.ts";
import type { CallEnd } from "../../sys/hand-over.ts";
import { type CallMaker, SendThread, type PartSender } from "../../sys/send-thread.ts";
import { Independence } from "./independence.ts";

/** A smaller batch is not worth a thread's wake-up. */
const MESSAGES_MIN = 512;

/**
 * A second socket, and a thread that sends over it: both sockets send one half of a batch at the
 * same time. The kernel parses and allocates outside its lock (ovs_flow_cmd_new in datapath.c), so
 * two are faster than one. The order of flows is kept where it matters: batches are sent one after
 * another, and the first socket alone sends a batch whose flows depend on one another.
 */
export class SecondSender implements Disposable {
  readonly #transactor: Transactor;
  readonly #thread: CallMaker;
  readonly #calls: PartSender;
  readonly #independence: Independence;
  #lastCall: CallEnd = "made";

  /**
   * @param capacity the most messages of a batch
   * @param thread the thread that sends, which it ends
   */
  constructor(
    channel: OvsChannel,
    packing: Packing,
    capacity: number,
    thread: CallMaker = new SendThread(),
  ) {
    this.#thread = thread;
    this.#calls = tracedThread(thread);
    try {
      this.#transactor = new Transactor(channel.openSocket(), packing);
    } catch (error) {
      thread.end();
      throw error;
    }
    this.#independence = new Independence(capacity);
  }

  /**
   * How the thread's last call ended. If it was not made, send nothing more; if it is `late`, the
   * thread may still read the batch and carry it out.
   */
  get lastCall(): CallEnd {
    return this.#lastCall;
  }

  /** Why its thread failed to start; undefined while it may still start. */
  get startFailure(): string | undefined {
    return this.#thread.startFailure;
  }

  get systemCalls(): number {
    return this.#transactor.counters.systemCalls;
  }

  get bytes(): number {
    return this.#transactor.counters.bytes;
  }

  /**
   * Sends a batch over both sockets, otherwise as `first.execute` does.
   * @returns false, with nothing sent, if it must be sent in order, or if the thread has not
   * started yet
   */
  execute(batch: Batch, first: Transactor): boolean {
    const { count } = batch;
    const middle = count >> 1;
    if (count < MESSAGES_MIN || count - middle > this.#transactor.windowMessages) return false;
    if (!this.#thread.ready || !this.#independence.holds(batch, middle)) return false;
    batch.failures = 0;
    this.#transactor.beginPart(batch, middle, count, this.#calls);
    try {
      first.executePart(batch, 0, middle);
    } finally {
      this.#lastCall = this.#transactor.endPart(batch, this.#calls);
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.#thread.end(() => this.#transactor.socket.close());
  }
}
