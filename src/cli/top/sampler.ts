import { FlowFilter } from "../../flow/filter/filter.ts";
import { Flow } from "../../flow/flow.ts";
import { type NumberedPort, type PortNames, portNamesOf } from "../../flow/ports.ts";
import type { OvsChannel } from "../../ovs/channel.ts";
import { type DatapathHandle, openDatapath } from "../../ovs/datapath.ts";
import { dumpFlows, getFlow, TERSE } from "../../ovs/flow.ts";
import { type FlowParts, identityOf, type FlowIdentity } from "../../flow/parts.ts";
import { lazyPortNames, listPorts } from "../../ovs/vport.ts";
import { Slices } from "../slices.ts";

/** The most flows new to a filter that are read one by one; more are read with one full dump. */
const SINGLE_READS_MAX = 256;

/** The clock is read once per this many flows. */
const FLOWS_PER_GLANCE = 64;

/** The order of flows. */
export type TopSort = "packets" | "bytes";

/** A flow among the busiest. Rates are of the last interval. */
type BusyFlow = {
  readonly ufid: string | undefined;
  readonly packetsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly packets: number;
  readonly bytes: number;
  /** Key and actions, as ovs-dpctl prints them. */
  readonly flow: string;
};

/** The result of the last sample. */
export type TopSample = {
  readonly datapath: string;
  /** When it was read, in ISO 8601. */
  readonly time: string;
  readonly seconds: number;
  readonly flows: number;
  /** Flows that got packets in the interval. */
  readonly activeFlows: number;
  readonly packetsPerSecond: number;
  readonly bytesPerSecond: number;
  /** How long reading the counters took, including other work done meanwhile. */
  readonly readMilliseconds: number;
  readonly busiest: readonly BusyFlow[];
};

type Seen = {
  packets: number;
  bytes: number;
  packetRate: number;
  byteRate: number;
  /** The counter read by the running sample. */
  newPackets: number;
  newBytes: number;
  /** The number of the last sample that found it. */
  look: number;
  readonly identity: FlowIdentity;
  /** Whether it passes the filters; undefined if not judged yet. */
  passes: boolean | undefined;
};

/** The result of a sample, except the flows, which are in {@link Seen}. */
type Look = Pick<
  TopSample,
  "time" | "seconds" | "packetsPerSecond" | "bytesPerSecond" | "readMilliseconds"
> & { readonly active: readonly Seen[] };

const NOTHING: Look = {
  time: "",
  seconds: 0,
  packetsPerSecond: 0,
  bytesPerSecond: 0,
  readMilliseconds: 0,
  active: [],
};

/**
 * Reads the counters of all flows repeatedly, and finds the busiest. Long work is done in slices;
 * meanwhile {@link sample} returns the last result, in any order.
 */
export class FlowSampler {
  readonly #datapath: DatapathHandle;
  readonly #where: FlowFilter | undefined;
  /** The ports at the last sample. */
  #ports: readonly NumberedPort[] = [];
  #names: PortNames = portNamesOf([]);
  readonly #seen = new Map<string, Seen>();
  #filter = "";
  /** How often judgements were discarded. */
  #forgotten = 0;
  #looks = 0;
  #lookedAt = 0;
  #last = NOTHING;
  #judging: Promise<void> | undefined;

  /** @param where a filter for the flows; its port names are resolved now */
  constructor(channel: OvsChannel, name: string, where?: string) {
    this.#datapath = openDatapath(channel, name);
    if (where === undefined) return;
    this.#where = FlowFilter.parse(where, { ports: lazyPortNames(this.#datapath) });
  }

  get filter(): string {
    return this.#filter;
  }

  /**
   * Shows only flows whose text contains this; empty for all. {@link judge} finds out which these
   * are.
   */
  set filter(text: string) {
    this.#filter = text;
    this.#forgetJudgements();
  }

