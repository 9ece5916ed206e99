import { Flow, notOneFlow } from "./flow/flow.ts";
import { type FlowIdentity, identitiesOf } from "./flow/identity.ts";
import { FlowLineEncoder } from "./flow/line.ts";
import { TemplateFill } from "./flow/template.ts";
import { type DetectedSource, openFeed } from "./format/detect.ts";
import { detected, detectedSync, type FlowSource } from "./flow-source.ts";
import type { FlowFeed } from "./format/feed.ts";
import { TemplateFeed } from "./format/template-feed.ts";
import { FlowBatch } from "./load/flow-batch.ts";
import { load, type LoadOptions, loadSync } from "./load/load.ts";
import { Account, type FlowException, OutcomeTable } from "./load/outcome.ts";
import { LoadResult } from "./load/result.ts";
import { DEFAULT_SHAPE, Sender, type SenderShape, shapeForRate } from "./load/sender.ts";
import type { SenderCount } from "./load/sender-trial.ts";
import { explainRejection } from "./load/explain.ts";
import { replaceHeld } from "./load/replace.ts";
import { FlowRejectedError } from "./flow/rules/errors.ts";
import type { KernelFeatures } from "./flow/rules/features.ts";
import { NetlinkError } from "./netlink/errors.ts";
import { featuresOf } from "./ovs/features.ts";
import { ENOENT } from "./sys/errno.ts";
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
  type DatapathInfo,
  type DatapathOptions,
  deleteDatapath,
  getDatapath,
  listDatapaths,
  setDatapath,
} from "./ovs/datapath.ts";
import { type ChangeEvent, type ChangeOptions, listenToChanges } from "./ovs/events.ts";
import { deleteFlow, dumpFlows, type FlowView, flushFlows, getFlow } from "./ovs/flow.ts";
import { type FlowVerb, sendFlow } from "./ovs/flow-message.ts";
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
import type { TunnelOptions } from "./ovs/tunnel.ts";
import { type UpcallOptions, Upcalls } from "./ovs/upcalls.ts";
import {
  addPort,
  deletePort,
  lazyPortNames,
  listPorts,
  type PortInfo,
  portNames,
  type PortType,
} from "./ovs/vport.ts";
import { type NamespaceReference, NetworkNamespace } from "./sys/netns.ts";

/** How the library loads. */
export type DatapathLoadOptions = LoadOptions & {
  /** What is done with a flow whose line does not say; `put` by default. */
  readonly mode?: FlowVerb;
  /** Flows get a UFID, the hash of their key and mask; true by default. */
  readonly ufid?: boolean;
  readonly shape?: Partial<SenderShape>;
  /** Sockets that send: 1, 2 (another thread sends half of each batch), or `auto`, what measures faster. */
  readonly senders?: SenderCount;
  /** Errnos that count as applied: EEXIST where the very same flow is there, ENOENT of a delete. */
  readonly tolerate?: readonly number[];
  /** Called for every flow that was not simply applied. */
  readonly onException?: (exception: FlowException) => void;
};

/** Where a datapath is. */
export type NamespaceOption = {
  /** A network namespace by name, by path or by the id of a process in it; the thread's own by default. */
  readonly namespace?: NamespaceReference;
};

/**
 * A datapath of the kernel: its ports, and its flows. Close it, or let `using` close it: it holds sockets.
 *
 * Calls are synchronous but for {@link load}; one load at a time a process is best, the kernel has one
 * lock for all.
 */
export class Datapath implements Disposable {
  readonly name: string;
  readonly #channel: OvsChannel;
  readonly #namespace: NetworkNamespace | undefined;
  readonly #info: DatapathInfo;
  /** Listeners to misses, who want those of later ports too. */
  readonly #upcalls = new Set<Upcalls>();

  private constructor(
    channel: OvsChannel,
    namespace: NetworkNamespace | undefined,
    info: DatapathInfo,
  ) {
    this.#channel = channel;
    this.#namespace = namespace;
    this.#info = info;
    this.name = info.name;
  }

  /** @throws MillraceError `NO_DATAPATH`, `NO_MODULE`, `NO_NAMESPACE` */
  static open(name: string, options: NamespaceOption = {}): Datapath {
    return Datapath.#with(options, (channel) => getDatapath(channel, name));
  }

  /** @throws MillraceError `EEXIST`, `NO_PERMISSION`, `NO_MODULE`, `NO_NAMESPACE`; NotSupportedError */
  static create(name: string, options: DatapathOptions & NamespaceOption = {}): Datapath {
    return Datapath.#with(options, (channel) => createDatapath(channel, name, options));
  }

  /** The datapaths of a network namespace. */
  static list(options: NamespaceOption = {}): DatapathInfo[] {
    using namespace = namespaceOf(options);
    using channel = new OvsChannel(namespace);
    return listDatapaths(channel);
  }

