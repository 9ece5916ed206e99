import { MillraceError } from "../sys/errors.ts";
import { Requester } from "./request.ts";
import { NetlinkSocket } from "./socket.ts";

/** Idle sockets that a pool keeps a protocol; more are closed when they come back. */
const IDLE_MAX = 8;

/**
 * Sockets for transactions and dumps, one pool a network namespace: a socket belongs to the namespace
 * it was opened in. Whoever takes one has it alone until it is given back. Multicast listeners have
 * sockets of their own and never come here: a stray notification must not stand among replies.
 */
export class SocketPool implements Disposable {
  readonly #idle = new Map<number, Requester[]>();
  readonly #open: (protocol: number) => NetlinkSocket;
  /** Who has one; weakly, so that a socket whose user is gone is closed in time. */
  readonly #taken = new Set<WeakRef<Requester>>();
  #closed = false;

  /** @param open opens a socket in the namespace of the pool; the one of the calling thread by default */
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

  /** Gives a requester back. One that is still in the middle of a dump is closed instead. */
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

  /** Takes a requester for as long as `use` runs. */
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
    // A dump that was left after one message is never given back.
    for (const ref of this.#taken) ref.deref()?.close();
    this.#taken.clear();
  }
}
