import { EAGAIN, EBADF, EBUSY, EINTR, EMSGSIZE, ENOENT, EOPNOTSUPP } from "../sys/errno.ts";
import { MillraceError } from "../sys/errors.ts";
import type { KernelFeatures } from "../flow/rules/features.ts";
import type { NetlinkKernel } from "../netlink/kernel.ts";
import { NLMSG_HEADER } from "../netlink/message.ts";
import * as pointed from "../sys/pointed-memory.ts";
import { SignalDescriptor } from "../sys/signal-descriptor.ts";
import type { SocketCalls } from "../sys/socket-calls.ts";
import * as N from "../uapi/netlink.ts";
import { Controller } from "./controller.ts";
import type { DatapathState, PortState } from "./datapath-state.ts";
import { Datapaths } from "./datapaths.ts";
import { Dump, type Family, Families, UML_FEATURES } from "./family.ts";
import type { CallFault, Faults, FaultyCall } from "./faults.ts";
import { SocketEnd } from "./socket-end.ts";
import { errorMessage, markInterrupted, type Request } from "./wire.ts";

// A kernel in memory: its sockets, and the way of a request to the family that it is for.

const SOL_NETLINK = 270;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_MEMINFO = 55;
const MEMINFO_BYTES = 36;
/** net.core.rmem_default. */
const BUFFER_BYTES = 212_992;
/** What the kernel keeps of a send buffer for itself (netlink_sendmsg). */
const SEND_OVERHEAD = 32;
/** A control message: its type is below NLMSG_MIN_TYPE. */
const TYPE_MIN = 0x10;

/** How a kernel in memory is made. */
export type MemoryKernelOptions = {
  /** Decides whatever the kernel leaves open: numbers of families and sockets; 1 by default. */
  readonly seed?: number;
  /** What it takes in flows; what Linux 6.1 does, without conntrack zones, by default. */
  readonly features?: KernelFeatures;
};

/**
 * A kernel in memory, with the families of Open vSwitch and nothing else: what `Datapath.open` and its like take as
 * their `kernel`. It answers as Linux 6.1 does, byte for byte where it can; docs/testing.md says where it does not.
 * Everything in it happens within the calls of its user, in their order, and the same with each run.
 */
export class MemoryKernel implements NetlinkKernel {
  readonly calls: SocketCalls;
  readonly datapaths: Datapaths;
  /** What goes wrong. */
  faults: Faults = {};
  /** Is told each request before it is carried out, and what came of it. */
  onRequest: (request: Request, errno: number) => void = () => {};
  /** Is told that somebody waits so many milliseconds where nothing will come. */
  onWait: (milliseconds: number) => void = () => {};
  readonly families: Families;
  readonly #sockets = new Map<number, SocketEnd>();
  readonly #signals = new Map<number, SignalDescriptor>();
  #nextPortId: number;

  constructor({ seed = 1, features = UML_FEATURES }: MemoryKernelOptions = {}) {
    this.families = new Families(seed);
    this.#nextPortId = 4000 + (seed % 97);
    this.datapaths = new Datapaths({
      families: this.families,
      features,
      notify: (group, message, request) => this.#notify(group, message, request),
      hasListeners: (group) => this.#listeners(group).length > 0,
      upcall: (portId, message) => this.#unicast(portId, message),
    });
    this.families.add(new Controller(this.families), N.GENL_ID_CTRL);
    for (const family of this.datapaths.makeFamilies()) this.families.add(family);
    this.calls = this.#makeCalls();
  }

