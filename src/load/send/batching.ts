import type { Packing } from "../../netlink/transactor.ts";

/** How many messages a system call carries, and how long the arena is. */
export type Batching = Packing & {
  /** The most datagrams of one sendmmsg. */
  readonly datagramsPerCall: number;
};

/** Messages of one batch. More would not make flows cheaper, but wait longer for their replies. */
const MESSAGES_PER_BATCH = 4096;

/**
 * The fastest batching measured: many small datagrams per system call. A datagram longer than a
 * page is copied to memory that the kernel maps for it (`netlink_alloc_large_skb`), which costs
 * more than saved acks gain.
 */
export const DEFAULT_BATCHING: Batching = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 16,
  bytesPerDatagram: 256 << 10,
  datagramsPerCall: 256,
};

/** Messages of a datagram that takes a whole system call: as many as an iovec array holds. */
const MESSAGES_PER_CALL = 1024;

/** Completes a batching with the values that fit the given ones best. */
export function completeBatching(given: Partial<Batching> = {}): Batching {
  const { transport = DEFAULT_BATCHING.transport } = given;
  const messagesPerDatagram =
    given.messagesPerDatagram ??
    (transport === "sendmmsg" ? DEFAULT_BATCHING.messagesPerDatagram : MESSAGES_PER_CALL);
  const datagramsPerCall = Math.max(1, Math.floor(MESSAGES_PER_BATCH / messagesPerDatagram));
  return { ...DEFAULT_BATCHING, messagesPerDatagram, datagramsPerCall, ...given };
}

/** Batches per second when keeping a rate. */
const RATE_BATCHES = 20;

/** A batching with batches small enough to keep a rate of `maxRate` flows per second. */
export function batchingForRate(batching: Batching, maxRate: number | undefined): Batching {
  if (maxRate === undefined) return batching;
  const messages = Math.max(1, Math.floor(maxRate / RATE_BATCHES));
  if (messages >= batching.messagesPerDatagram * batching.datagramsPerCall) return batching;
  const messagesPerDatagram = Math.min(batching.messagesPerDatagram, messages);
  const datagramsPerCall = Math.max(1, Math.floor(messages / messagesPerDatagram));
  return { ...batching, messagesPerDatagram, datagramsPerCall };
}
