import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { batchLatency, peakResidentBytes } from "../src/load/report.ts";
import { Batch } from "../src/netlink/batch.ts";
import type { NetlinkSocket } from "../src/netlink/socket.ts";
import { Transactor, type Transport } from "../src/netlink/transactor.ts";
import type { ProgramReport } from "./model.ts";
import { PackedFile } from "./packed-file.ts";

/** The most flows that are sent again to measure the latency of each batch. */
const TIMED_FLOWS_MAX = 200_000;
const TENTHS = 10;

/** How messages of a file are sent. */
type Replay = {
  readonly file: string;
  readonly socket: NetlinkSocket;
  /** Second word of every header: type and flags. */
  readonly type: number;
  /** dp_ifindex, written to word 5 of every message; undefined if there is none. */
  readonly datapath: number | undefined;
  /** Undoes what was sent. */
  readonly reset: (send: (type: number) => void) => void;
  /** PER_DATAGRAM BYTES_PER_DATAGRAM DATAGRAMS_PER_CALL each|errors TRANSPORT */
  readonly words: readonly string[];
};

/**
 * Sends pre-encoded messages through millrace's engine: does the same as bench/peers/limit.c, from
 * Bun, in the same three passes (to warm up, for the latency, to measure).
 */
export function replay(options: Replay): ProgramReport & { flows: number; errors: number } {
  const { file, socket, reset } = options;
  const [perDatagram, bytesPerDatagram, perCall, ack, transport] = options.words;
  const transactor = new Transactor(socket, {
    ack: ack === "each" ? "each" : "errors",
    transport: isTransport(transport) ? transport : "sendmmsg",
    messagesPerDatagram: Number(perDatagram),
    bytesPerDatagram: Number(bytesPerDatagram),
  });
  const capacity = Math.min(transactor.windowMessages, Number(perDatagram) * Number(perCall));
  const batch = new Batch(capacity, Math.max(1 << 16, capacity * 256));
  using packed = new PackedFile(file);
  const sender = new PieceSender(batch, transactor, options.datapath);
  const install = (type: number, latency?: RecordableHistogram): number[] =>
    sendFile(packed, sender, type, latency);
  const undo = (): void => reset((type) => void install(type));
  install(options.type);
  undo();
  const latency = createHistogram();
  if (packed.flows <= TIMED_FLOWS_MAX) {
    install(options.type, latency);
    undo();
  }
  const before = { ...transactor.counters };
  sender.errors = 0;
  const tenths = install(options.type);
  const { counters } = transactor;
  return {
    flows: packed.flows,
    seconds: tenths.reduce((a, b) => a + b, 0),
    systemCalls: counters.systemCalls - before.systemCalls,
    datagrams: counters.datagrams - before.datagrams,
    bytes: counters.bytes - before.bytes,
    errors: sender.errors,
    tenths,
    peakResidentBytes: peakResidentBytes(),
    ...(latency.count === 0 ? {} : { batchLatencyMicroseconds: batchLatency(latency) }),
  };
}

function isTransport(word: string | undefined): word is Transport {
  return word === "send" || word === "writev" || word === "sendmmsg";
}

/** Sends the whole file. @returns the seconds of each tenth, without reading */
function sendFile(
  packed: PackedFile,
  sender: PieceSender,
  type: number,
  latency: RecordableHistogram | undefined,
): number[] {
  const spent: number[] = [];
  packed.rewind();
  for (let tenth = 1; tenth <= TENTHS; tenth++) {
    let seconds = 0;
    const goal = Math.floor((packed.flows * tenth) / TENTHS);
    while (packed.position < goal) {
      const length = packed.read(goal - packed.position);
      const before = Bun.nanoseconds();
      sender.send(packed.words, length, type, latency);
      seconds += (Bun.nanoseconds() - before) / 1e9;
    }
    spent.push(seconds);
  }
  return spent;
}

/** Stamps a piece of the file for this kernel, and sends it batch by batch. */
class PieceSender {
  errors = 0;
  readonly #batch: Batch;
  readonly #transactor: Transactor;
  readonly #datapath: number | undefined;

  constructor(batch: Batch, transactor: Transactor, datapath: number | undefined) {
    this.#batch = batch;
    this.#transactor = transactor;
    this.#datapath = datapath;
  }

  send(
    words: Uint32Array,
    length: number,
    type: number,
    latency: RecordableHistogram | undefined,
  ): void {
    const batch = this.#batch;
    for (let at = 0; at < length;) {
      const start = at;
      at = stamp(words, start, length, batch.capacity, type, this.#datapath);
      batch.clear();
      batch.memory.u32.set(words.subarray(start, at));
      batch.commitReady((at - start) << 2, 0);
      // Measured from the send to the last reply, without stamping and copying, as in the C
      // program.
      const before = latency === undefined ? 0 : Bun.nanoseconds();
      this.#transactor.execute(batch);
      latency?.record(Math.max(1, Bun.nanoseconds() - before));
      this.errors += batch.failures;
    }
  }
}

/** Stamps at most `capacity` messages from word `start` on. @returns the word after the last */
function stamp(
  words: Uint32Array,
  start: number,
  length: number,
  capacity: number,
  type: number,
  datapath: number | undefined,
): number {
  let at = start;
  for (let count = 0; at < length && count < capacity; count++) {
    words[at + 1] = type;
    if (datapath !== undefined) words[at + 5] = datapath;
    at += words[at]! >> 2; // whole messages: the file checks them
  }
  return at;
}
