import { type Pointer, toArrayBuffer } from "bun:ffi";
import { ENOBUFS, ENOENT } from "../../src/sys/errno.ts";
import type { SocketCalls } from "../../src/sys/socket-calls.ts";
import { NLM_F_ACK, NLM_F_CAPPED, NLMSG_DONE, NLMSG_ERROR } from "../../src/uapi/netlink.ts";

/**
 * The kernel's side of a netlink socket, in memory: it carries out requests, queues replies, or
 * does what a test scripts instead. One socket at a time.
 */

/** A message that was carried out. */
export type Request = {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** The whole message, a copy. */
  readonly bytes: Uint8Array;
};

/** The calls that can be scripted. */
type ScriptedCall = "send" | "writev" | "sendmmsg" | "recvmmsg" | "poll";

/** What a call does: returns this number and nothing else, or moves only so many datagrams. */
type Turn = number | { readonly atMost: number } | "as always";

const EAGAIN = 11;
const EMSGSIZE = 90;
const HEADER = 16;
const MMSGHDR = 64;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_MEMINFO = 55;
const MSG_TRUNC = 0x20;

/** A message below NLMSG_MIN_TYPE is acked if it requests that; there are no families. */
function answerNoop(request: Request): readonly Uint8Array[] {
  if (request.type >= 0x10) return [errorReply(request.sequence, ENOENT)];
  return (request.flags & NLM_F_ACK) === 0 ? [] : [errorReply(request.sequence, 0)];
}

/** NLMSG_ERROR, capped; `errno` 0 is an ack. */
export function errorReply(sequence: number, errno: number): Uint8Array {
  const payload = new Int32Array(5);
  payload[0] = -errno;
  payload[1] = HEADER;
  return message(NLMSG_ERROR, NLM_F_CAPPED, sequence, new Uint8Array(payload.buffer));
}

/** NLMSG_DONE, which ends a dump. */
export function doneReply(sequence: number, errno = 0, flags = 0): Uint8Array {
  return message(NLMSG_DONE, flags, sequence, new Uint8Array(new Int32Array([-errno]).buffer));
}

/** A message as the kernel sends it. */
export function message(
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(HEADER + ((payload.length + 3) & ~3));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, HEADER + payload.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, sequence, true);
  bytes.set(payload, HEADER);
  return bytes;
}

export class ScriptedKernel implements SocketCalls {
  /** All that was carried out, in its order. */
  readonly requests: Request[] = [];
  /** Calls of each kind. */
  readonly calls: Record<ScriptedCall, number> = {
    send: 0,
    writev: 0,
    sendmmsg: 0,
    recvmmsg: 0,
    poll: 0,
  };
  /** How often it was closed. */
  closes = 0;
  /** What the kernel says to a request. */
  answer: (request: Request) => readonly Uint8Array[] = answerNoop;
  /** What becomes of a reply: `[reply]` as it is, `[]` it is lost in silence, `[reply, reply]` it is doubled. */
  deliver: (reply: Uint8Array, request: Request) => readonly Uint8Array[] = (reply) => [reply];
  /** Replies for which there is no memory (netlink_ack): by the request. */
  hasNoMemory: (request: Request) => boolean = () => false;
  /** Replies that fit the receive buffer; the next ones are dropped, counted, until it was emptied. */
  room: number = Number.POSITIVE_INFINITY;
  receiveBufferBytes: number = 4 << 20;
  sendBufferBytes: number = 2 << 20;

  readonly #queue: Uint8Array[] = [];
  readonly #scripts = new Map<ScriptedCall, Turn[]>();
  #drops = 0;
  #error = 0;
  #congested = false;

  /** What the next calls of this kind do, one after the other. */
  script(call: ScriptedCall, ...turns: readonly Turn[]): void {
    this.#scripts.set(call, [...(this.#scripts.get(call) ?? []), ...turns]);
  }

