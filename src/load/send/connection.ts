import { FLOW_BYTES_MAX } from "../../flow/parts.ts";
import { Batch } from "../../netlink/batch.ts";
import { Transactor } from "../../netlink/transactor.ts";
import type { OvsChannel } from "../../ovs/channel.ts";
import type { DatapathHandle } from "../../ovs/datapath.ts";
import { FlowReads } from "../../ovs/flow-reads.ts";
import { OVS_FLOW_FAMILY } from "../../uapi/openvswitch.ts";
import type { Batching } from "./batching.ts";

/** The target of a load. */
export type LoadTarget = {
  readonly datapath: DatapathHandle;
  /** Kept connections, for callers that load more than once. */
  readonly connections?: ConnectionCache;
  /**
   * The owner of the flows that are put and looked for, who is part of their UFIDs. None by
   * default.
   */
  readonly owner?: string;
};

/** The resources with which a load sends: a socket, a transactor and an arena. */
export class SendConnection {
  readonly batching: Batching;
  readonly transactor: Transactor;
  /** The batch, of one window: all replies to it fit the receive buffer. */
  readonly batch: Batch;
  #followUps: Batch | undefined;
  #reads: FlowReads | undefined;

  constructor(channel: OvsChannel, batching: Batching) {
    this.batching = batching;
    // Fails for a kernel without the family before anything is opened.
    channel.family(OVS_FLOW_FAMILY);
    const socket = channel.openSocket();
    try {
      this.transactor = new Transactor(socket, batching);
    } catch (error) {
      socket.close();
      throw error;
    }
    const wanted = batching.messagesPerDatagram * batching.datagramsPerCall;
    const messages = Math.min(this.transactor.windowMessages, wanted);
    this.batch = new Batch(messages, arenaBytes(messages, batching));
  }

  /** A batch of requests made from those of {@link batch}; created on demand. */
  get followUps(): Batch {
    return (this.#followUps ??= new Batch(this.batch.capacity, this.batch.memory.size));
  }

  /** Reads flows of the connection's datapath; created on demand. */
  readsOf({ datapath }: Pick<LoadTarget, "datapath">): FlowReads {
    return (this.#reads ??= new FlowReads(datapath));
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
function arenaBytes(messages: number, batching: Batching): number {
  const wanted = Math.min(messages * 256, batching.bytesPerDatagram * batching.datagramsPerCall);
  return Math.max(wanted, FLOW_BYTES_MAX);
}

/**
 * Keeps the connection of a load for the next one to the same datapath: reused memory costs
 * nothing, fresh memory costs more than the flows of a small load.
 */
export class ConnectionCache implements Disposable {
  #idle: SendConnection | undefined;
  #closed = false;

  /** Takes the kept connection if it has this batching, or makes one. */
  take(channel: OvsChannel, batching: Batching): SendConnection {
    const idle = this.#idle;
    if (idle === undefined || !isSameBatching(idle.batching, batching))
      return new SendConnection(channel, batching);
    this.#idle = undefined;
    idle.batch.clear();
    return idle;
  }

  /** Gives back a connection that has read all its replies. */
  give(connection: SendConnection): void {
    if (this.#closed || this.#idle !== undefined) connection.close();
    else this.#idle = connection;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#idle?.close();
    this.#idle = undefined;
  }
}

function isSameBatching(a: Batching, b: Batching): boolean {
  return (
    a.ack === b.ack &&
    a.transport === b.transport &&
    a.messagesPerDatagram === b.messagesPerDatagram &&
    a.bytesPerDatagram === b.bytesPerDatagram &&
    a.datagramsPerCall === b.datagramsPerCall &&
    a.replyCostBytes === b.replyCostBytes
  );
}