  /** Port ids of the sockets that are open. */
  portIds(): Set<number> {
    return new Set(Array.from(this.#sockets.values(), ({ portId }) => portId));
  }

  /** Bounds the receive buffer of every socket that is open, in bytes. */
  limitReceiveBuffers(bytes: number): void {
    for (const socket of this.#sockets.values()) socket.receiveBufferBytes = bytes;
  }

  /** Makes an interface that can become a port, as a `netdev` is. */
  addInterface(name: string): void {
    const { interfaces, nextInterface } = this.datapaths;
    if (!interfaces.has(name)) interfaces.set(name, nextInterface());
  }

  /** A packet comes in by a port. @param frame from its Ethernet header on @throws MillraceError `NO_PORT` */
  receive(port: string, frame: Uint8Array): void {
    const { dp, state } = this.#portNamed(port);
    this.datapaths.packets.receive(dp, state, frame);
  }

  /** Takes the packets that went out by a port since it was asked last. @throws MillraceError `NO_PORT` */
  sent(port: string): Uint8Array[] {
    return this.#portNamed(port).state.sent.splice(0);
  }

  /** Unloads the module, and loads it anew: datapaths are gone, and families have other numbers. */
  reloadModule(): void {
    for (const dp of this.datapaths.datapaths.values()) this.datapaths.remove(dp);
    this.families.renumber();
  }

  #portNamed(name: string): { dp: DatapathState; state: PortState } {
    for (const dp of this.datapaths.datapaths.values()) {
      for (const state of dp.ports.values()) if (state.name === name) return { dp, state };
    }
    throw new MillraceError("NO_PORT", `no datapath of this kernel has a port "${name}"`);
  }

  #makeCalls(): SocketCalls {
    return {
      socket: (_domain, _type, protocol) => this.#open(protocol),
      close: (fd) => this.#close(fd),
      connect: () => 0,
      getsockname: (fd, address) => {
        pointed.putU32(address + 4, this.#sockets.get(fd)?.portId ?? 0);
        return 0;
      },
      setsockopt: (fd, level, name, value) => this.#setOption(fd, level, name, value),
      getsockopt: (fd, _level, name, value) => this.#getOption(fd, name, value),
      send: (fd, address, length) => {
        const fault = this.#fault("send");
        if (fault !== undefined && "errno" in fault) return -fault.errno;
        return this.#datagram(fd, pointed.bytesAt(address, length).slice());
      },
      writev: (fd, iovecs, count) => {
        const fault = this.#fault("writev");
        if (fault !== undefined && "errno" in fault) return -fault.errno;
        return this.#datagram(fd, pointed.gather(iovecs, count));
      },
      sendmmsg: (fd, headers, count) => this.#sendMany(fd, headers, count),
      recvmmsg: (fd, headers, count) => this.#receiveMany(fd, headers, count),
      poll: (fds, count, timeoutMs) => this.#poll(fds, count, timeoutMs),
    };
  }

  #fault(call: FaultyCall): CallFault | undefined {
    return this.faults.call?.(call);
  }

  #open(protocol: number): number {
    const signal = new SignalDescriptor();
    const { fd } = signal;
    const end = new SocketEnd(fd, protocol, this.#nextPortId, BUFFER_BYTES);
    this.#nextPortId += 7;
    end.onReadable = (readable) => signal.set(readable);
    this.#sockets.set(fd, end);
    this.#signals.set(fd, signal);
    return fd;
  }

  #close(fd: number): number {
    if (!this.#sockets.delete(fd)) return -EBADF;
    this.#signals.get(fd)?.close();
    this.#signals.delete(fd);
    return 0;
  }

  #setOption(fd: number, level: number, name: number, value: number): number {
    const socket = this.#sockets.get(fd);
    if (socket === undefined) return -EBADF;
    const number = pointed.getU32(value);
    // The kernel doubles what it is asked for.
    if (level !== SOL_NETLINK) {
      if (name === SO_RCVBUF || name === SO_RCVBUFFORCE) socket.receiveBufferBytes = number * 2;
      if (name === SO_SNDBUF || name === SO_SNDBUFFORCE) socket.sendBufferBytes = number * 2;
    } else if (name === N.NETLINK_ADD_MEMBERSHIP) socket.groups.add(number);
    else if (name === N.NETLINK_DROP_MEMBERSHIP) socket.groups.delete(number);
    return 0;
  }

