import { EACCES, ENOENT, EPERM } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import type { PinnedMemory } from "../sys/memory.ts";
import type { NetworkNamespace } from "../sys/netns.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import { Cursor } from "../netlink/cursor.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { findFamily, type GenericFamily } from "../netlink/family.ts";
import { GENL_HEADER, type MessageReader, putGenericHeader, putWord } from "../netlink/message.ts";
import { SocketPool } from "../netlink/pool.ts";
import { NetlinkSocket, type SocketOptions } from "../netlink/socket.ts";
import type { OnReply, Request, Requester } from "../netlink/request.ts";
import { NETLINK_GENERIC } from "../uapi/netlink.ts";
import { OVS_PREFIX } from "./message.ts";

/** A command to one of the families. */
type OvsRequest = {
  readonly family: string;
  readonly version: number;
  readonly command: number;
  /** `dp_ifindex` of struct ovs_header; 0 where the datapath is named by an attribute. */
  readonly datapath: number;
  /** Flags beside NLM_F_REQUEST. */
  readonly flags?: number;
  /** What is asked for, for errors. */
  readonly doing: string;
  /** Writes the attributes. */
  readonly write?: (writer: AttributeWriter) => void;
};

/**
 * The way to the Open vSwitch families of one network namespace: a pool of sockets, and the numbers
 * that this kernel gave the families.
 */
export class OvsChannel implements Disposable {
  readonly #namespace: NetworkNamespace | undefined;
  readonly #pool: SocketPool;
  readonly #families = new Map<string, GenericFamily>();
  #closed = false;

  /** @param namespace where its sockets are opened; the caller closes it, after the channel */
  constructor(namespace?: NetworkNamespace) {
    this.#namespace = namespace;
    this.#pool = new SocketPool((protocol) => this.openSocket(protocol));
  }

  /**
   * @throws MillraceError `NO_MODULE` where the kernel has no Open vSwitch datapath, or an older one
   *   that lacks this family
   */
  family(name: string): GenericFamily {
    const known = this.#families.get(name);
    if (known !== undefined) return known;
    const found = this.#lookUp(name);
    if (found === undefined) {
      throw new MillraceError(
        "NO_MODULE",
        `this kernel has no Open vSwitch datapath (no netlink family ${name}): load it with ` +
          "'sudo modprobe openvswitch', or work in a throw-away kernel with 'millrace lab shell'",
      );
    }
    return found;
  }

  /**
   * Whether a family is gone, or has another number than `id` since its module was loaded anew: a request to
   * a number that is no family's is ENOENT (`genl_rcv_msg` in genetlink.c), as one for a flow that is not
   * there. Asks the kernel.
   */
  familyMoved(name: string, id: number): boolean {
    return this.#lookUp(name)?.id !== id;
  }

