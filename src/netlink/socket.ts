import { ENOPROTOOPT, EPERM, EAFNOSUPPORT, EPROTONOSUPPORT } from "../sys/errno.ts";
import { MillraceError, SystemCallError } from "../sys/errors.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { recvmmsg, send, sendmmsg, type SocketCalls, writev } from "../sys/socket-calls.ts";
import * as N from "../uapi/netlink.ts";
import { CALLS } from "./trace.ts";

// A netlink socket: how it is opened, its options, its system calls.

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SOL_NETLINK = 270;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_MEMINFO = 55;
const SK_MEMINFO_RMEM_ALLOC = 0;
const SK_MEMINFO_DROPS = 8;
const SOCKADDR_NL_SIZE = 12;
const POLLIN = 1;

/**
 * The receive buffer that a socket asks for. The kernel doubles it (`sk_rcvbuf`), and an ack costs
 * 768 to 896 bytes of the result: 4 MiB hold more than 9,000 replies.
 */
const RECEIVE_BUFFER_BYTES = 4 << 20;
const SEND_BUFFER_BYTES = 2 << 20;

/** The kernel refuses a datagram longer than the send buffer minus this (netlink_sendmsg). */
const SEND_OVERHEAD = 32;

/** Options of a socket. The kernel doubles both buffer sizes. */
export type SocketOptions = {
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
  /** The system calls that it makes: the kernel's by default, traced if requested; or a test's. */
  readonly calls?: SocketCalls;
};

/**
 * Closes sockets that became unreachable without being closed, such as that of an abandoned dump.
 */
const ABANDONED = new FinalizationRegistry<Opened>(({ calls, fd }) => calls.close(fd));

type Opened = { readonly calls: SocketCalls; readonly fd: number };

/**
 * A netlink socket connected to the kernel: bound, its port id read back, buffers as large as the
 * privileges allow, acks capped and extended. Synchronous; only one caller may use it at a time.
 */
export class NetlinkSocket implements Disposable {
  readonly protocol: number;
  /** The port id that the kernel chose: the address of replies and upcalls. */
  readonly portId: number;
  /** `sk_rcvbuf` in bytes: the most that all waiting replies together may cost. */
  readonly receiveBufferBytes: number;
  /** The longest datagram that can be sent, in bytes. */
  readonly datagramBytesMax: number;

  readonly #calls: SocketCalls;
  readonly #fd: number;
  readonly #scratch = new PinnedMemory(64);
  #sequence: number;
  #closed = false;

