import { Inbox } from "../netlink/inbox.ts";
import { GENL_HEADER, type MessageReader } from "../netlink/message.ts";
import type { NetlinkSocket } from "../netlink/socket.ts";
import { EventStream } from "../netlink/stream.ts";
import { MillraceError } from "../sys/errors.ts";
import type { PinnedMemory } from "../sys/memory.ts";
import { NETLINK_GENERIC } from "../uapi/netlink.ts";
import { OVS_DP_F_DISPATCH_UPCALL_PER_CPU, OVS_PACKET_FAMILY } from "../uapi/openvswitch.ts";
import { OVS_PREFIX } from "./message.ts";
import { usage } from "./check.ts";
import { type DatapathHandle, type DatapathInfo, infoOf, setDatapath } from "./datapath.ts";
import { Upcall } from "./packet.ts";
import { possibleCpus, portIdsInUse } from "./upcalls-host.ts";
import { listPorts, type PortInfo, setPortUpcalls } from "./vport.ts";

/**
 * Which socket receives a packet. `shared`: one for all. `port`: one per port, so that a flood on
 * one port loses only packets of that port. `cpu`: one per CPU (Linux 5.15), so that the packets of
 * a flow keep their order and no lock is shared.
 */
export type UpcallDispatch = "shared" | "port" | "cpu";

/** How upcalls are received. */
export type UpcallOptions = {
  readonly dispatch?: UpcallDispatch;
  /**
   * Names of the ports whose misses to receive; by default all, including those added later. Not
   * with `cpu`.
   */
  readonly ports?: readonly string[];
  /** Receive buffer of each socket; a packet costs its truesize, 768 bytes at least. 4 MiB by default. */
  readonly receiveBufferBytes?: number;
  /** Takes the misses away from a program that receives them now, and returns them at the end. */
  readonly takeOver?: boolean;
};

/** Packets were lost here: the socket's buffer was full. */
export type UpcallLoss = { readonly kind: "lost"; readonly count: number };

/** A packet, or a loss of packets. */
export type UpcallEvent = Upcall | UpcallLoss;

/** Receives the packets of {@link Upcalls.visit}. */
export type UpcallVisitor = {
  /** The object is the same each time, its bytes are valid until this returns; see `Upcall.retain`. */
  readonly onUpcall: (upcall: Upcall) => void;
  /** Packets were lost here. */
  readonly onLost: (count: number) => void;
};

const VISIT_LIMIT = 1024;

/**
 * Room for a packet and its userdata, 64 KiB each, and a key. Only the used part of a slot is
 * touched.
 */
const INBOX_SIZE = { slots: 64, slotBytes: 136 << 10 };

/**
 * Packets that find no flow in a datapath, and those that a `userspace(pid=…)` action sends to
 * {@link portId}. An async iterable, and a batch reader: `read()`. It closes when iteration ends;
 * then misses go where they went before. The kernel drops packets that it sends up; execute them to
 * forward them.
 */
export class Upcalls extends EventStream<UpcallEvent> {
  readonly #datapath: DatapathHandle;
  /** The datapath's previous state, restored at the end. */
  readonly #before: DatapathInfo;
  readonly #options: UpcallOptions;
  readonly #family: number;
  readonly #attached = new Map<number, Attached>();
  readonly #sockets: NetlinkSocket[] = [];
  readonly #view = new Upcall();
  #perCpu = false;

