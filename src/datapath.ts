import {
  type FlowsOptions,
  type NamespaceOption,
  namespaceOf,
  type OpenOptions,
} from "./datapath-options.ts";
import type { FlowFilter } from "./flow/filter/filter.ts";
import { Flow } from "./flow/flow.ts";
import {
  type DatapathLoadOptions,
  loadInto,
  loadIntoSync,
  type SyncFlowSource,
} from "./datapath-load.ts";
import type { FlowSource } from "./flow-source.ts";
import { FlowInstaller } from "./load/flow-installer.ts";
import type { LoadResult } from "./load/result.ts";
import { ConnectionCache, type LoadTarget } from "./load/send/connection.ts";
import type { KernelFeatures } from "./flow/rules/features.ts";
import { type ProbeOptions, probeFeatures } from "./ovs/features.ts";
import type { MulticastListener } from "./netlink/multicast.ts";
import { OvsChannel } from "./ovs/channel.ts";
import {
  type CtLimit,
  type CtLimitInfo,
  type CtZone,
  deleteCtLimits,
  getCtLimits,
  setCtLimits,
} from "./ovs/ct-limit.ts";
import {
  createDatapath,
  type DatapathHandle,
  type DatapathInfo,
  type DatapathOptions,
  deleteDatapath,
  handleOf,
  infoOf,
  listDatapaths,
  openDatapath,
  setDatapath,
} from "./ovs/datapath.ts";
import { type ChangeEvent, type ChangeOptions, listenToChanges } from "./ovs/events.ts";
import { flushFlows } from "./ovs/flow.ts";
import {
  deleteMeter,
  getMeter,
  type MeterFeatures,
  meterFeatures,
  type MeterInfo,
  type MeterOptions,
  setMeter,
} from "./ovs/meter.ts";
import { executePacket, type PacketToExecute } from "./ovs/packet.ts";
import { movePort } from "./ovs/port-move.ts";
import { refuseOwned } from "./ovs/vswitchd.ts";
import { type UpcallOptions, Upcalls } from "./ovs/upcalls.ts";
import {
  addPort,
  deletePort,
  lazyPortNames,
  listPorts,
  type PortInfo,
  type PortOptions,
} from "./ovs/vport.ts";
import {
  clearOne,
  filterOf,
  type FlowCounters,
  type FlowName,
  flowsOf,
  readOne,
  removeOne,
  sendOne,
} from "./one-flow.ts";
import { type DatapathSyncOptions, syncInto, type WantedFlows } from "./flow-sets.ts";
import type { FlowTable, FlowTableOptions } from "./state/flow-table.ts";
import { readDatapath } from "./state/read-table.ts";
import type { SyncResult } from "./state/synchronize.ts";
import { type RemovedFlows, type RemoveOptions, removeWhere } from "./remove-where.ts";
import { type NamespaceReference, NetworkNamespace } from "./sys/netns.ts";

/**
 * A datapath of the kernel: its ports, and its flows. Close it, or let `using` close it: it holds sockets.
 *
 * Calls are synchronous but for {@link load}; one load at a time a process is best, the kernel has one
 * lock for all. What a load was sent with, a socket and about 1.5 MiB, is kept for the next one.
 */
export class Datapath implements Disposable {
  readonly name: string;
  readonly #handle: DatapathHandle;
  readonly #connections = new ConnectionCache();
  readonly #namespace: NetworkNamespace | undefined;
  readonly #target: LoadTarget;
  /** Listeners to misses, who want those of later ports too. */
  readonly #upcalls = new Set<Upcalls>();
  /** No ovs-vswitchd ran it when a load last looked. */
  #isFree = false;

  private constructor(
    handle: DatapathHandle,
    namespace: NetworkNamespace | undefined,
    owner: string,
  ) {
    this.#handle = handle;
    this.#namespace = namespace;
    this.#target = { datapath: handle, connections: this.#connections, owner };
    this.name = handle.name;
  }

  /** @throws MillraceError `NO_DATAPATH`, `NO_MODULE`, `NO_NAMESPACE` */
  static open(name: string, options: OpenOptions = {}): Datapath {
    return Datapath.#with(options, (channel) => openDatapath(channel, name));
  }

