import { FlowFilter } from "../../flow/filter/filter.ts";
import { Flow } from "../../flow/flow.ts";
import type { FlowIdentity } from "../../flow/identity.ts";
import { type NumberedPort, type PortNames, portNamesOf } from "../../flow/ports.ts";
import type { OvsChannel } from "../../ovs/channel.ts";
import { type DatapathInfo, getDatapath } from "../../ovs/datapath.ts";
import { dumpFlows, getFlow, TERSE } from "../../ovs/flow.ts";
import { type FlowParts, identityOf } from "../../flow/parts.ts";
import { lazyPortNames, listPorts } from "../../ovs/vport.ts";

/** So many flows that are new to a filter are read one by one; more, with one whole dump. */
const SINGLE_READS_MAX = 256;

/** By what flows are ordered. */
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

/** What one interval has shown. */
export type TopSample = {
  readonly datapath: string;
  /** When it was read, in ISO 8601. */
  readonly time: string;
  readonly seconds: number;
  readonly flows: number;
  /** Flows that have seen packets in the interval. */
  readonly activeFlows: number;
  readonly packetsPerSecond: number;
  readonly bytesPerSecond: number;
  /** How long reading the counters took. */
  readonly readMilliseconds: number;
  readonly busiest: readonly BusyFlow[];
};

type Seen = {
  packets: number;
  bytes: number;
  packetRate: number;
  byteRate: number;
  /** Number of the sample in which it was there last. */
  sample: number;
  readonly identity: FlowIdentity;
  /** Whether it passes the filters; undefined where it was not looked at. */
  passes: boolean | undefined;
};

/** Reads the counters of all flows again and again, and tells the busiest. */
export class FlowSampler {
  readonly #channel: OvsChannel;
  readonly #datapath: DatapathInfo;
  readonly #where: FlowFilter | undefined;
  /** As they were at the last sample. */
  #ports: readonly NumberedPort[] = [];
  #names: PortNames = portNamesOf([]);
  readonly #seen = new Map<string, Seen>();
  #filter = "";
  #samples = 0;
  #readAt = 0;

  /** @param where only flows that it means; names of its ports mean what they mean now */
  constructor(channel: OvsChannel, name: string, where?: string) {
    this.#channel = channel;
    this.#datapath = getDatapath(channel, name);
    if (where === undefined) return;
    this.#where = FlowFilter.parse(where, lazyPortNames(channel, this.#datapath));
  }

  get filter(): string {
    return this.#filter;
  }

  /** Only flows whose text holds this; empty for all. */
  set filter(text: string) {
    this.#filter = text;
    this.#forgetJudgements();
  }

  /** Reads the counters. The first time there are no rates yet. */
  sample(sort: TopSort, count: number): TopSample {
    const startedAt = performance.now();
    const seconds = this.#samples === 0 ? 0 : (startedAt - this.#readAt) / 1000;
    this.#readAt = startedAt;
    this.#samples++;
    this.#readPorts();
    // Of the same flow another answer, then.
    if (this.#where?.needs.counters === true) this.#forgetJudgements();
    const totals = this.#read(seconds);
    const readMilliseconds = performance.now() - startedAt;
    const rate = (seen: Seen): number => (sort === "packets" ? seen.packetRate : seen.byteRate);
    const busiest = this.#busiest(totals.active, rate, count);
    return {
      datapath: this.#datapath.name,
      time: new Date().toISOString(),
      seconds,
      flows: this.#seen.size,
      activeFlows: totals.active.length,
      packetsPerSecond: totals.packetRate,
      bytesPerSecond: totals.byteRate,
      readMilliseconds,
      busiest,
    };
  }

  // A text names ports: where they changed it is another one.
  #readPorts(): void {
    const ports = listPorts(this.#channel, this.#datapath);
    const isSame = ({ name, number }: NumberedPort, i: number): boolean =>
      this.#ports[i]?.name === name && this.#ports[i]?.number === number;
    if (ports.length === this.#ports.length && ports.every(isSame)) return;
    this.#ports = ports;
    this.#names = portNamesOf(ports);
    this.#forgetJudgements();
  }

  #forgetJudgements(): void {
    for (const seen of this.#seen.values()) seen.passes = undefined;
  }

  #read(seconds: number): { active: Seen[]; packetRate: number; byteRate: number } {
    const active: Seen[] = [];
    let packetRate = 0;
    let byteRate = 0;
    for (const view of dumpFlows(this.#channel, this.#datapath, { omit: TERSE })) {
      const seen = this.#take(view, seconds);
      if (seen.packetRate === 0) continue;
      active.push(seen);
      packetRate += seen.packetRate;
      byteRate += seen.byteRate;
    }
    for (const [key, { sample }] of this.#seen) {
      if (sample !== this.#samples) this.#seen.delete(key);
    }
    return { active, packetRate, byteRate };
  }

  #take(view: FlowParts, seconds: number): Seen {
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
        sample: 0,
        identity: identityOf(view),
        passes: undefined,
      };
      this.#seen.set(id, seen);
    } else if (seen.sample === this.#samples) return seen;
    // A counter that went back was cleared, or its flow made anew.
    const since = (now: number, before: number): number => (now >= before ? now - before : now);
    seen.packetRate = seconds === 0 ? 0 : since(packets, seen.packets) / seconds;
    seen.byteRate = seconds === 0 ? 0 : since(byteCount, seen.bytes) / seconds;
    seen.packets = packets;
    seen.bytes = byteCount;
    seen.sample = this.#samples;
    return seen;
  }

  #busiest(active: Seen[], rate: (seen: Seen) => number, count: number): BusyFlow[] {
    active.sort((a, b) => rate(b) - rate(a));
    if (this.#isFiltered) this.#judge(active);
    const found: BusyFlow[] = [];
    for (const seen of active) {
      if (found.length >= count) break;
      if (seen.passes === false) continue;
      const flow = this.#flowOf(seen.identity);
      // It is gone already.
      if (flow === undefined) continue;
      // It may be another one than the one that was judged.
      if (!this.#passes(flow)) continue;
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

  // Many flows of which nothing is known: one dump is cheaper than to ask for each.
  #judge(active: readonly Seen[]): void {
    const unknown = active.filter(({ passes }) => passes === undefined);
    if (unknown.length <= SINGLE_READS_MAX) {
      for (const seen of unknown) {
        const flow = this.#flowOf(seen.identity);
        seen.passes = flow !== undefined && this.#passes(flow);
      }
      return;
    }
    for (const view of dumpFlows(this.#channel, this.#datapath)) {
      const named = view.ufid.start >= 0 ? view.ufid : view.key;
      const seen = this.#seen.get(idOf(view.bytes, named.start, named.end));
      if (seen === undefined) continue;
      seen.passes = this.#passes(Flow.fromParts(view));
    }
  }

  get #isFiltered(): boolean {
    return this.#filter !== "" || this.#where !== undefined;
  }

  #passes(flow: Flow): boolean {
    if (this.#where?.matches(flow) === false) return false;
    return this.#filter === "" || this.#textOf(flow).includes(this.#filter);
  }

  #flowOf(identity: FlowIdentity): Flow | undefined {
    let found: Flow | undefined;
    getFlow(this.#channel, this.#datapath, identity, (view) => {
      found = Flow.fromParts(view);
    });
    return found;
  }

  #textOf(flow: Flow): string {
    return flow.toString({ ports: this.#names });
  }
}

// A string is what a Map can look up by value.
function idOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