  /** Reads the counters. The first time there are no rates yet. @param signal ends it early */
  async look(signal: AbortSignal): Promise<void> {
    const startedAt = performance.now();
    const seconds = this.#looks === 0 ? 0 : (startedAt - this.#lookedAt) / 1000;
    this.#lookedAt = startedAt;
    this.#looks++;
    this.#readPorts();
    const slices = new Slices();
    let glance = FLOWS_PER_GLANCE;
    for (const view of dumpFlows(this.#datapath, { omit: TERSE })) {
      this.#take(view);
      if (--glance > 0) continue;
      glance = FLOWS_PER_GLANCE;
      if (slices.isOver) await slices.rest();
      if (signal.aborted) return;
    }
    // The counters may change the answer for the same flow.
    if (this.#where?.needs.counters === true) this.#forgetJudgements();
    this.#last = { ...this.#settle(seconds), readMilliseconds: performance.now() - startedAt };
  }

  /** Finds out which unjudged flows pass the filters. @param signal ends it early */
  judge(signal: AbortSignal): Promise<void> {
    // A call during a running judgement, possibly for another filter, shares its result.
    this.#judging ??= this.#judgeUnknown(signal).finally(() => {
      this.#judging = undefined;
    });
    return this.#judging;
  }

  /** Whether some flows are not judged yet. */
  get isJudging(): boolean {
    return this.#isFiltered && this.#last.active.some(({ passes }) => passes === undefined);
  }

  /** The result of the last sample. */
  sample(sort: TopSort, count: number): TopSample {
    const { active, ...found } = this.#last;
    return {
      ...found,
      datapath: this.#datapath.name,
      flows: this.#seen.size,
      activeFlows: active.length,
      busiest: this.#busiest(sort, count),
    };
  }

  // Texts name ports, so they change with the ports.
  #readPorts(): void {
    const ports = listPorts(this.#datapath);
    const isSame = ({ name, number }: NumberedPort, i: number): boolean =>
      this.#ports[i]?.name === name && this.#ports[i]?.number === number;
    if (ports.length === this.#ports.length && ports.every(isSame)) return;
    this.#ports = ports;
    this.#names = portNamesOf(ports);
    this.#forgetJudgements();
  }

  #forgetJudgements(): void {
    this.#forgotten++;
    for (const seen of this.#seen.values()) seen.passes = undefined;
  }

  #take(view: FlowParts): void {
    const { bytes, ufid, key, packets, byteCount } = view;
    const named = ufid.start >= 0 ? ufid : key;
    const id = idOf(bytes, named.start, named.end);
    let seen = this.#seen.get(id);
    if (seen === undefined) {
      seen = {
        packets: 0,
        bytes: 0,
        packetRate: 0,
        byteRate: 0,
        newPackets: 0,
        newBytes: 0,
        look: 0,
        identity: identityOf(view),
        passes: undefined,
      };
      this.#seen.set(id, seen);
      // A dump may have a flow twice if flows change meanwhile.
    } else if (seen.look === this.#looks) return;
    seen.newPackets = packets;
    seen.newBytes = byteCount;
    seen.look = this.#looks;
  }

  // Applied at once, so that everything shown is from one sample.
  #settle(seconds: number): Omit<Look, "readMilliseconds"> {
    const active: Seen[] = [];
    let packetsPerSecond = 0;
    let bytesPerSecond = 0;
    const rate = (now: number, before: number): number => {
      if (seconds === 0) return 0;
      // A counter that decreased was reset, or its flow was recreated.
      return (now >= before ? now - before : now) / seconds;
    };
    for (const [id, seen] of this.#seen) {
      if (seen.look !== this.#looks) {
        this.#seen.delete(id);
        continue;
      }
      seen.packetRate = rate(seen.newPackets, seen.packets);
      seen.byteRate = rate(seen.newBytes, seen.bytes);
      seen.packets = seen.newPackets;
      seen.bytes = seen.newBytes;
      if (seen.packetRate === 0) continue;
      active.push(seen);
      packetsPerSecond += seen.packetRate;
      bytesPerSecond += seen.byteRate;
    }
    return { time: new Date().toISOString(), seconds, packetsPerSecond, bytesPerSecond, active };
  }