  /** @throws MillraceError `EEXIST`, `NO_PERMISSION`, `NO_MODULE`, `NO_NAMESPACE`; NotSupportedError */
  static create(name: string, options: DatapathOptions & OpenOptions = {}): Datapath {
    return Datapath.#with(options, (channel) =>
      handleOf(channel, createDatapath(channel, name, options)),
    );
  }

  /** The datapaths of a network namespace. */
  static list(options: NamespaceOption = {}): DatapathInfo[] {
    using namespace = namespaceOf(options);
    using channel = new OvsChannel(namespace, options.kernel);
    return listDatapaths(channel);
  }

  /**
   * Changes of all datapaths of a network namespace, their ports and flows, from now on. Close it, or
   * iterate it: iteration closes it at its end.
   */
  static changes(options: ChangeOptions & NamespaceOption = {}): MulticastListener<ChangeEvent> {
    using namespace = namespaceOf(options);
    using channel = new OvsChannel(namespace, options.kernel);
    return listenToChanges(channel, options);
  }

  static #with(options: OpenOptions, find: (channel: OvsChannel) => DatapathHandle): Datapath {
    const namespace = namespaceOf(options);
    const channel = new OvsChannel(namespace, options.kernel);
    try {
      return new Datapath(find(channel), namespace, options.owner ?? "");
    } catch (error) {
      channel[Symbol.dispose]();
      namespace?.close();
      throw error;
    }
  }

  /** Counters and settings as they are now. */
  info(): DatapathInfo {
    return infoOf(this.#handle);
  }

  /** Changes settings; what is not named stays. @throws NotSupportedError, MillraceError `USAGE` */
  set(options: DatapathOptions): DatapathInfo {
    return setDatapath(this.#handle.channel, this.name, options);
  }

  /** Deletes the datapath with its ports and flows; the object is closed then. */
  delete(): void {
    deleteDatapath(this.#handle.channel, this.name);
    this.close();
  }

  /** The ports as they are now. */
  ports(): PortInfo[] {
    return listPorts(this.#handle);
  }

  /**
   * Adds a port: an interface that is there, unless the options say otherwise.
   * @throws MillraceError `NO_INTERFACE`, `EEXIST`, `NO_PERMISSION`, `USAGE`; NotSupportedError
   */
  addPort(name: string, options: PortOptions = {}): PortInfo {
    const port = addPort(this.#handle, name, options);
    for (const upcalls of this.#upcalls) {
      if (upcalls.closed) this.#upcalls.delete(upcalls);
      else upcalls.attach(port);
    }
    return port;
  }

  /** Moves the interface of an internal port into another namespace, where it stays a port of this. */
  movePort(name: string, to: NamespaceReference): void {
    using namespace = NetworkNamespace.open(to);
    movePort(this.#handle, name, namespace);
  }

  /** Takes a port out; an interface that is no port's own stays. @throws MillraceError `NO_PORT`, `LOCAL_PORT` */
  deletePort(name: string): void {
    deletePort(this.#handle, name);
  }

  /**
   * Loads flows, in packed transactions. Yields at least every 50 ms.
   * @returns what became of each; a flow that fails does not throw
   * @throws UnreadableInputError; MillraceError `NO_PERMISSION`, and `OWNED` unless `force` is given: the
   *   first load looks whether ovs-vswitchd runs the datapath
   */
  async load(source: FlowSource, options: DatapathLoadOptions = {}): Promise<LoadResult> {
    this.#checkOwner(options);
    return loadInto(this.#target, source, options);
  }

  /** As {@link load}, without yielding: nothing else runs meanwhile, no signal handler and no abort. */
  loadSync(source: SyncFlowSource, options: DatapathLoadOptions = {}): LoadResult {
    this.#checkOwner(options);
    return loadIntoSync(this.#target, source, options);
  }

  /**
   * Creates a flow, or replaces its actions.
   * @throws FlowSyntaxError; FlowRejectedError; NotSupportedError where a later kernel would take it
   */
  put(flow: string | Flow): void {
    sendOne(this.#target, flow, "put");
  }

  /** Creates a flow that must not be there. @throws as {@link put} */
  add(flow: string | Flow): void {
    sendOne(this.#target, flow, "add");
  }

  /**
   * Changes the actions of a flow that must be there.
   * @param options `clear`: its counters begin at zero again
   * @throws as {@link put}
   */
  modify(flow: string | Flow, options: { readonly clear?: boolean } = {}): void {
    sendOne(this.#target, flow, "modify", options.clear === true);
  }

  /** Deletes a flow. @returns false where there is none @throws FlowSyntaxError */
  remove(flow: FlowName): boolean {
    return removeOne(this.#target, flow);
  }

  /**
   * Deletes the flows that a filter means, each by what names it. An empty filter is none: {@link flush} deletes all.
   * @returns how many, and what became of the others; a flow that fails does not throw
   * @throws FlowSyntaxError; MillraceError `NO_PERMISSION`
   */
  async removeWhere(
    where: string | FlowFilter,
    options: RemoveOptions = {},
  ): Promise<RemovedFlows> {
    return removeWhere(this.#target, filterOf(this.#target, where), options);
  }

  /**
   * Brings the datapath to a wanted set of flows, by sending the difference alone. Only flows of the owner are
   * deleted or changed, unless the options say otherwise; see docs/sync.md.
   * @returns what was done, or why nothing was
   * @throws UnreadableInputError; MillraceError `UNSOUND_DUMP`, `EMPTY_SET`, `TOO_MUCH_CHANGE`, `OWNED`
   */
  async sync(wanted: WantedFlows, options: DatapathSyncOptions = {}): Promise<SyncResult> {
    if (options.dryRun !== true) this.#checkOwner(options);
    return syncInto(this.#target, wanted, options);
  }

  /** The flows as they are now, to be compared or kept. @throws MillraceError `UNSOUND_DUMP` */
  table(options: FlowTableOptions = {}): FlowTable {
    return readDatapath(this.#handle, options);
  }

  /** Sets the counters of a flow to zero; its actions stay. @returns as {@link remove} */
  clear(flow: FlowName): boolean {
    return clearOne(this.#target, flow);
  }

  /** Reads a flow with its counters; undefined where there is none. @throws FlowSyntaxError */
  get(flow: FlowName): Flow | undefined {
    return readOne(this.#target, flow);
  }

  /**
   * Every flow, one by one, with counters, in an order in which they can be loaded again: where they
   * overlap a narrow one comes before a wide one. Ending the loop early is fine.
   * @param options `terse`: counters alone, by UFID, for a fraction of the time
   * @throws MillraceError `UNSOUND_DUMP` after the last flow, see `onDoubt`; FlowSyntaxError in `where`
   */
  flows(options?: FlowsOptions): Generator<Flow, void>;
  flows(options: FlowsOptions & { readonly terse: true }): Generator<FlowCounters, void>;
  *flows(
    options: FlowsOptions & { readonly terse?: true } = {},
  ): Generator<Flow | FlowCounters, void> {
    yield* flowsOf(this.#target, options);
  }

  /**
   * What the running kernel takes in flows, found by trying: some fifteen flows that no packet meets are
   * put and deleted. Versions say nothing, distributions add features to old kernels.
   * @param options names of conntrack helpers to look for
   * @throws MillraceError `NO_PERMISSION`, NetlinkError
   */
  features(options: ProbeOptions = {}): KernelFeatures {
    return probeFeatures(this.#handle, options);
  }

  /** Deletes every flow, whoever put it. */
  flush(): void {
    flushFlows(this.#handle);
  }

  /**
   * Packets that find no flow, and those of `userspace` actions, from now on. Close it, or iterate it:
   * iteration closes it at its end.
   * @throws MillraceError `BUSY` where another program gets them, `USAGE`; NotSupportedError
   */
  upcalls(options: UpcallOptions = {}): Upcalls {
    const upcalls = new Upcalls(this.#handle, options);
    this.#upcalls.add(upcalls);
    return upcalls;
  }

  /** Sends a packet through actions, `2` for example. @throws FlowSyntaxError, NetlinkError */
  execute(packet: PacketToExecute, actions: string): void {
    const ports = lazyPortNames(this.#handle);
    executePacket(this.#handle, packet, actions, ports);
  }

  /**
   * Collects flows, to send many at once; close it. Names of ports mean what they mean when they are sent.
   * @param capacity the most flows at once, 1,024
   */
  batch(capacity?: number): FlowInstaller {
    return new FlowInstaller(this.#target, capacity === undefined ? {} : { capacity });
  }

  /** Changes of this datapath, its ports and flows, from now on; see {@link Datapath.changes}. */
  changes(options: Omit<ChangeOptions, "datapathIndex"> = {}): MulticastListener<ChangeEvent> {
    return listenToChanges(this.#handle.channel, { ...options, datapathIndex: this.#handle.index });
  }

  /** What the kernel's meters can do. @throws NotSupportedError */
  meterFeatures(): MeterFeatures {
    return meterFeatures(this.#handle);
  }

  /** Makes or changes a meter, for `meter(ID)` actions. @throws NetlinkError, NotSupportedError */
  setMeter(id: number, options: MeterOptions): void {
    setMeter(this.#handle, id, options);
  }

  /** Counters of a meter; undefined where there is none. */
  getMeter(id: number): MeterInfo | undefined {
    return getMeter(this.#handle, id);
  }

  /** Deletes a meter. @returns its last counters; undefined where there was none */
  deleteMeter(id: number): MeterInfo | undefined {
    return deleteMeter(this.#handle, id);
  }

  /** Conntrack limits, which are those of the whole network namespace; all, or those of some zones. */
  ctLimits(zones?: readonly CtZone[]): CtLimitInfo[] {
    return getCtLimits(this.#handle.channel, zones);
  }

  /** Sets limits, those of other zones stay. @throws MillraceError `USAGE`; NotSupportedError */
  setCtLimits(limits: readonly CtLimit[]): void {
    setCtLimits(this.#handle.channel, limits);
  }

  /** Deletes limits of zones, the default holds there again. @throws as {@link setCtLimits} */
  deleteCtLimits(zones: readonly CtZone[]): void {
    deleteCtLimits(this.#handle.channel, zones);
  }

  /** Closes its sockets, and listeners to misses that are still open; whatever is asked later throws. */
  close(): void {
    for (const upcalls of this.#upcalls) upcalls.close();
    this.#upcalls.clear();
    this.#connections[Symbol.dispose]();
    this.#handle.channel[Symbol.dispose]();
    this.#namespace?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  // Once: it reads all of /proc.
  #checkOwner({ force }: Pick<DatapathLoadOptions, "force">): void {
    if (force === true || this.#isFree) return;
    refuseOwned(this.#handle, "; the option force loads all the same");
    this.#isFree = true;
  }
}