  /** @throws MillraceError `BUSY`, `NO_PORT`, `USAGE` for `cpu` with ports; NotSupportedError for `cpu` */
  constructor(datapath: DatapathHandle, options: UpcallOptions = {}) {
    if (options.dispatch === "cpu" && options.ports !== undefined) {
      throw usage("upcalls by CPU are those of every port: give no ports, or dispatch by port");
    }
    super(new Inbox(INBOX_SIZE));
    this.#datapath = datapath;
    this.#before = infoOf(datapath);
    this.#options = options;
    try {
      this.#family = datapath.channel.family(OVS_PACKET_FAMILY).id;
      const ports = this.#wantedPorts();
      if (options.takeOver !== true) this.#refuseToSteal(ports);
      if (options.dispatch === "cpu") this.#attachCpus();
      else this.#attachPorts(ports);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * The address for `userspace(pid=…)` actions. With `cpu` the kernel uses the CPU's socket anyway.
   */
  get portId(): number {
    return this.#sockets[0]?.portId ?? 0;
  }

  /**
   * Also receives the misses of a port that was added meanwhile, unless only some ports are wanted.
   */
  attach(port: { readonly number: number; readonly upcallPortIds: readonly number[] }): void {
    if (this.closed || this.#perCpu || this.#options.ports !== undefined) return;
    this.#attach(port);
  }

  /**
   * As {@link read}, but without a copy or an object per packet: the fastest way to answer misses.
   * @returns packets and losses given to the visitor; 0 if nothing is there
   */
  visit(visitor: UpcallVisitor, limit: number = VISIT_LIMIT): number {
    return this.inbox.read(limit, {
      onMessage: (memory, message) => {
        const start = message.payload + OVS_PREFIX;
        if (!this.#isWanted(memory, message, start)) return;
        this.#view.point(memory.u8[message.payload] ?? 0, memory.u8, start, message.end);
        visitor.onUpcall(this.#view);
      },
      onLost: visitor.onLost,
    });
  }

  protected override readInto(into: UpcallEvent[], limit: number): number {
    const visitor: UpcallVisitor = {
      onUpcall: (upcall) => into.push(upcall.retain()),
      onLost: (count) => into.push({ kind: "lost", count }),
    };
    return this.visit(visitor, limit);
  }

  /**
   * Returns the misses to their previous receiver and closes the sockets; unread packets are
   * dropped.
   */
  override close(): void {
    if (this.closed) return;
    try {
      this.#giveBack();
    } catch (error) {
      // The datapath or its ports may be gone: then there is nothing to restore.
      if (!(error instanceof MillraceError)) throw error;
    } finally {
      super.close();
    }
  }

  // A userspace action of another datapath may also use this socket.
  #isWanted(memory: PinnedMemory, message: MessageReader, start: number): boolean {
    return (
      message.type === this.#family &&
      start <= message.end &&
      memory.view.getInt32(message.payload + GENL_HEADER, true) === this.#datapath.index
    );
  }

  #open(): NetlinkSocket {
    const { receiveBufferBytes } = this.#options;
    const options = {
      sendBufferBytes: 4096,
      ...(receiveBufferBytes === undefined ? {} : { receiveBufferBytes }),
    };
    const socket = this.#datapath.channel.openSocket(NETLINK_GENERIC, options);
    this.#sockets.push(socket);
    this.inbox.add(socket);
    return socket;
  }

  #wantedPorts(): readonly PortInfo[] {
    const ports = listPorts(this.#datapath);
    const { ports: names } = this.#options;
    const missing = names?.find((name) => !ports.some((port) => port.name === name));
    if (missing !== undefined) {
      throw new MillraceError("NO_PORT", `${this.#datapath.name} has no port "${missing}"`);
    }
    return names === undefined ? ports : ports.filter(({ name }) => names.includes(name));
  }

  #refuseToSteal(ports: readonly PortInfo[]): void {
    const { perCpuPortIds, name } = this.#before;
    const wanted = new Set(perCpuPortIds);
    for (const port of ports) for (const portId of port.upcallPortIds) wanted.add(portId);
    wanted.delete(0);
    if (wanted.size === 0) return;
    const { channel } = this.#datapath;
    const used = channel.kernel?.portIds() ?? channel.inside(portIdsInUse);
    if (![...wanted].some((portId) => used.has(portId))) return;
    throw new MillraceError(
      "BUSY",
      `another program gets the misses of ${name} (ovs-vswitchd?): without them it cannot do its ` +
        "work; takeOver takes them away anyway",
    );
  }

  #attachCpus(): void {
    const { name, userFeatures } = this.#before;
    const portIds = Array.from({ length: possibleCpus() }, () => this.#open().portId);
    const features = userFeatures | OVS_DP_F_DISPATCH_UPCALL_PER_CPU;
    setDatapath(this.#datapath.channel, name, { userFeatures: features, perCpuPortIds: portIds });
    this.#perCpu = true;
  }

  #attachPorts(ports: readonly PortInfo[]): void {
    if (this.#options.dispatch !== "port") this.#open();
    for (const port of ports) this.#attach(port);
  }

  #attach(port: { readonly number: number; readonly upcallPortIds: readonly number[] }): void {
    const old = this.#attached.get(port.number);
    const [shared] = this.#sockets;
    const own = this.#options.dispatch === "port" || shared === undefined;
    const socket = own ? (old?.socket ?? this.#open()) : shared;
    const before = old?.before ?? port.upcallPortIds;
    this.#attached.set(port.number, { before, socket });
    setPortUpcalls(this.#datapath, port.number, [socket.portId]);
  }

  #giveBack(): void {
    if (this.#perCpu) {
      const { name, userFeatures, perCpuPortIds } = this.#before;
      setDatapath(this.#datapath.channel, name, {
        userFeatures,
        ...(perCpuPortIds.length === 0 ? {} : { perCpuPortIds }),
      });
    }
    let failed: unknown;
    for (const [number, { before }] of this.#attached) {
      try {
        setPortUpcalls(this.#datapath, number, before.length === 0 ? [0] : before);
      } catch (error) {
        failed ??= error;
      }
    }
    this.#attached.clear();
    if (failed !== undefined) throw failed;
  }
}

/** A port whose misses this object receives. */
type Attached = { readonly before: readonly number[]; readonly socket: NetlinkSocket };
