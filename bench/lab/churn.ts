/**
 * Packets that cross a datapath between two network namespaces, by veth pairs, while flows are
 * added, changed and deleted. Prints one line of JSON with a step for the operations, one for the
 * packets of a flow that stays, one for the first packet of each of many new flows, and one for
 * packets that find no flow and are answered.
 *
 *   bun bench/lab/churn.ts DATAPATH FLOWS RATE SECONDS
 */
import { Datapath } from "../../src/datapath.ts";
import type { Upcall } from "../../src/index.ts";
import type { Step } from "../model.ts";
import { crossing, type Crossing, type Traffic } from "./churn-traffic.ts";

const [name = "", table = "", rate = "", seconds = ""] = process.argv.slice(2);
const FLOWS = Number(table);
/** Operations of a batch: an add, a change and a delete for each of its flows. */
const BATCH_FLOWS = 8;
const BATCH_OPERATIONS = 3 * BATCH_FLOWS;
/** A batch sends one packet of a flow that it added, and one of a flow that is not there. */
const BATCHES = Math.ceil((Number(rate) * Number(seconds)) / BATCH_OPERATIONS);
/** Packets sent before the arrived ones are read; the receiver's buffer holds more. */
const BURST = 32;
const PACKETS_PER_SECOND = 1000;
const PACKETS = PACKETS_PER_SECOND * Number(seconds);
/** The UDP port of the flow that stays; those of the other flows follow, then those of no flow. */
const STAYS = 1;
const PORTS = 50_000;
const UNKNOWN_PORTS = 10_000;
const DRAIN_MS = 500;
const NANOSECONDS = 1e9;

using dp = Datapath.open(name);
using batch = dp.batch();
using network = await crossing(dp);

const keyOf = (port: number): string =>
  `in_port(${network.in}),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp(dst=${port})`;
const actionsOf = (ttl: number): string =>
  `set(ipv4(ttl=${ttl})),set(udp(dst=${network.receiverPort})),${network.out}`;
/** UDP port of flow `index`. Ports are reused, long after the previous flow is gone. */
const portOf = (index: number): number => STAYS + 1 + (index % (PORTS - STAYS - 1));
const unknownPort = (index: number): number => PORTS + (index % UNKNOWN_PORTS);

function isIpv4({ packet }: Upcall): boolean {
  return packet[12] === 0x08 && packet[13] === 0x00;
}

/** Sends the batch. */
function flush(): void {
  const [failure] = batch.flush().exceptions;
  if (failure !== undefined) throw new Error(`a flow failed: ${failure.reason}`);
}

/** The four kinds of steps, while the table changes. */
class Churn {
  /** Nanoseconds from the begin of a batch to its last reply. */
  spent = 0;
  #newest = FLOWS;
  readonly #steady: Traffic;
  readonly #first: Traffic;
  readonly #unknown: Traffic;

  constructor({ traffic }: Crossing) {
    this.#steady = traffic(PACKETS);
    this.#first = traffic(BATCHES);
    this.#unknown = traffic(Math.min(BATCHES, UNKNOWN_PORTS));
  }

  operate(index: number): void {
    const startedAt = Bun.nanoseconds();
    for (let i = 0; i < BATCH_FLOWS; i++, this.#newest++) {
      batch.add(`${keyOf(portOf(this.#newest))} ${actionsOf(64)}`);
      batch.add(`modify ${keyOf(portOf(this.#newest - FLOWS / 2))} ${actionsOf(63)}`);
      batch.add(`delete ${keyOf(portOf(this.#newest - FLOWS))}`);
    }
    flush();
    this.spent += Bun.nanoseconds() - startedAt;
    this.#first.send(portOf(this.#newest - 1));
    if (index < this.#unknown.planned) this.#unknown.send(unknownPort(index));
  }

  async run(): Promise<Step[]> {
    using upcalls = dp.upcalls();
    // Packets that a machine sends by itself.
    let strange = 0;
    const visitor = {
      onUpcall: (packet: Upcall): void => {
        if (!isIpv4(packet)) {
          strange++;
          return;
        }
        batch.answer(packet, actionsOf(62));
        flush();
        dp.execute(packet, actionsOf(62));
      },
      onLost: (count: number): void => {
        throw new Error(`${count} misses were lost`);
      },
    };
    const { missed } = dp.info().stats;
    const startedAt = performance.now();
    const steady = this.#steady;
    for (let done = 0; done < BATCHES || steady.sent < PACKETS;) {
      const elapsed = (performance.now() - startedAt) / 1000;
      if (done < BATCHES && done * BATCH_OPERATIONS <= elapsed * Number(rate)) this.operate(done++);
      const due = Math.min(PACKETS, Math.ceil(elapsed * PACKETS_PER_SECOND)) - steady.sent;
      for (let i = 0; i < Math.min(due, BURST); i++) steady.send(STAYS);
      upcalls.visit(visitor);
      // Lets arrived packets be read.
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const end = performance.now() + DRAIN_MS;
    while (performance.now() < end) {
      upcalls.visit(visitor);
      await Bun.sleep(1);
    }
    const misses = dp.info().stats.missed - missed - strange - this.#unknown.sent;
    return [
      {
        id: "churn-operations",
        name: "millrace, churn: adds, changes, deletes",
        flows: BATCHES * BATCH_OPERATIONS,
        seconds: this.spent / NANOSECONDS,
        missed: misses,
      },
      steady.step("churn-packets", "packets of a flow that stays"),
      this.#first.step("churn-first", "first packets of new flows, after the ack"),
      this.#unknown.step("churn-answered", "first packets that found no flow, by an upcall"),
    ];
  }
}

// Whatever ovs-dpctl opened has its features: misses go to sockets by CPU, which it does not have.
dp.set({ features: [] });
batch.add(`${keyOf(STAYS)} ${actionsOf(64)}`);
for (let i = 0; i < FLOWS; i++) batch.add(`${keyOf(portOf(i))} ${actionsOf(64)}`);
flush();
const steps = await new Churn(network).run();
dp.flush();
console.log(JSON.stringify({ seconds: 0, steps }));
