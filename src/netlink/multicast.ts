import type { PinnedMemory } from "../sys/memory.ts";
import { Inbox } from "./inbox.ts";
import type { MessageReader } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";
import { EventStream } from "./stream.ts";

/** Messages of this kind are short; a flow of the greatest length fits all the same. */
const INBOX_SIZE = { slots: 32, slotBytes: 256 << 10 };

/** In the stream where messages were lost: what is known of the kernel's state is stale from here on. */
export type Overrun = { readonly kind: "overrun"; readonly lost: number };

/**
 * Listens to multicast groups, over a socket of its own, which it closes.
 *
 * @typeParam T what `decode` makes of a message
 */
export class MulticastListener<T> extends EventStream<T | Overrun> {
  readonly #decode: (memory: PinnedMemory, message: MessageReader) => T | undefined;

  /**
   * @param groups numbers of groups; see `GenericFamily.groups`
   * @param decode looks at a message, whose bytes are valid until it returns; undefined: not wanted
   * @throws SystemCallError, with EPERM where a group wants a right
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
    // Messages that nobody wants are no events, but they are no silence either.
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