  /** @throws SystemCallError, or MillraceError `NO_PROTOCOL` if the kernel lacks the protocol */
  constructor(protocol: number, options: SocketOptions = {}) {
    this.protocol = protocol;
    const { calls = CALLS } = options;
    this.#calls = calls;
    const fd = calls.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd === -EAFNOSUPPORT || fd === -EPROTONOSUPPORT) {
      throw new MillraceError("NO_PROTOCOL", `this kernel has no netlink protocol ${protocol}`);
    }
    if (fd < 0) throw new SystemCallError("socket", -fd, "opening a netlink socket");
    this.#fd = fd;
    try {
      this.#option(N.NETLINK_CAP_ACK);
      this.#option(N.NETLINK_EXT_ACK);
      this.#buffer(SO_SNDBUFFORCE, SO_SNDBUF, options.sendBufferBytes ?? SEND_BUFFER_BYTES);
      this.#buffer(SO_RCVBUFFORCE, SO_RCVBUF, options.receiveBufferBytes ?? RECEIVE_BUFFER_BYTES);
      this.#connect();
      this.portId = this.#readPortId();
      this.receiveBufferBytes = this.#readOption(SO_RCVBUF);
      this.datagramBytesMax = this.#readOption(SO_SNDBUF) - SEND_OVERHEAD;
    } catch (error) {
      calls.close(fd);
      throw error;
    }
    ABANDONED.register(this, { calls, fd }, this);
    // A start that differs per socket: a stray reply to an earlier socket with this port id is
    // recognized.
    this.#sequence = (Date.now() ^ (this.portId << 8)) >>> 0;
  }

  /** The file descriptor, for poll and for statistics. */
  get fd(): number {
    if (this.#closed) throw new MillraceError("CLOSED", "the socket is closed");
    return this.#fd;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Reserves `count` sequence numbers. @returns the first; they go up by one, modulo 2^32. */
  takeSequences(count: number): number {
    const first = this.#sequence;
    this.#sequence = (first + count) >>> 0;
    return first;
  }

  /** send(2) of one datagram. @returns bytes sent, or the errno negated. */
  send(address: number, length: number): number {
    return send(this.#calls, this.fd, address, length);
  }

  /** writev(2) of one datagram. @returns bytes sent, or the errno negated. */
  writev(iovecs: number, count: number): number {
    return writev(this.#calls, this.fd, iovecs, count);
  }

  /** sendmmsg(2). @returns datagrams sent, or the errno negated. */
  sendmmsg(headers: number, count: number): number {
    return sendmmsg(this.#calls, this.fd, headers, count);
  }

  /** recvmmsg(2). @returns messages received, or the errno negated. */
  recvmmsg(headers: number, count: number, flags: number): number {
    return recvmmsg(this.#calls, this.fd, headers, count, flags);
  }

  /**
   * Waits until something can be read.
   * @returns 1, 0 if the time is up first, or the errno negated.
   */
  poll(timeoutMs: number): number {
    const { u32, u16, address } = this.#scratch;
    u32[0] = this.fd;
    u16[2] = POLLIN;
    u16[3] = 0;
    return this.#calls.poll(address, 1, timeoutMs);
  }

  /** Waits that long, regardless of what can be read. */
  pause(milliseconds: number): void {
    this.#calls.poll(this.#scratch.address, 0, milliseconds);
  }

  /** Joins a multicast group by number. Only a listener's socket does: it gets more than replies. */
  join(group: number): void {
    this.#scratch.u32[0] = group;
    const done = this.#set(SOL_NETLINK, N.NETLINK_ADD_MEMBERSHIP);
    if (done < 0) throw new SystemCallError("setsockopt", -done, "joining a multicast group");
  }

  /** Leaves a multicast group by number. */
  leave(group: number): void {
    this.#scratch.u32[0] = group;
    const done = this.#set(SOL_NETLINK, N.NETLINK_DROP_MEMBERSHIP);
    if (done < 0) throw new SystemCallError("setsockopt", -done, "leaving a multicast group");
  }

  /** Bytes of the receive buffer taken by waiting messages (`sk_rmem_alloc`), or -1. */
  receiveBufferUsed(): number {
    return this.#memoryInfo(SK_MEMINFO_RMEM_ALLOC);
  }

  /**
   * Messages for this socket that the kernel dropped since it was opened, modulo 2^32. Exact:
   * `netlink_overrun` in af_netlink.c counts each. -1 if the kernel does not tell.
   */
  drops(): number {
    return this.#memoryInfo(SK_MEMINFO_DROPS);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    ABANDONED.unregister(this);
    this.#calls.close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #memoryInfo(index: number): number {
    const { u32, address } = this.#scratch;
    u32[15] = 36;
    const done = this.#calls.getsockopt(this.fd, SOL_SOCKET, SO_MEMINFO, address, address + 60);
    return done < 0 ? -1 : (u32[index] ?? -1);
  }

  #set(level: number, name: number): number {
    return this.#calls.setsockopt(this.#fd, level, name, this.#scratch.address, 4);
  }

  #option(name: number): void {
    this.#scratch.u32[0] = 1;
    const done = this.#set(SOL_NETLINK, name);
    // Kernels before 4.3 and 4.12 lack these options: their acks are longer and say less.
    if (done < 0 && done !== -ENOPROTOOPT) {
      throw new SystemCallError("setsockopt", -done, "setting up a netlink socket");
    }
  }

  // The forced option ignores the sysctl limit, but requires CAP_NET_ADMIN in the initial user
  // namespace.
  #buffer(forced: number, plain: number, bytes: number): void {
    this.#scratch.u32[0] = bytes;
    let done = this.#set(SOL_SOCKET, forced);
    if (done === -EPERM) done = this.#set(SOL_SOCKET, plain);
    if (done < 0) throw new SystemCallError("setsockopt", -done, "sizing a netlink socket");
  }

  #readOption(name: number): number {
    const { u32, address } = this.#scratch;
    u32[0] = 0;
    u32[1] = 4;
    const done = this.#calls.getsockopt(this.#fd, SOL_SOCKET, name, address, address + 4);
    if (done < 0) throw new SystemCallError("getsockopt", -done, "sizing a netlink socket");
    return u32[0] ?? 0;
  }

  // struct sockaddr_nl { u16 family, pad; u32 pid, groups }: pid 0 is the kernel.
  #connect(): void {
    const { u32, address } = this.#scratch;
    u32.fill(0, 0, 3);
    u32[0] = AF_NETLINK;
    const done = this.#calls.connect(this.#fd, address, SOCKADDR_NL_SIZE);
    if (done < 0) throw new SystemCallError("connect", -done, "connecting to the kernel");
  }

  #readPortId(): number {
    const { u32, address } = this.#scratch;
    u32[4] = SOCKADDR_NL_SIZE;
    const done = this.#calls.getsockname(this.#fd, address, address + 16);
    if (done < 0) throw new SystemCallError("getsockname", -done, "reading the port id");
    return u32[1] ?? 0;
  }
}
