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
 * A datapath of the kernel: its ports, and its flows. It holds sockets: close it, or use `using`.
 *
 * Most calls are synchronous. Run one load at a time per process: the kernel has one lock for all.
 * The socket and memory of a load, about 1.5 MiB, are kept for the next one.
 */
export class Datapath implements Disposable {
  readonly name: string;
  readonly #handle: DatapathHandle;
  readonly #connections = new ConnectionCache();
  readonly #namespace: NetworkNamespace | undefined;
  readonly #target: LoadTarget;
  /** Listeners to misses, which must also receive those of ports added later. */
  readonly #upcalls = new Set<Upcalls>();
  /** Whether no ovs-vswitchd ran it when a load last checked. */
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

  /** The current counters and settings. */
  info(): DatapathInfo {
    return infoOf(this.#handle);
  }

  /** Changes the given settings. @throws NotSupportedError, MillraceError `USAGE` */
  set(options: DatapathOptions): DatapathInfo {
    return setDatapath(this.#handle.channel, this.name, options);
  }

  /** Deletes the datapath with its ports and flows, and closes this object. */
  delete(): void {
    deleteDatapath(this.#handle.channel, this.name);
    this.close();
  }

  /** The current ports. */
  ports(): PortInfo[] {
    return listPorts(this.#handle);
  }

  /**
   * Adds a port: an existing interface, unless the options say otherwise.
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

  /** Moves the interface of an internal port into another namespace; it stays a port. */
  movePort(name: string, to: NamespaceReference): void {
    using namespace = NetworkNamespace.open(to);
    movePort(this.#handle, name, namespace);
  }

  /** Removes a port; the interface of a netdev port stays. @throws MillraceError `NO_PORT`, `LOCAL_PORT` */
  deletePort(name: string): void {
    deletePort(this.#handle, name);
  }

  /**
   * Loads flows, in packed transactions. Yields at least every 50 ms.
   * @returns the outcome of each flow; a failed flow does not throw
   * @throws UnreadableInputError; MillraceError `NO_PERMISSION`, and `OWNED` unless `force` is
   * given: the first load checks whether ovs-vswitchd runs the datapath
   */
  async load(source: FlowSource, options: DatapathLoadOptions = {}): Promise<LoadResult> {
    this.#checkOwner(options);
    return loadInto(this.#target, source, options);
  }

  /** As {@link load}, without yielding: no other code, signal handler or abort runs meanwhile. */
  loadSync(source: SyncFlowSource, options: DatapathLoadOptions = {}): LoadResult {
    this.#checkOwner(options);
    return loadIntoSync(this.#target, source, options);
  }

  /**
   * Creates a flow, or replaces its actions.
   * @throws FlowSyntaxError; FlowRejectedError; NotSupportedError if a later kernel would take it
   */
  put(flow: string | Flow): void {
    sendOne(this.#target, flow, "put");
  }

  /** Creates a flow that must not exist yet. @throws as {@link put} */
  add(flow: string | Flow): void {
    sendOne(this.#target, flow, "add");
  }

  /**
   * Changes the actions of an existing flow.
   * @param options `clear`: also resets its counters
   * @throws as {@link put}
   */
  modify(flow: string | Flow, options: { readonly clear?: boolean } = {}): void {
    sendOne(this.#target, flow, "modify", options.clear === true);
  }

  /** Deletes a flow. @returns false if there is no such flow @throws FlowSyntaxError */
  remove(flow: FlowName): boolean {
    return removeOne(this.#target, flow);
  }

  /**
   * Deletes the flows that pass a filter, each by its identity. It must not be empty.
   * @returns how many, and the outcome of the others; a failed flow does not throw
   * @throws FlowSyntaxError; MillraceError `NO_PERMISSION`
   */
  async removeWhere(
    where: string | FlowFilter,
    options: RemoveOptions = {},
  ): Promise<RemovedFlows> {
    return removeWhere(this.#target, filterOf(this.#target, where), options);
  }

  /**
   * Brings the datapath to a wanted set of flows by sending only the difference. Only the owner's
   * flows are deleted or changed, unless the options say otherwise; see docs/sync.md.
   * @returns what was done, or why nothing was
   * @throws UnreadableInputError; MillraceError `UNSOUND_DUMP`, `EMPTY_SET`, `TOO_MUCH_CHANGE`,
   * `OWNED`
   */
  async sync(wanted: WantedFlows, options: DatapathSyncOptions = {}): Promise<SyncResult> {
    if (options.dryRun !== true) this.#checkOwner(options);
    return syncInto(this.#target, wanted, options);
  }

  /** The current flows, for comparing or keeping. @throws MillraceError `UNSOUND_DUMP` */
  table(options: FlowTableOptions = {}): FlowTable {
    return readDatapath(this.#handle, options);
  }

  /** Resets the counters of a flow; keeps its actions. @returns as {@link remove} */
  clear(flow: FlowName): boolean {
    return clearOne(this.#target, flow);
  }

  /** Reads a flow with its counters; undefined if there is no such flow. @throws FlowSyntaxError */
  get(flow: FlowName): Flow | undefined {
    return readOne(this.#target, flow);
  }

  /**
   * Every flow, one by one, with counters, in an order in which they can be loaded again: of
   * overlapping flows, the narrow one comes first. The loop may be left early.
   * @param options `terse`: only counters, by UFID, in a fraction of the time
   * @throws MillraceError `UNSOUND_DUMP` after the last flow, see `onDoubt`; FlowSyntaxError
   */
  flows(options?: FlowsOptions): Generator<Flow, void>;
  flows(options: FlowsOptions & { readonly terse: true }): Generator<FlowCounters, void>;
  *flows(
    options: FlowsOptions & { readonly terse?: true } = {},
  ): Generator<Flow | FlowCounters, void> {
    yield* flowsOf(this.#target, options);
  }

  /**
   * What the running kernel takes in flows, found by putting and deleting some fifteen flows that
   * no packet matches. Versions say nothing, since distributions add features to old kernels.
   * @param options names of conntrack helpers to look for
   * @throws MillraceError `NO_PERMISSION`, NetlinkError
   */
  features(options: ProbeOptions = {}): KernelFeatures {
    return probeFeatures(this.#handle, options);
  }

  /** Deletes all flows, of every owner. */
  flush(): void {
    flushFlows(this.#handle);
  }

  /**
   * Receives packets that find no flow, and those of `userspace` actions, from now on. Close it, or
   * iterate it: iteration closes it at its end.
   * @throws MillraceError `BUSY` if another program receives them, `USAGE`; NotSupportedError
   */
  upcalls(options: UpcallOptions = {}): Upcalls {
    const upcalls = new Upcalls(this.#handle, options);
    this.#upcalls.add(upcalls);
    return upcalls;
  }

  /** Sends a packet through actions, for example `2`. @throws FlowSyntaxError, NetlinkError */
  execute(packet: PacketToExecute, actions: string): void {
    const ports = lazyPortNames(this.#handle);
    executePacket(this.#handle, packet, actions, ports);
  }

  /**
   * Collects flows to send many at once. Close it. Port names are resolved when flows are sent.
   * @param capacity the most flows at once; 1,024 by default
   */
  batch(capacity?: number): FlowInstaller {
    return new FlowInstaller(this.#target, capacity === undefined ? {} : { capacity });
  }

  /** Changes of this datapath, its ports and flows, from now on; see {@link Datapath.changes}. */
  changes(options: Omit<ChangeOptions, "datapathIndex"> = {}): MulticastListener<ChangeEvent> {
    return listenToChanges(this.#handle.channel, { ...options, datapathIndex: this.#handle.index });
  }

  /** The abilities of the kernel's meters. @throws NotSupportedError */
  meterFeatures(): MeterFeatures {
    return meterFeatures(this.#handle);
  }

  /** Sets a meter, for `meter(ID)` actions. @throws NetlinkError, NotSupportedError */
  setMeter(id: number, options: MeterOptions): void {
    setMeter(this.#handle, id, options);
  }

  /** The counters of a meter; undefined if there is no such meter. */
  getMeter(id: number): MeterInfo | undefined {
    return getMeter(this.#handle, id);
  }

  /** Deletes a meter. @returns its last counters; undefined if there was none */
  deleteMeter(id: number): MeterInfo | undefined {
    return deleteMeter(this.#handle, id);
  }

  /** Conntrack limits, which apply to the whole network namespace: all, or those of some zones. */
  ctLimits(zones?: readonly CtZone[]): CtLimitInfo[] {
    return getCtLimits(this.#handle.channel, zones);
  }

  /** Sets limits, keeps those of other zones. @throws MillraceError `USAGE`; NotSupportedError */
  setCtLimits(limits: readonly CtLimit[]): void {
    setCtLimits(this.#handle.channel, limits);
  }

  /** Deletes limits of zones: the default applies again. @throws as {@link setCtLimits} */
  deleteCtLimits(zones: readonly CtZone[]): void {
    deleteCtLimits(this.#handle.channel, zones);
  }

  /** Closes its sockets, and open listeners to misses; later calls throw. */
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

  // Checks only until it is free, since the check reads all of /proc.
  #checkOwner({ force }: Pick<DatapathLoadOptions, "force">): void {
    if (force === true || this.#isFree) return;
    refuseOwned(this.#handle, "; the option force loads anyway");
    this.#isFree = true;
  }
}
