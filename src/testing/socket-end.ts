import { ENOBUFS } from "../sys/errno.ts";
import type { Request } from "./wire.ts";

/*
 * What one waiting message costs of `sk_rcvbuf`: its bytes, and what the kernel needs around them (`skb->truesize`).
 * A capped ack costs 768 bytes on Linux 6.1.
 */
const COST_FIXED = 512;
const COST_LEAST = 768;

/** A dump that goes on as its reader empties the queue: the next datagram, or undefined behind the last one. */
type RunningDump = {
  readonly request: Request;
  readonly next: (room: number) => Uint8Array | undefined;
  /** Its first piece was given, and its last one was not. */
  readonly isUnderWay: () => boolean;
  readonly move: (by: number) => void;
};

/**
 * The kernel's end of a netlink socket: what waits for its reader. A buffer that is full loses what comes until
 * it was emptied, and says so once before what survived (`netlink_overrun` in af_netlink.c).
 */
export class SocketEnd {
  readonly fd: number;
  readonly protocol: number;
  readonly portId: number;
  receiveBufferBytes: number;
  sendBufferBytes: number;
  readonly groups: Set<number> = new Set<number>();
  /** Messages that the kernel had and dropped. */
  drops = 0;
  /** What its waiting messages cost. */
  used = 0;
  dump: RunningDump | undefined;
  /** Is told when there is something to be read where nothing was, and the other way round. */
  onReadable: (readable: boolean) => void = () => {};
  readonly #queue: Uint8Array[] = [];
  /** Errno of the next read, whatever waits. */
  #error = 0;
  #congested = false;

  constructor(fd: number, protocol: number, portId: number, bufferBytes: number) {
    this.fd = fd;
    this.protocol = protocol;
    this.portId = portId;
    this.receiveBufferBytes = bufferBytes;
    this.sendBufferBytes = bufferBytes;
  }

  get readable(): boolean {
    return this.#queue.length > 0 || this.#error !== 0 || this.dump !== undefined;
  }

  /** Queues a datagram. */
  push(datagram: Uint8Array): void {
    const cost = costOf(datagram);
    if (this.#congested || this.used + cost > this.receiveBufferBytes) {
      this.drops++;
      if (!this.#congested) this.#error = ENOBUFS;
      this.#congested = true;
    } else {
      this.used += cost;
      this.#queue.push(datagram);
    }
    this.onReadable(true);
  }

  /** There was no memory for a reply: nothing is counted, and the reader is told (`netlink_ack`). */
  lose(): void {
    this.#error = ENOBUFS;
    this.onReadable(true);
  }

  /** Errno that waits for the reader, or 0; it is told once. */
  takeError(): number {
    const error = this.#error;
    this.#error = 0;
    if (error !== 0) this.onReadable(this.readable);
    return error;
  }

  /**
   * Takes one datagram; undefined where none waits.
   * @param room bytes that the reader has for it
   */
  shift(room: number): Uint8Array | undefined {
    const found = this.#queue.shift() ?? this.#goOn(room);
    if (found === undefined) return undefined;
    if (this.#queue.length === 0) {
      this.used = 0;
      this.#congested = false;
    } else this.used -= costOf(found);
    this.onReadable(this.readable);
    return found;
  }

  #goOn(room: number): Uint8Array | undefined {
    return this.dump?.next(room);
  }
}

function costOf({ length }: Uint8Array): number {
  return Math.max(COST_LEAST, length + COST_FIXED);
}
