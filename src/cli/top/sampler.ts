import { FlowFilter } from "../../flow/filter/filter.ts";
import { Flow } from "../../flow/flow.ts";
import { type NumberedPort, type PortNames, portNamesOf } from "../../flow/ports.ts";
import type { OvsChannel } from "../../ovs/channel.ts";
import { type DatapathHandle, openDatapath } from "../../ovs/datapath.ts";
import { dumpFlows, getFlow, TERSE } from "../../ovs/flow.ts";
import { type FlowParts, identityOf, type FlowIdentity } from "../../flow/parts.ts";
import { lazyPortNames, listPorts } from "../../ovs/vport.ts";
import { Slices } from "../slices.ts";

/** So many flows that are new to a filter are read one by one; more, with one whole dump. */
const SINGLE_READS_MAX = 256;

/** A clock is read after so many flows. */
const FLOWS_PER_GLANCE = 64;

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

/** What the last look has shown. */
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
  /** How long reading the counters took, with what was done meanwhile. */
  readonly readMilliseconds: number;
  readonly busiest: readonly BusyFlow[];
};

type Seen = {
  packets: number;
  bytes: number;
  packetRate: number;
  byteRate: number;
  /** As the look that goes on has read them. */
  newPackets: number;
  newBytes: number;
  /** Number of the look in which it was there last. */
  look: number;
  readonly identity: FlowIdentity;
  /** Whether it passes the filters; undefined where it was not looked at. */
  passes: boolean | undefined;
};

/** What a look has found, flow by flow in {@link Seen}. */
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
 * Reads the counters of all flows again and again, and tells the busiest. What takes long is done in slices:
 * meanwhile {@link sample} tells what the last look has found, in whatever order is asked for.
 */
export class FlowSampler {
  readonly #datapath: DatapathHandle;
  readonly #where: FlowFilter | undefined;
  /** As they were at the last look. */
  #ports: readonly NumberedPort[] = [];
  #names: PortNames = portNamesOf([]);
  readonly #seen = new Map<string, Seen>();
  #filter = "";
  /** How often judgements were forgotten. */
  #forgotten = 0;
  #looks = 0;
  #lookedAt = 0;
  #last = NOTHING;
  #judging: Promise<void> | undefined;

  /** @param where only flows that it means; names of its ports mean what they mean now */
  constructor(channel: OvsChannel, name: string, where?: string) {
    this.#datapath = openDatapath(channel, name);
    if (where === undefined) return;
    this.#where = FlowFilter.parse(where, { ports: lazyPortNames(this.#datapath) });
  }

  get filter(): string {
    return this.#filter;
  }

  /** Only flows whose text holds this; empty for all. Which those are, {@link judge} finds out. */
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
    // Of the same flow another answer, then.
    if (this.#where?.needs.counters === true) this.#forgetJudgements();
    this.#last = { ...this.#settle(seconds), readMilliseconds: performance.now() - startedAt };
  }

  /** Finds out which flows pass the filters, where that is not known. @param signal ends it early */
  judge(signal: AbortSignal): Promise<void> {
    // Who asks meanwhile, for another filter maybe, gets the answer of the one that works.
    this.#judging ??= this.#judgeUnknown(signal).finally(() => {
      this.#judging = undefined;
    });
    return this.#judging;
  }

  /** Whether of some flows it is not known whether they pass the filters. */
  get isJudging(): boolean {
    return this.#isFiltered && this.#last.active.some(({ passes }) => passes === undefined);
  }

  /** What the last look has found. */
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

  // A text names ports: where they changed it is another one.
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
      // A dump beside which flows change may have one twice.
    } else if (seen.look === this.#looks) return;
    seen.newPackets = packets;
    seen.newBytes = byteCount;
    seen.look = this.#looks;
  }

  // All at once: what is shown is of one look.
  #settle(seconds: number): Omit<Look, "readMilliseconds"> {
    const active: Seen[] = [];
    let packetsPerSecond = 0;
    let bytesPerSecond = 0;
    const rate = (now: number, before: number): number => {
      if (seconds === 0) return 0;
      // A counter that went back was cleared, or its flow made anew.
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
      // It may be another one than the one that was judged.
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
      // Many flows of which nothing is known: one dump is cheaper than to ask for each.
      if (unknown.length > SINGLE_READS_MAX) await this.#judgeAll(stops);
      if (stops()) continue;
      // Those that the dump did not have are gone.
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
      // Text is made of those alone that may be shown.
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

/** Those with the largest rates, in their order. There may be a million of which twenty are shown. */
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

// A string is what a Map can look up by value.
function idOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
