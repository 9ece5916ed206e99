import { existsSync, writeFileSync } from "node:fs";
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import type { Datapath } from "../../src/datapath.ts";
import { batchLatency } from "../../src/load/report.ts";
import { NetworkNamespace } from "../../src/sys/netns.ts";
import type { Step } from "../model.ts";
import { runProgram } from "../program.ts";

/*
 * Two machines on a datapath, and numbered packets from one to the other:
 *
 *   namespace  churn2 ═ churn1  datapath  churn3 ═ churn4  namespace
 */

/** What a sending machine and a receiving one are called on the datapath, and inside. */
const SENDER = { outside: "churn1", inside: "churn2", address: "10.99.0.1" } as const;
const RECEIVER = { outside: "churn3", inside: "churn4", address: "10.99.0.2" } as const;
const RECEIVER_PORT = 9000;
const RECEIVER_MAC = "02:00:00:00:00:02";
/** Room for the packets of the longest time in which nothing is read. */
const PACKETS_MAX = 1 << 24;

/** The datapath's ports, and the way to make traffic. */
export type Crossing = Disposable & {
  /** The port numbers by which packets come in and have to leave. */
  readonly in: number;
  readonly out: number;
  /** The UDP port at which the receiver listens. */
  readonly receiverPort: number;
  /** Makes packets of one kind, at most `planned` of them. */
  readonly traffic: (planned: number) => Traffic;
};

/** Numbered packets of one kind, and their arrival. */
export class Traffic {
  readonly planned: number;
  sent = 0;
  readonly #latency: RecordableHistogram = createHistogram();
  readonly #kind: number;
  /** One for each packet that has arrived. */
  readonly #arrived: Uint8Array;
  readonly #send: (bytes: Uint8Array, port: number) => void;
  #waited = 0;

  constructor(kind: number, planned: number, send: (bytes: Uint8Array, port: number) => void) {
    this.#kind = kind;
    this.planned = planned;
    this.#arrived = new Uint8Array(planned);
    this.#send = send;
  }

  /** Sends the next packet to a UDP port. */
  send(port: number): void {
    const words = Float64Array.of(this.#kind, this.sent++, Bun.nanoseconds());
    this.#send(new Uint8Array(words.buffer), port);
  }

  /** Notes that packet `number` has arrived. */
  take(number: number, sentAt: number): void {
    if (this.#arrived[number] !== 0) throw new Error(`packet ${number} arrived twice, or is none`);
    this.#arrived[number] = 1;
    const waited = Math.max(1, Math.round(Bun.nanoseconds() - sentAt));
    this.#waited += waited;
    this.#latency.record(waited);
  }

  /** The time that packets took, and how many numbers are missing. */
  step(id: Step["id"], what: string): Step {
    const arrived = this.#arrived.reduce((sum, one) => sum + one, 0);
    return {
      id,
      name: `millrace, churn: ${what}`,
      flows: this.sent,
      // So that a packet has the mean time of those that arrived.
      seconds: (this.#waited / Math.max(1, arrived) / 1e9) * this.sent,
      batchLatencyMicroseconds: batchLatency(this.#latency),
      lost: this.sent - arrived,
    };
  }
}

function ip(...words: readonly string[]): void {
  const { failed } = runProgram(["ip", ...words], { stdout: "ignore" });
  if (failed !== undefined) throw new Error(`ip ${words.join(" ")}: ${failed}`);
}

/** Makes the two machines, each behind a port of the datapath. */
export async function crossing(dp: Datapath): Promise<Crossing> {
  using stack = new DisposableStack();
  const [inside, outside] = [stack.use(machine(SENDER)), stack.use(machine(RECEIVER))];
  const ports = [SENDER, RECEIVER].map(({ outside: port }) => {
    const { number } = dp.addPort(port);
    stack.defer(() => dp.deletePort(port));
    return number;
  });
  outside.run(() => ip("link", "set", RECEIVER.inside, "address", RECEIVER_MAC));
  const neighbour = ["lladdr", RECEIVER_MAC, "dev", SENDER.inside];
  inside.run(() => ip("neighbour", "replace", RECEIVER.address, ...neighbour));
  const kinds: Traffic[] = [];
  // A socket is of the namespace in which its thread was when it was made.
  const sender = await inside.run(() => Bun.udpSocket({ hostname: SENDER.address }));
  stack.defer(() => sender.close());
  const receiver = await outside.run(() =>
    Bun.udpSocket({
      hostname: RECEIVER.address,
      port: RECEIVER_PORT,
      socket: {
        data: (_socket, bytes) => {
          const words = new Float64Array(Uint8Array.from(bytes).buffer);
          const [kind = -1, number = -1, sentAt = 0] = words;
          kinds[kind]?.take(number, sentAt);
        },
      },
    }),
  );
  stack.defer(() => receiver.close());
  const send = (bytes: Uint8Array, port: number): void => {
    if (!sender.send(bytes, port, RECEIVER.address)) throw new Error("a packet could not be sent");
  };
  const [into = 0, out = 0] = ports;
  const made = stack.move();
  return {
    in: into,
    out,
    receiverPort: RECEIVER_PORT,
    traffic: (planned) => {
      if (planned > PACKETS_MAX) throw new Error(`${planned} packets are too many`);
      const kind = new Traffic(kinds.length, planned, send);
      kinds.push(kind);
      return kind;
    },
    [Symbol.dispose]: () => made.dispose(),
  };
}

/** A network namespace with one end of a veth pair, whose other end is here. */
function machine(ends: typeof SENDER | typeof RECEIVER): NetworkNamespace {
  using stack = new DisposableStack();
  const namespace = stack.use(NetworkNamespace.create());
  ip("link", "add", ends.outside, "type", "veth", "peer", "name", ends.inside);
  stack.defer(() => ip("link", "del", ends.outside));
  ip("link", "set", ends.inside, "netns", `/proc/${process.pid}/fd/${namespace.fd}`);
  quiet(ends.outside);
  ip("link", "set", ends.outside, "up");
  namespace.run(() => {
    quiet(ends.inside);
    ip("address", "add", `${ends.address}/24`, "dev", ends.inside);
    ip("link", "set", ends.inside, "up");
  });
  stack.move();
  return namespace;
}

// A kernel that speaks IPv6 would send packets of its own.
function quiet(link: string): void {
  const setting = `/proc/sys/net/ipv6/conf/${link}/disable_ipv6`;
  if (existsSync(setting)) writeFileSync(setting, "1");
}
