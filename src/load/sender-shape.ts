import type { BatchShape } from "../netlink/transactor.ts";

/** How many messages a system call may carry and how long the arena is. */
export type SenderShape = BatchShape & {
  /** Datagrams of one sendmmsg. */
  readonly datagramsPerCall: number;
};

/**
 * What measured best: datagrams of 1,024 messages, as many as an iovec array holds, and four of them
 * a system call.
 */
export const DEFAULT_SHAPE: SenderShape = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 1024,
  bytesPerDatagram: 256 << 10,
  datagramsPerCall: 4,
};

/** Batches a second that a rate is kept with. */
const RATE_BATCHES = 20;

/** The shape whose batches are small enough to keep to a rate of `maxRate` flows a second. */
export function shapeForRate(shape: SenderShape, maxRate: number | undefined): SenderShape {
  if (maxRate === undefined) return shape;
  const messages = Math.max(1, Math.floor(maxRate / RATE_BATCHES));
  if (messages >= shape.messagesPerDatagram * shape.datagramsPerCall) return shape;
  const messagesPerDatagram = Math.min(shape.messagesPerDatagram, messages);
  return { ...shape, messagesPerDatagram, datagramsPerCall: 1 };
}
