import type { PinnedMemory } from "../sys/memory.ts";
import { Inbox } from "./inbox.ts";
import type { MessageReader } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";
import { EventStream } from "./stream.ts";

/** Multicast messages are short, but the longest possible flow fits as well. */
const INBOX_SIZE = { slots: 32, slotBytes: 256 << 10 };

/**
 * Stands in the stream where messages were lost: what the listener knew of the kernel's state is
 * stale from here on.
 */
export type Overrun = { readonly kind: "overrun"; readonly lost: number };

/**
 * Listens to multicast groups over a socket that it owns and closes.
 *
 * @typeParam T what `decode` returns for a message
 */
export class MulticastListener<T> extends EventStream<T | Overrun> {
  readonly #decode: (memory: PinnedMemory, message: MessageReader) => T | undefined;

  /**
   * @param groups group numbers; see `GenericFamily.groups`
   * @param decode looks at a message, whose bytes are valid until it returns; returns undefined for
   * an unwanted one
   * @throws SystemCallError, with EPERM if a group requires a privilege
   */
  constructor(
    socket: NetlinkSocket,
    groups: readonly number[],
    decode: (memory: PinnedMemory, message: MessageReader) => T | undefined,
  ) {
    super(new Inbox(INBOX_SIZE));
    this.#decode = decode;
    this.inbox.add(socket);
    try {
      for (const group of groups) socket.join(group);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  protected override readInto(into: (T | Overrun)[], limit: number): number {
    const before = into.length;
    // Unwanted messages are no events, but they count as read: the socket was not empty.
    let read = 0;
    do {
      read = this.inbox.read(limit, {
        onMessage: (memory, message) => {
          const event = this.#decode(memory, message);
          if (event !== undefined) into.push(event);
        },
        onLost: (lost) => into.push({ kind: "overrun", lost }),
      });
    } while (read > 0 && into.length === before);
    return into.length - before;
  }
}