  #busiest(sort: TopSort, count: number): BusyFlow[] {
    const found: BusyFlow[] = [];
    // Some may be gone already.
    for (const seen of largest(this.#candidates(), sort, count * 2)) {
      if (found.length >= count) break;
      const flow = this.#flowOf(seen.identity);
      // It may differ from the flow that was judged.
      if (flow === undefined || !this.#passes(flow)) continue;
      found.push({
        ufid: flow.ufid,
        packetsPerSecond: seen.packetRate,
        bytesPerSecond: seen.byteRate,
        packets: seen.packets,
        bytes: seen.bytes,
        flow: this.#textOf(flow),
      });
    }
    return found;
  }

  #candidates(): readonly Seen[] {
    const { active } = this.#last;
    return this.#isFiltered ? active.filter(({ passes }) => passes === true) : active;
  }

  async #judgeUnknown(signal: AbortSignal): Promise<void> {
    while (this.isJudging && !signal.aborted) {
      const forgotten = this.#forgotten;
      const stops = (): boolean => signal.aborted || forgotten !== this.#forgotten;
      const unknown = this.#last.active.filter(({ passes }) => passes === undefined);
      // For many unjudged flows, one dump is cheaper than a request for each.
      if (unknown.length > SINGLE_READS_MAX) await this.#judgeAll(stops);
      if (stops()) continue;
      // Flows that the dump did not have are gone.
      for (const seen of unknown) {
        if (seen.passes === undefined) seen.passes = this.#passes(this.#flowOf(seen.identity));
      }
    }
  }

  async #judgeAll(stops: () => boolean): Promise<void> {
    const slices = new Slices();
    let glance = FLOWS_PER_GLANCE;
    for (const view of dumpFlows(this.#datapath)) {
      const named = view.ufid.start >= 0 ? view.ufid : view.key;
      const seen = this.#seen.get(idOf(view.bytes, named.start, named.end));
      // Text is made only for flows that may be shown.
      if (seen !== undefined && seen.packetRate > 0 && seen.passes === undefined) {
        seen.passes = this.#passes(Flow.fromParts(view));
      }
      if (--glance > 0) continue;
      glance = FLOWS_PER_GLANCE;
      if (slices.isOver) await slices.rest();
      if (stops()) return;
    }
  }

  get #isFiltered(): boolean {
    return this.#filter !== "" || this.#where !== undefined;
  }

  #passes(flow: Flow | undefined): boolean {
    if (flow === undefined || this.#where?.matches(flow) === false) return false;
    return this.#filter === "" || this.#textOf(flow).includes(this.#filter);
  }

  #flowOf(identity: FlowIdentity): Flow | undefined {
    let found: Flow | undefined;
    getFlow(this.#datapath, identity, (view) => {
      found = Flow.fromParts(view);
    });
    return found;
  }

  #textOf(flow: Flow): string {
    return flow.toString({ ports: this.#names });
  }
}

/** The flows with the largest rates, sorted. Of a million, twenty may be shown. */
function largest(flows: readonly Seen[], sort: TopSort, count: number): readonly Seen[] {
  const rate = (seen: Seen): number => (sort === "packets" ? seen.packetRate : seen.byteRate);
  const found: Seen[] = [];
  for (const seen of flows) {
    const least = found.at(-1);
    if (found.length >= count && least !== undefined && rate(seen) <= rate(least)) continue;
    const at = found.findIndex((ranked) => rate(ranked) < rate(seen));
    found.splice(at < 0 ? found.length : at, 0, seen);
    if (found.length > count) found.pop();
  }
  return found;
}

// An identity as a string, which a Map can look up by value.
function idOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