  #getOption(fd: number, name: number, value: number): number {
    const socket = this.#sockets.get(fd);
    if (socket === undefined) return -EBADF;
    if (name === SO_RCVBUF) pointed.putU32(value, socket.receiveBufferBytes);
    else if (name === SO_SNDBUF) pointed.putU32(value, socket.sendBufferBytes);
    else if (name === SO_MEMINFO) {
      pointed.putU32(value, socket.used);
      pointed.putU32(value + MEMINFO_BYTES - 4, socket.drops);
    }
    return 0;
  }

  #sendMany(fd: number, headers: number, count: number): number {
    const fault = this.#fault("sendmmsg");
    if (fault !== undefined && "errno" in fault) return -fault.errno;
    const most = fault === undefined ? count : Math.min(count, fault.atMost);
    for (let i = 0; i < most; i++) {
      const sent = this.#datagram(fd, pointed.datagramOf(headers, i));
      if (sent < 0) return i > 0 ? i : sent;
      pointed.setSent(headers, i, sent);
    }
    return most;
  }

  #receiveMany(fd: number, headers: number, count: number): number {
    const socket = this.#sockets.get(fd);
    if (socket === undefined) return -EBADF;
    const fault = this.#fault("recvmmsg");
    if (fault !== undefined && "errno" in fault) return -fault.errno;
    const error = socket.takeError();
    if (error !== 0) return -error;
    const most = fault === undefined ? count : Math.min(count, fault.atMost);
    let taken = 0;
    for (; taken < most; taken++) {
      const room = pointed.roomOf(headers, taken);
      const { dump } = socket;
      if (dump?.isUnderWay() === true) dump.move(this.faults.betweenPieces?.(dump.request) ?? 0);
      const datagram = socket.shift(room);
      if (datagram === undefined) break;
      pointed.deliverTo(headers, taken, datagram);
    }
    return taken > 0 ? taken : -EAGAIN;
  }

  // Nothing comes of waiting: all that happens here, happens within a call.
  #poll(fds: number, count: number, timeoutMs: number): number {
    const fault = this.#fault("poll");
    // Who was interrupted looks again.
    if (fault !== undefined && "errno" in fault) return fault.errno === EINTR ? 0 : -fault.errno;
    if (count > 0 && this.#sockets.get(pointed.getU32(fds))?.readable === true) return 1;
    this.onWait(timeoutMs);
    return 0;
  }

  // As netlink_rcv_skb walks: a length that cannot be ends it in silence.
  #datagram(fd: number, bytes: Uint8Array): number {
    const socket = this.#sockets.get(fd);
    if (socket === undefined) return -EBADF;
    if (bytes.length > socket.sendBufferBytes - SEND_OVERHEAD) return -EMSGSIZE;
    const view = new DataView(bytes.buffer);
    const reach = this.faults.reach?.(bytes.length) ?? bytes.length;
    for (let at = 0; reach - at >= NLMSG_HEADER;) {
      const length = view.getUint32(at, true);
      if (length < NLMSG_HEADER || length > reach - at) break;
      this.#carryOut(socket, {
        type: view.getUint16(at + 4, true),
        flags: view.getUint16(at + 6, true),
        sequence: view.getUint32(at + 8, true),
        portId: socket.portId,
        bytes: bytes.subarray(at, at + length),
      });
      at += (length + 3) & ~3;
    }
    return bytes.length;
  }

  #carryOut(socket: SocketEnd, request: Request): void {
    const { flags, type } = request;
    const isRequest = (flags & N.NLM_F_REQUEST) !== 0 && type >= TYPE_MIN;
    const errno = isRequest ? this.#run(socket, request) : 0;
    // A dump that has begun is answered by itself.
    if (errno < 0) return;
    this.onRequest(request, errno);
    if (errno !== 0 || (flags & N.NLM_F_ACK) !== 0) {
      this.#reply(socket, errorMessage(request, errno), request);
    }
  }

  /** @returns an errno, 0, or -1 for a dump that has begun */
  #run(socket: SocketEnd, request: Request): number {
    this.faults.before?.(request);
    const refused = this.faults.refuse?.(request);
    if (refused !== undefined) return refused;
    const family = this.families.byId(request.type);
    if (family === undefined) return ENOENT;
    if ((request.flags & N.NLM_F_DUMP) === N.NLM_F_DUMP)
      return this.#begin(socket, family, request);
    return family.run(request, (message) => this.#reply(socket, message, request));
  }

  #begin(socket: SocketEnd, family: Family, request: Request): number {
    if (socket.dump !== undefined) return EBUSY;
    const walk = family.dump?.(request);
    if (walk === undefined) return EOPNOTSUPP;
    const dump = new Dump(request, walk);
    let pieces = 0;
    const next = (room: number): Uint8Array | undefined => {
      pieces++;
      const piece = dump.next(this.faults.pieceBytes?.() ?? room);
      if (dump.ended) socket.dump = undefined;
      if (piece !== undefined && this.faults.interrupts?.(request) === true) markInterrupted(piece);
      return piece;
    };
    socket.dump = { request, next, isUnderWay: () => pieces > 0, move: (by) => dump.move(by) };
    socket.onReadable(true);
    this.onRequest(request, 0);
    return -1;
  }

  #reply(socket: SocketEnd, message: Uint8Array, request: Request): void {
    if (this.faults.noMemory?.(request) === true) socket.lose();
    else if (this.faults.deliver === undefined) socket.push(message);
    else for (const delivered of this.faults.deliver(message, request)) socket.push(delivered);
  }

  #listeners(group: number): SocketEnd[] {
    return Array.from(this.#sockets.values()).filter(({ groups }) => groups.has(group));
  }

  // As nlmsg_notify: who asked for an echo gets it once.
  #notify(group: number, message: Uint8Array, request: Request): void {
    const echoes = (request.flags & N.NLM_F_ECHO) !== 0;
    for (const socket of this.#sockets.values()) {
      const asked = echoes && socket.portId === request.portId;
      if (asked) this.#reply(socket, message, request);
      else if (socket.groups.has(group)) socket.push(message);
    }
  }

  // Returns whether somebody has that port id.
  #unicast(portId: number, message: Uint8Array): boolean {
    for (const socket of this.#sockets.values()) {
      if (socket.portId !== portId) continue;
      const { drops } = socket;
      socket.push(message);
      return socket.drops === drops;
    }
    return false;
  }
}
