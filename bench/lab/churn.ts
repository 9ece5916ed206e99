/**
 * Packets that cross a datapath while flows are added, changed and deleted. Prints one line of JSON
 * with a step for the operations, one for the packets of a flow that stays, and one for the first
 * packet of each of many new flows.
 *
 *   bun bench/lab/churn.ts DATAPATH FLOWS RATE SECONDS      (ports bench1 and bench2 of it are
 * interfaces of this machine)
 *
 * Packets are numbered, so lost ones are known. The datapath counts misses, packets that found no
 * flow.
 */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { Datapath } from "../../src/datapath.ts";
import { batchLatency } from "../../src/load/report.ts";
import type { Step } from "../model.ts";
import { runProgram } from "../program.ts";

const [name = "", table = "", rate = "", seconds = ""] = process.argv.slice(2);
const FLOWS = Number(table);
/** Operations of a batch: an add, a change and a delete for each of its flows. */
const BATCH_FLOWS = 8;
/** Packets sent before the arrived ones are read; the receiver's buffer holds more. */
const BURST = 32;
const PACKETS_PER_SECOND = 2000;
/** The UDP port of the flow that stays; the other flows' ports follow. */
const STAYS = 1;
const PORTS = 60_000;
const DRAIN_MS = 500;
const RECEIVER = { address: "10.98.0.1", port: 9000, mac: "02:00:00:00:00:02" } as const;
const SENDER = { address: "10.99.0.1", target: "10.99.0.2" } as const;
/** Words of a packet: its flow, and when it was sent. */
const PACKET_WORDS = 2;

using dp = Datapath.open(name);
using batch = dp.batch();

function ip(...words: readonly string[]): void {
  const { failed } = runProgram(["ip", ...words], { stdout: "ignore" });
  if (failed !== undefined) throw new Error(`ip ${words.join(" ")}: ${failed}`);
}

function setUp(): void {
  ip("address", "replace", `${SENDER.address}/24`, "dev", "bench1");
  ip("link", "set", "bench2", "address", RECEIVER.mac);
  ip("address", "replace", `${RECEIVER.address}/24`, "dev", "bench2");
  for (const port of ["bench1", "bench2"]) ip("link", "set", port, "up");
  ip("neighbour", "replace", SENDER.target, "lladdr", "02:00:00:00:00:99", "dev", "bench1");
}

// Packets that the kernel itself sends on an interface would disturb the next measurement.
function tearDown(): void {
  for (const port of ["bench1", "bench2"]) {
    ip("address", "flush", "dev", port);
    ip("link", "set", port, "down");
  }
}

const portNamed = (wanted: string): number => {
  const found = dp.ports().find((port) => port.name === wanted);
  if (found === undefined) throw new Error(`the datapath has no port ${wanted}`);
  return found.number;
};
const [IN, OUT] = [portNamed("bench1"), portNamed("bench2")];
const keyOf = (port: number): string =>
  `in_port(${IN}),eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp(dst=${port})`;
const actionsOf = (ttl: number): string =>
  `set(eth(dst=${RECEIVER.mac})),set(ipv4(src=10.98.0.9,dst=${RECEIVER.address},ttl=${ttl})),` +
  `set(udp(dst=${RECEIVER.port})),${OUT}`;
/** UDP port of flow `index`. Ports are reused, long after the previous flow is gone. */
const portOf = (index: number): number => STAYS + 1 + (index % (PORTS - 2));

/** Sends the batch. */
function flush(): void {
  const [failure] = batch.flush().exceptions;
  if (failure !== undefined) throw new Error(`a flow failed: ${failure.reason}`);
}

/** Sends packets and tracks their arrival. */
class Traffic {
  readonly latency: RecordableHistogram = createHistogram();
  sent = 0;
  received = 0;
  readonly #view = new Float64Array(PACKET_WORDS);
  readonly #send: (bytes: Uint8Array, port: number) => void;

  constructor(send: (bytes: Uint8Array, port: number) => void) {
    this.#send = send;
  }

  send(port: number, kind: number): void {
    this.#view[0] = kind;
    this.#view[1] = Bun.nanoseconds();
    this.sent++;
    this.#send(new Uint8Array(this.#view.buffer), port);
  }

  take(sentAt: number): void {
    this.received++;
    this.latency.record(Math.max(1, Math.round(Bun.nanoseconds() - sentAt)));
  }

  step(id: Step["id"], what: string): Step {
    return {
      id,
      name: `millrace, churn: ${what}`,
      flows: this.sent,
      seconds: Number(seconds),
      batchLatencyMicroseconds: batchLatency(this.latency),
      lost: this.sent - this.received,
    };
  }
}

async function churn(): Promise<Step[]> {
  const sender = await Bun.udpSocket({ hostname: SENDER.address });
  const send = (bytes: Uint8Array, port: number): void => {
    if (!sender.send(bytes, port, SENDER.target)) throw new Error("a packet could not be sent");
  };
  const [steady, first] = [new Traffic(send), new Traffic(send)];
  const receiver = await Bun.udpSocket({
    hostname: RECEIVER.address,
    port: RECEIVER.port,
    socket: {
      data: (_socket, bytes) => {
        const [kind = 0, sentAt = 0] = new Float64Array(Uint8Array.from(bytes).buffer);
        (kind === 0 ? steady : first).take(sentAt);
      },
    },
  });
  let newest = FLOWS;
  let operations = 0;
  const operate = (): void => {
    for (let i = 0; i < BATCH_FLOWS; i++, newest++) {
      batch.add(`${keyOf(portOf(newest))} ${actionsOf(64)}`);
      batch.add(`modify ${keyOf(portOf(newest - FLOWS / 2))} ${actionsOf(63)}`);
      batch.add(`delete ${keyOf(portOf(newest - FLOWS))}`);
    }
    flush();
    operations += 3 * BATCH_FLOWS;
    first.send(portOf(newest - 1), 1);
  };
  const { missed } = dp.info().stats;
  const startedAt = performance.now();
  let elapsed = 0;
  while (elapsed < Number(seconds) * 1000) {
    if (operations < (elapsed / 1000) * Number(rate)) operate();
    const due = Math.ceil((elapsed / 1000) * PACKETS_PER_SECOND) - steady.sent;
    for (let i = 0; i < Math.min(due, BURST); i++) steady.send(STAYS, 0);
    // Lets arrived packets be read.
    await new Promise<void>((resolve) => setImmediate(resolve));
    elapsed = performance.now() - startedAt;
  }
  const spent = elapsed / 1000;
  await Bun.sleep(DRAIN_MS);
  const misses = dp.info().stats.missed - missed;
  sender.close();
  receiver.close();
  return [
    {
      id: "churn-operations",
      name: "millrace, churn: adds, changes, deletes",
      flows: operations,
      seconds: spent,
      missed: misses,
    },
    steady.step("churn-packets", "packets of a flow that stays"),
    first.step("churn-first", "first packets of new flows"),
  ];
}

setUp();
batch.add(`${keyOf(STAYS)} ${actionsOf(64)}`);
for (let i = 0; i < FLOWS; i++) batch.add(`${keyOf(portOf(i))} ${actionsOf(64)}`);
flush();
const steps = await churn();
dp.flush();
tearDown();
console.log(JSON.stringify({ seconds: 0, steps }));