  /** Queues a reply, as if some request had caused it. */
  queue(reply: Uint8Array): void {
    if (this.#congested || this.#queue.length >= this.room) {
      this.#drops++;
      if (!this.#congested) this.#error = ENOBUFS;
      this.#congested = true;
      return;
    }
    this.#queue.push(reply);
  }

  readonly socket = (): number => 1000;

  readonly close = (): number => {
    this.closes++;
    return 0;
  };

  readonly connect = (): number => 0;

  readonly setsockopt = (): number => 0;

  readonly getsockname = (_fd: number, address: number): number => {
    memory(address, 8).setUint32(4, 4711, true);
    return 0;
  };

  readonly getsockopt = (_fd: number, _level: number, name: number, value: number): number => {
    if (name === SO_RCVBUF) memory(value, 4).setUint32(0, this.receiveBufferBytes, true);
    else if (name === SO_SNDBUF) memory(value, 4).setUint32(0, this.sendBufferBytes, true);
    else if (name === SO_MEMINFO) memory(value, 36).setUint32(32, this.#drops, true);
    return 0;
  };

  readonly send = (_fd: number, address: number, length: number): number => {
    const turn = this.#turn("send");
    return typeof turn === "number" ? turn : this.#datagram([memory(address, length)]);
  };

  readonly writev = (_fd: number, iovecs: number, count: number): number => {
    const turn = this.#turn("writev");
    return typeof turn === "number" ? turn : this.#datagram(vectors(iovecs, count));
  };

  readonly sendmmsg = (_fd: number, headers: number, count: number): number => {
    const turn = this.#turn("sendmmsg");
    if (typeof turn === "number") return turn;
    const most = turn === "as always" ? count : Math.min(count, turn.atMost);
    for (let i = 0; i < most; i++) {
      const header = memory(headers + i * MMSGHDR, MMSGHDR);
      const sent = this.#datagram(vectors(pointerAt(header, 16), header.getUint32(24, true)));
      if (sent < 0) return i > 0 ? i : sent;
      header.setUint32(56, sent, true);
    }
    return most;
  };

  readonly recvmmsg = (_fd: number, headers: number, count: number): number => {
    const turn = this.#turn("recvmmsg");
    if (typeof turn === "number") return turn;
    const error = this.#error;
    this.#error = 0;
    if (error !== 0) return -error;
    if (this.#queue.length === 0) return -EAGAIN;
    const most = turn === "as always" ? count : Math.min(count, turn.atMost);
    const taken = this.#queue.splice(0, most);
    for (const [i, reply] of taken.entries()) {
      const header = memory(headers + i * MMSGHDR, MMSGHDR);
      const [slot = memory(0, 0)] = vectors(pointerAt(header, 16), 1);
      const length = Math.min(reply.length, slot.byteLength);
      new Uint8Array(slot.buffer).set(reply.subarray(0, length));
      header.setUint32(48, reply.length > length ? MSG_TRUNC : 0, true);
      header.setUint32(56, length, true);
    }
    if (this.#queue.length === 0) this.#congested = false;
    return taken.length;
  };

  readonly poll = (_fds: number, count: number): number => {
    const turn = this.#turn("poll");
    return typeof turn === "number" ? turn : count > 0 && this.#queue.length > 0 ? 1 : 0;
  };

  #turn(call: ScriptedCall): Turn {
    this.calls[call]++;
    return this.#scripts.get(call)?.shift() ?? "as always";
  }

  #datagram(parts: readonly DataView[]): number {
    const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
    if (length > this.sendBufferBytes - 32) return -EMSGSIZE;
    const bytes = new Uint8Array(length);
    let end = 0;
    for (const part of parts) {
      bytes.set(new Uint8Array(part.buffer), end);
      end += part.byteLength;
    }
    const view = new DataView(bytes.buffer);
    // As netlink_rcv_skb walks: a length that cannot be ends it in silence.
    for (let at = 0; length - at >= HEADER;) {
      const size = view.getUint32(at, true);
      if (size < HEADER || size > length - at) break;
      this.#carryOut({
        type: view.getUint16(at + 4, true),
        flags: view.getUint16(at + 6, true),
        sequence: view.getUint32(at + 8, true),
        bytes: bytes.slice(at, at + size),
      });
      at += (size + 3) & ~3;
    }
    return length;
  }

  #carryOut(request: Request): void {
    this.requests.push(request);
    for (const reply of this.answer(request)) {
      if (this.hasNoMemory(request)) this.#error = ENOBUFS;
      else for (const delivered of this.deliver(reply, request)) this.queue(delivered);
    }
  }
}

function isPointer(address: number): address is Pointer {
  return Number.isSafeInteger(address) && address > 0;
}

function memory(address: number, length: number): DataView {
  if (!isPointer(address) || length === 0) return new DataView(new ArrayBuffer(0));
  return new DataView(toArrayBuffer(address, 0, length));
}

function pointerAt(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 2 ** 32;
}

function vectors(address: number, count: number): DataView[] {
  const iovecs = memory(address, count * 16);
  return Array.from({ length: count }, (_, i) =>
    memory(pointerAt(iovecs, i * 16), iovecs.getUint32(i * 16 + 8, true)),
  );
}
