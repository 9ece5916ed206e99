import { MillraceError } from "../sys/errors.ts";
import { Requester } from "./request.ts";
import { NetlinkSocket } from "./socket.ts";

/**
 * The maximum number of idle sockets kept per protocol; more are closed when they are given back.
 */
const IDLE_MAX = 8;

/**
 * Sockets for transactions and dumps, one pool per network namespace: a socket belongs to the
 * namespace in which it was opened. A caller that takes one has exclusive use until it gives it
 * back. Multicast listeners have their own sockets and never use the pool: a stray notification
 * must not appear among replies.
 */
export class SocketPool implements Disposable {
  readonly #idle = new Map<number, Requester[]>();
  readonly #open: (protocol: number) => NetlinkSocket;
  /** Requesters in use, held weakly, so that a socket whose user is gone is closed eventually. */
  readonly #taken = new Set<WeakRef<Requester>>();
  #closed = false;

  /**
   * @param open opens a socket in the pool's namespace; in the calling thread's namespace by
   * default
   */
  constructor(
    open: (protocol: number) => NetlinkSocket = (protocol) => new NetlinkSocket(protocol),
  ) {
    this.#open = open;
  }

  /** Takes an idle requester of `protocol`, or opens one. @throws MillraceError `CLOSED` */
  take(protocol: number): Requester {
    if (this.#closed)
      throw new MillraceError("CLOSED", "it is closed: nothing can be asked any more");
    const requester = this.#idle.get(protocol)?.pop() ?? new Requester(this.#open(protocol));
    this.#taken.add(new WeakRef(requester));
    return requester;
  }

  /** Gives a requester back. It is closed instead if it is still in the middle of a dump. */
  give(requester: Requester): void {
    for (const ref of this.#taken) {
      const held = ref.deref();
      if (held === undefined || held === requester) this.#taken.delete(ref);
    }
    const { protocol } = requester.socket;
    const idle = this.#idle.get(protocol) ?? [];
    if (requester.busy || idle.length >= IDLE_MAX || requester.socket.closed) {
      requester.close();
      return;
    }
    idle.push(requester);
    this.#idle.set(protocol, idle);
  }

  /** Takes a requester while `use` runs. */
  with<T>(protocol: number, use: (requester: Requester) => T): T {
    const requester = this.take(protocol);
    try {
      return use(requester);
    } finally {
      this.give(requester);
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const idle of this.#idle.values()) for (const requester of idle) requester.close();
    this.#idle.clear();
    // The requester of a dump that was left early was never given back.
    for (const ref of this.#taken) ref.deref()?.close();
    this.#taken.clear();
  }
}
