import type { Packing } from "../../netlink/transactor.ts";

/** How many messages a system call may carry and how long the arena is. */
export type Batching = Packing & {
  /** Datagrams of one sendmmsg. */
  readonly datagramsPerCall: number;
};

/** Messages of one batch: more make no flow cheaper, and wait longer for their replies. */
const MESSAGES_PER_BATCH = 4096;

/**
 * What measured best: many small datagrams a system call. A datagram above a page is copied to memory
 * that the kernel maps for it (`netlink_alloc_large_skb`), which costs more than its acks save.
 */
export const DEFAULT_BATCHING: Batching = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 16,
  bytesPerDatagram: 256 << 10,
  datagramsPerCall: 256,
};

/** Messages of a datagram that is a system call of its own: as many as an iovec array holds. */
const MESSAGES_PER_CALL = 1024;

/** Completes a batching: what is not given is what goes best with the rest. */
export function completeBatching(given: Partial<Batching> = {}): Batching {
  const { transport = DEFAULT_BATCHING.transport } = given;
  const messagesPerDatagram =
    given.messagesPerDatagram ??
    (transport === "sendmmsg" ? DEFAULT_BATCHING.messagesPerDatagram : MESSAGES_PER_CALL);
  const datagramsPerCall = Math.max(1, Math.floor(MESSAGES_PER_BATCH / messagesPerDatagram));
  return { ...DEFAULT_BATCHING, messagesPerDatagram, datagramsPerCall, ...given };
}

/** Batches a second that a rate is kept with. */
const RATE_BATCHES = 20;

/** The batching whose batches are small enough to keep to a rate of `maxRate` flows a second. */
export function batchingForRate(batching: Batching, maxRate: number | undefined): Batching {
  if (maxRate === undefined) return batching;
  const messages = Math.max(1, Math.floor(maxRate / RATE_BATCHES));
  if (messages >= batching.messagesPerDatagram * batching.datagramsPerCall) return batching;
  const messagesPerDatagram = Math.min(batching.messagesPerDatagram, messages);
  const datagramsPerCall = Math.max(1, Math.floor(messages / messagesPerDatagram));
  return { ...batching, messagesPerDatagram, datagramsPerCall };
}
