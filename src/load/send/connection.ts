import { Batch } from "../../netlink/batch.ts";
import { Transactor } from "../../netlink/transactor.ts";
import type { OvsChannel } from "../../ovs/channel.ts";
import { FlowReads } from "../../ovs/flow-reads.ts";
import type { LoadTarget } from "./sender.ts";
import type { SenderShape } from "./batching.ts";

/** Key, mask and actions, 64 KiB each, and the headers. */
const MESSAGE_BYTES_MAX = 200 << 10;

/** What a load sends with: a socket, what goes over it, and an arena. */
export class Rig {
  readonly shape: SenderShape;
  readonly transactor: Transactor;
  /** One window: all replies to it fit the receive buffer. */
  readonly batch: Batch;
  #followUps: Batch | undefined;
  #reads: FlowReads | undefined;

  constructor(channel: OvsChannel, shape: SenderShape) {
    this.shape = shape;
    const socket = channel.openSocket();
    try {
      this.transactor = new Transactor(socket, shape);
    } catch (error) {
      socket.close();
      throw error;
    }
    const wanted = shape.messagesPerDatagram * shape.datagramsPerCall;
    const messages = Math.min(this.transactor.windowMessages, wanted);
    this.batch = new Batch(messages, arenaBytes(messages, shape));
  }

  /** Requests that are made of those of {@link batch}; made when first wanted. */
  get followUps(): Batch {
    return (this.#followUps ??= new Batch(this.batch.capacity, this.batch.memory.size));
  }

  /** Reads flows of the datapath that the rig is used for; made when first wanted. */
  readsOf({ channel, datapath }: Omit<LoadTarget, "rigs">): FlowReads {
    return (this.#reads ??= new FlowReads(channel, datapath));
  }

  /** System calls of those reads. */
  get readCalls(): number {
    return this.#reads?.systemCalls ?? 0;
  }

  close(): void {
    this.transactor.socket.close();
    this.#reads?.close();
  }
}

/** Room for a batch of plain flows (under 256 bytes each), and for one of the greatest length. */
function arenaBytes(messages: number, shape: SenderShape): number {
  const wanted = Math.min(messages * 256, shape.bytesPerDatagram * shape.datagramsPerCall);
  return Math.max(wanted, MESSAGE_BYTES_MAX);
}

/**
 * Keeps the rig of a load for the next one of the same datapath: memory that was used before costs
 * nothing, fresh memory more than the flows of a small load.
 */
export class RigShelf implements Disposable {
  #idle: Rig | undefined;
  #closed = false;

  /** Takes the rig that is kept, where it has this shape, or makes one. */
  take(channel: OvsChannel, shape: SenderShape): Rig {
    const idle = this.#idle;
    if (idle === undefined || !isSameShape(idle.shape, shape)) return new Rig(channel, shape);
    this.#idle = undefined;
    idle.batch.clear();
    return idle;
  }

  /** Gives a rig back that has read all its replies. */
  give(rig: Rig): void {
    if (this.#closed || this.#idle !== undefined) rig.close();
    else this.#idle = rig;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#idle?.close();
    this.#idle = undefined;
  }
}

function isSameShape(a: SenderShape, b: SenderShape): boolean {
  return (
    a.ack === b.ack &&
    a.transport === b.transport &&
    a.messagesPerDatagram === b.messagesPerDatagram &&
    a.bytesPerDatagram === b.bytesPerDatagram &&
    a.datagramsPerCall === b.datagramsPerCall &&
    a.replyCostBytes === b.replyCostBytes
  );
}