  /**
   * A socket of the caller's own, for loads and listeners; the caller closes it.
   * @throws MillraceError `CLOSED` where the channel is
   */
  openSocket(protocol: number = NETLINK_GENERIC, options?: SocketOptions): NetlinkSocket {
    if (this.#closed) throw new MillraceError("CLOSED", "it is closed: no socket can be opened");
    return this.inside(() => new NetlinkSocket(protocol, options));
  }

  /** Runs something short in the namespace of the channel; see {@link NetworkNamespace.run}. */
  inside<T>(run: () => T): T {
    return this.#namespace === undefined ? run() : this.#namespace.run(run);
  }

  /** A request to another protocol of the same namespace. @throws as {@link transact} */
  transactWith(protocol: number, request: Request, onReply?: OnReply): void {
    try {
      this.#pool.with(protocol, (requester) => requester.transact(request, onReply));
    } catch (error) {
      throw explain(error, request.doing);
    }
  }

  /**
   * Sends one command and waits for its ack.
   * @throws NetlinkError; MillraceError `NO_PERMISSION`, `NO_MODULE`
   */
  transact(request: OvsRequest, onReply?: OnReply): void {
    const inner = this.#request(request);
    const ask = (asked: Request): void =>
      this.#pool.with(NETLINK_GENERIC, (requester) => requester.transact(asked, onReply));
    try {
      try {
        ask(inner);
      } catch (error) {
        if (!this.#isOfNoFamily(error, request.family, inner.type)) throw error;
        // The kernel did nothing with it.
        ask(this.#request(request));
      }
    } catch (error) {
      throw explain(error, request.doing);
    }
  }

  /** Dumps; each message is valid until the next. Ending the loop early closes the socket. */
  dump(request: OvsRequest): Cursor<OvsMessage> {
    let replies: Cursor<Reply> | undefined;
    let found: OvsMessage | undefined;
    const first = (): Reply | undefined => {
      const inner = this.#request(request);
      replies = this.dumpWith(NETLINK_GENERIC, inner);
      try {
        return replies.take();
      } catch (error) {
        // The kernel says so before the first message.
        if (!this.#isOfNoFamily(error, request.family, inner.type)) throw error;
        replies = this.dumpWith(NETLINK_GENERIC, this.#request(request));
        return replies.take();
      }
    };
    return new Cursor(
      () => {
        const reply = replies === undefined ? first() : replies.take();
        if (reply === undefined) return undefined;
        const { u8, view } = reply.memory;
        found ??= { bytes: u8, view, datapath: 0, start: 0, end: 0 };
        setMessage(found, reply.message);
        return found;
      },
      () => replies?.return(),
    );
  }

  /** A dump from another protocol of the same namespace, as {@link dump}: one object, set anew each time. */
  dumpWith(protocol: number, request: Request): Cursor<Reply> {
    let requester: Requester | undefined;
    let messages: Cursor<MessageReader> | undefined;
    let reply: Reply | undefined;
    return new Cursor(
      () => {
        requester ??= this.#pool.take(protocol);
        messages ??= requester.dump(request);
        let message: MessageReader | undefined;
        try {
          message = messages.take();
        } catch (error) {
          throw explain(error, request.doing);
        }
        if (message !== undefined) reply ??= { memory: requester.replies, message };
        return message === undefined ? undefined : reply;
      },
      () => {
        if (requester !== undefined) this.#pool.give(requester);
      },
    );
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#pool[Symbol.dispose]();
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

  #request(request: OvsRequest): Request {
    const { id } = this.family(request.family);
    return {
      type: id,
      doing: request.doing,
      ...(request.flags === undefined ? {} : { flags: request.flags }),
      write: (writer) => {
        putGenericHeader(writer, request.command, request.version);
        putWord(writer, request.datapath);
        request.write?.(writer);
      },
    };
  }
}

/** A message as it lies in the receive buffer, valid until the next. */
type Reply = { readonly memory: PinnedMemory; readonly message: MessageReader };

/** One message of a family: its attributes are `bytes[start..end)`. */
export type OvsMessage = {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** `dp_ifindex` of struct ovs_header. */
  datapath: number;
  start: number;
  end: number;
};

/** Lets `message` be the one that `reader` stands at, in the same memory. */
export function setMessage(message: OvsMessage, reader: MessageReader): void {
  message.start = Math.min(reader.payload + OVS_PREFIX, reader.end);
  message.end = reader.end;
  message.datapath =
    message.start === reader.payload + OVS_PREFIX
      ? message.view.getInt32(reader.payload + GENL_HEADER, true)
      : 0;
}

/** Looks at the reply to {@link OvsChannel.transact} as an {@link OvsMessage}. */
export function onMessage(use: (message: OvsMessage) => void): OnReply {
  return (memory, reader) => {
    const message = { bytes: memory.u8, view: memory.view, datapath: 0, start: 0, end: 0 };
    setMessage(message, reader);
    use(message);
  };
}

// Says what is missing and what mends it, where the errno alone would not.
function explain(error: unknown, doing: string): unknown {
  if (!(error instanceof NetlinkError)) return error;
  if (error.errno === EPERM || error.errno === EACCES) return noPermission(doing, error);
  return error;
}

/** The kernel wants CAP_NET_ADMIN for what was tried. */
export function noPermission(doing: string, cause?: unknown): MillraceError {
  return new MillraceError(
    "NO_PERMISSION",
    `${doing}: the kernel wants CAP_NET_ADMIN: run it with sudo, or in a network namespace of your ` +
      "own ('unshare -rn')",
    { cause },
  );
}
