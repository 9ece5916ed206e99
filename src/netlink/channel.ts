import { EACCES, ENOENT, EPERM } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import type { PinnedMemory } from "../sys/memory.ts";
import type { NetworkNamespace } from "../sys/netns.ts";
import { NETLINK_GENERIC } from "../uapi/netlink.ts";
import type { AttributeWriter } from "./attribute-writer.ts";
import { Cursor } from "./cursor.ts";
import { NetlinkError } from "./errors.ts";
import { findFamily, type GenericFamily } from "./family.ts";
import type { NetlinkKernel } from "./kernel.ts";
import { type MessageReader, putGenericHeader } from "./message.ts";
import { SocketPool } from "./pool.ts";
import type { OnReply, Request, Requester } from "./request.ts";
import { NetlinkSocket, type SocketOptions } from "./socket.ts";

/** A command to a generic netlink family. */
export type GenericRequest = Pick<Request, "flags" | "doing"> & {
  readonly family: string;
  readonly version: number;
  readonly command: number;
  /** Writes what follows the generic header. */
  readonly write: (writer: AttributeWriter) => void;
};

/** A message in the receive buffer, valid until the next one. */
export type Reply = { readonly memory: PinnedMemory; readonly message: MessageReader };

/**
 * The way to the kernel in one network namespace, for any protocol: a pool of sockets, and the numbers
 * that this kernel gave the generic netlink families.
 */
export class NetlinkChannel implements Disposable {
  /** Answers in place of the machine's kernel. */
  readonly kernel: NetlinkKernel | undefined;
  readonly #namespace: NetworkNamespace | undefined;
  readonly #pool: SocketPool;
  readonly #families = new Map<string, GenericFamily>();
  #closed = false;

  /**
   * @param namespace where its sockets are opened; the caller closes it after the channel
   * @param kernel answers in place of the machine's kernel
   */
  constructor(namespace?: NetworkNamespace, kernel?: NetlinkKernel) {
    this.kernel = kernel;
    this.#namespace = namespace;
    this.#pool = new SocketPool((protocol) => this.openSocket(protocol));
  }

  /** @throws MillraceError `NO_MODULE` if the kernel has no family of that name */
  family(name: string): GenericFamily {
    const found = this.#families.get(name) ?? this.#lookUp(name);
    if (found === undefined) throw this.noFamily(name);
    return found;
  }

  /**
   * Whether a family is gone, or no longer has the number `id` because its module was reloaded. A
   * request to a number that belongs to no family fails with ENOENT (`genl_rcv_msg` in
   * genetlink.c), just like a request for an object that does not exist. Asks the kernel.
   */
  familyMoved(name: string, id: number): boolean {
    return this.#lookUp(name)?.id !== id;
  }

  /**
   * Opens a socket that the caller owns and closes, for loads and listeners.
   * @throws MillraceError `CLOSED` if the channel is closed
   */
  openSocket(protocol: number = NETLINK_GENERIC, options?: SocketOptions): NetlinkSocket {
    if (this.#closed) throw new MillraceError("CLOSED", "it is closed: no socket can be opened");
    const own = this.kernel === undefined ? options : { ...options, calls: this.kernel.calls };
    return this.inside(() => new NetlinkSocket(protocol, own));
  }

  /** Runs a short function in the channel's namespace; see {@link NetworkNamespace.run}. */
  inside<T>(run: () => T): T {
    return this.#namespace === undefined ? run() : this.#namespace.run(run);
  }

  /**
   * Sends one request and waits for its ack.
   * @throws NetlinkError; MillraceError `NO_PERMISSION`
   */
  transactWith(protocol: number, request: Request, onReply?: OnReply): void {
    try {
      this.#pool.with(protocol, (requester) => requester.transact(request, onReply));
    } catch (error) {
      throw explain(error, request.doing);
    }
  }

  /**
   * Dumps. The cursor gives the same object for each message. Leaving the loop early closes the
   * socket.
   */
  dumpWith(protocol: number, request: Request): Cursor<Reply> {
    return this.#dump(
      protocol,
      () => request,
      () => false,
    );
  }