  /**
   * Changes of all datapaths of a network namespace, their ports and flows, from now on. Close it, or
   * iterate it: iteration closes it at its end.
   */
  static changes(options: ChangeOptions & NamespaceOption = {}): MulticastListener<ChangeEvent> {
    using namespace = namespaceOf(options);
    using channel = new OvsChannel(namespace);
    return listenToChanges(channel, options);
  }

  static #with(options: NamespaceOption, find: (channel: OvsChannel) => DatapathInfo): Datapath {
    const namespace = namespaceOf(options);
    const channel = new OvsChannel(namespace);
    try {
      return new Datapath(channel, namespace, find(channel));
    } catch (error) {
      channel[Symbol.dispose]();
      namespace?.close();
      throw error;
    }
  }

  /** Counters and settings as they are now. */
  info(): DatapathInfo {
    return getDatapath(this.#channel, this.name);
  }

  /** Changes settings; a setting that is left out of `userFeatures` is cleared. */
  set(options: DatapathOptions): DatapathInfo {
    return setDatapath(this.#channel, this.name, options);
  }

  /** Deletes the datapath with its ports and flows; the object is closed then. */
  delete(): void {
    deleteDatapath(this.#channel, this.name);
    this.close();
  }

  /** The ports as they are now. */
  ports(): PortInfo[] {
    return listPorts(this.#channel, this.#info);
  }

  /**
   * @param number the port number wanted; the kernel chooses where it is absent
   * @param tunnel for `vxlan` and `geneve`
   */
  addPort(
    name: string,
    type: PortType = "netdev",
    number?: number,
    tunnel?: TunnelOptions,
  ): PortInfo {
    const port = addPort(this.#channel, this.#info, name, type, number, tunnel);
    for (const upcalls of this.#upcalls) {
      if (upcalls.closed) this.#upcalls.delete(upcalls);
      else upcalls.attach(port);
    }
    return port;
  }

  /** Moves the interface of an internal port into another namespace, where it stays a port of this. */
  movePort(name: string, to: NamespaceReference): void {
    using namespace = NetworkNamespace.open(to);
    movePort(this.#channel, this.#info, name, namespace);
  }

  deletePort(name: string): void {
    deletePort(this.#channel, this.#info, name);
  }

  /**
   * Loads flows, in packed transactions. Yields at least every 50 ms.
   * @returns what became of each; a flow that fails does not throw
   * @throws UnreadableInputError, MillraceError `NO_PERMISSION`
   */
  async load(source: FlowSource, options: DatapathLoadOptions = {}): Promise<LoadResult> {
    const table = new OutcomeTable();
    const feed =
      source instanceof TemplateFill
        ? new TemplateFeed(source.reader(options))
        : this.#feed(await detected(source), options);
    const sender = this.#sender(table, options);
    return new LoadResult(await load(feed, sender, options), table, sender.account);
  }

  /** As {@link load}, without yielding: nothing else runs meanwhile, no signal handler and no abort. */
  loadSync(
    source: Uint8Array | TemplateFill | Iterable<string | Flow>,
    options: DatapathLoadOptions = {},
  ): LoadResult {
    const table = new OutcomeTable();
    const feed =
      source instanceof TemplateFill
        ? new TemplateFeed(source.reader(options))
        : this.#feed(detectedSync(source), options);
    const sender = this.#sender(table, options);
    return new LoadResult(loadSync(feed, sender, options), table, sender.account);
  }

  /** Creates a flow, or replaces its actions. @throws FlowSyntaxError, FlowRejectedError */
  put(flow: string | Flow): void {
    this.#send(flow, "put");
  }

  /** Creates a flow that must not be there. @throws FlowSyntaxError, FlowRejectedError */
  add(flow: string | Flow): void {
    this.#send(flow, "add");
  }

  /** Changes the actions of a flow that must be there. @throws FlowSyntaxError, FlowRejectedError */
  modify(flow: string | Flow): void {
    this.#send(flow, "modify");
  }

  /** Deletes a flow, named by `ufid:UUID`, by its key or by its line. @returns false where there is none */
  remove(flow: string | Flow): boolean {
    const identities = this.#identities(flow);
    return identities.some((identity) => deleteFlow(this.#channel, this.#info, identity));
  }

  /** Reads a flow with its counters, named as for {@link remove}; undefined where there is none. */
  get(flow: string | Flow): Flow | undefined {
    let found: Flow | undefined;
    const use = (view: FlowView): void => {
      found = Flow.fromParts(view);
    };
    this.#identities(flow).some((identity) => getFlow(this.#channel, this.#info, identity, use));
    return found;
  }

  /** Every flow, one by one, with counters. Ending the loop early is fine. */
  *flows(): Generator<Flow, void> {
    for (const view of dumpFlows(this.#channel, this.#info)) yield Flow.fromParts(view);
  }

  /** Deletes every flow, whoever put it. */
  flush(): void {
    flushFlows(this.#channel, this.#info);
  }

  /**
   * Packets that find no flow, and those of `userspace` actions, from now on. Close it, or iterate it:
   * iteration closes it at its end.
   * @throws MillraceError `BUSY` where another program gets them
   */
  upcalls(options: UpcallOptions = {}): Upcalls {
    const upcalls = new Upcalls(this.#channel, this.info(), options);
    this.#upcalls.add(upcalls);
    return upcalls;
  }

  /** Sends a packet through actions, `2` for example. @throws FlowSyntaxError, NetlinkError */
  execute(packet: PacketToExecute, actions: string): void {
    const ports = lazyPortNames(this.#channel, this.#info);
    executePacket(this.#channel, this.#info, packet, actions, ports);
  }

  /** Collects flows, to send many at once; close it. @param capacity the most flows at once, 1,024 */
  batch(capacity?: number): FlowBatch {
    const target = { channel: this.#channel, datapath: this.#info };
    const ports = portNames(this.#channel, this.#info);
    return new FlowBatch(target, { ports, ...(capacity === undefined ? {} : { capacity }) });
  }

  /** Changes of this datapath, its ports and flows, from now on; see {@link Datapath.changes}. */
  changes(options: Omit<ChangeOptions, "datapathIndex"> = {}): MulticastListener<ChangeEvent> {
    return listenToChanges(this.#channel, { ...options, datapathIndex: this.#info.index });
  }

  /** What the kernel's meters can do. @throws NotSupportedError */
  meterFeatures(): MeterFeatures {
    return meterFeatures(this.#channel, this.#info);
  }

  /** Makes or changes a meter, for `meter(ID)` actions. @throws NetlinkError, NotSupportedError */
  setMeter(id: number, options: MeterOptions): void {
    setMeter(this.#channel, this.#info, id, options);
  }

  /** Counters of a meter; undefined where there is none. */
  getMeter(id: number): MeterInfo | undefined {
    return getMeter(this.#channel, this.#info, id);
  }

  /** Deletes a meter. @returns its last counters; undefined where there was none */
  deleteMeter(id: number): MeterInfo | undefined {
    return deleteMeter(this.#channel, this.#info, id);
  }

  /** Conntrack limits, which are those of the whole network namespace; all, or those of some zones. */
  ctLimits(zones?: readonly CtZone[]): CtLimitInfo[] {
    return getCtLimits(this.#channel, zones);
  }

  setCtLimits(limits: readonly CtLimit[]): void {
    setCtLimits(this.#channel, limits);
  }

  deleteCtLimits(zones: readonly CtZone[]): void {
    deleteCtLimits(this.#channel, zones);
  }

  /** Closes its sockets, and listeners to misses that are still open. */
  close(): void {
    for (const upcalls of this.#upcalls) upcalls.close();
    this.#upcalls.clear();
    this.#channel[Symbol.dispose]();
    this.#namespace?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #identities(flow: string | Flow): readonly FlowIdentity[] {
    if (typeof flow !== "string") return [flow.identity];
    return identitiesOf(flow, portNames(this.#channel, this.#info));
  }

  #send(flow: string | Flow, verb: FlowVerb): void {
    const line = new TextEncoder().encode(flow.toString());
    const ports = portNames(this.#channel, this.#info);
    const encoder = new FlowLineEncoder({ ufid: true, mode: verb, ports });
    try {
      sendFlow(this.#channel, this.#info, verb, (writer) => {
        const taken = encoder.encode(line, 0, line.length, 1, writer);
        if (!taken || encoder.verb !== verb) throw notOneFlow(flow.toString());
      });
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      const { parts } = Flow.parse(flow.toString(), ports);
      const isHeld = verb === "put" && error.errno === ENOENT;
      if (isHeld && replaceHeld(this.#channel, this.#info, parts)) return;
      const features = (): KernelFeatures => featuresOf(this.#channel, this.#info);
      const reason = explainRejection(verb, error.errno, parts, features);
      throw new FlowRejectedError(reason, error.errno, flow.toString(), { cause: error });
    }
  }

  #sender(table: OutcomeTable, options: DatapathLoadOptions): Sender {
    const account = new Account(options.onException, table);
    const target = { channel: this.#channel, datapath: this.#info };
    const shape = shapeForRate({ ...DEFAULT_SHAPE, ...options.shape }, options.maxRate);
    const tolerate = new Set(options.tolerate);
    return new Sender(target, account, { shape, tolerate, senders: options.senders ?? "auto" });
  }

  #feed(source: DetectedSource, options: DatapathLoadOptions): FlowFeed {
    const ports = portNames(this.#channel, this.#info);
    return openFeed(source, {
      ufid: options.ufid ?? true,
      mode: options.mode ?? "put",
      ports,
    });
  }
}

function namespaceOf({ namespace }: NamespaceOption): NetworkNamespace | undefined {
  return namespace === undefined ? undefined : NetworkNamespace.open(namespace);
}