  /** As {@link transactWith}, to a family. @throws MillraceError `NO_MODULE`, too */
  transactGeneric(request: GenericRequest, onReply?: OnReply): void {
    const asked = this.#requestOf(request);
    try {
      this.transactWith(NETLINK_GENERIC, asked, onReply);
    } catch (error) {
      // The kernel did not act on the request.
      if (!this.#isOfNoFamily(error, request.family, asked.type)) throw error;
      this.transactWith(NETLINK_GENERIC, this.#requestOf(request), onReply);
    }
  }

  /** As {@link dumpWith}, from a family. @throws MillraceError `NO_MODULE`, too */
  dumpGeneric(request: GenericRequest): Cursor<Reply> {
    let type = -1;
    const ask = (): Request => {
      const asked = this.#requestOf(request);
      type = asked.type;
      return asked;
    };
    return this.#dump(NETLINK_GENERIC, ask, (error) =>
      this.#isOfNoFamily(error, request.family, type),
    );
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#pool[Symbol.dispose]();
  }

  /** The error for a family that the kernel lacks; it says how to get it. */
  protected noFamily(name: string): MillraceError {
    return new MillraceError("NO_MODULE", `this kernel has no netlink family ${name}`);
  }

  /** @param mayAskAgain whether another request may succeed where this one failed at once */
  #dump(
    protocol: number,
    ask: () => Request,
    mayAskAgain: (error: unknown) => boolean,
  ): Cursor<Reply> {
    let requester: Requester | undefined;
    let request = NO_REQUEST;
    let messages: Cursor<MessageReader> | undefined;
    let reply: Reply | undefined;
    const first = (): MessageReader | undefined => {
      request = ask();
      requester = this.#pool.take(protocol);
      messages = requester.dump(request);
      try {
        return messages.take();
      } catch (error) {
        // The kernel says so before the first message.
        if (!mayAskAgain(error)) throw error;
        request = ask();
        messages = requester.dump(request);
        return messages.take();
      }
    };
    return new Cursor(
      () => {
        let message: MessageReader | undefined;
        try {
          message = messages === undefined ? first() : messages.take();
        } catch (error) {
          throw explain(error, request.doing);
        }
        if (message === undefined || requester === undefined) return undefined;
        reply ??= { memory: requester.replies, message };
        return reply;
      },
      () => {
        if (requester !== undefined) this.#pool.give(requester);
      },
    );
  }

  #lookUp(name: string): GenericFamily | undefined {
    const found = this.#pool.with(NETLINK_GENERIC, (requester) => findFamily(requester, name));
    if (found === undefined) this.#families.delete(name);
    else this.#families.set(name, found);
    return found;
  }

  #isOfNoFamily(error: unknown, family: string, id: number): boolean {
    return error instanceof NetlinkError && error.errno === ENOENT && this.familyMoved(family, id);
  }

  #requestOf({ family, version, command, flags, doing, write }: GenericRequest): Request {
    return {
      type: this.family(family).id,
      doing,
      ...(flags === undefined ? {} : { flags }),
      write: (writer) => {
        putGenericHeader(writer, command, version);
        write(writer);
      },
    };
  }
}

/** Before a dump has begun. */
const NO_REQUEST: Request = { type: 0, doing: "dumping", write: () => {} };

// Replaces an errno by an error that says what is missing and how to fix it, where one is known.
function explain(error: unknown, doing: string): unknown {
  if (!(error instanceof NetlinkError)) return error;
  if (error.errno === EPERM || error.errno === EACCES) return noPermission(doing, error);
  return error;
}

/** The kernel requires CAP_NET_ADMIN for the request. */
export function noPermission(doing: string, cause?: unknown): MillraceError {
  return new MillraceError(
    "NO_PERMISSION",
    `${doing}: the kernel requires CAP_NET_ADMIN: run it with sudo, or in a network namespace of your ` +
      "own ('unshare -rn')",
    { cause },
  );
}
