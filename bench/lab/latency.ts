/**
 * How long a flow takes from its due time to its ack, by batch size. Prints one line of JSON, with
 * a step for each size and loop.
 *
 *   bun bench/lab/latency.ts DATAPATH FILE RATE FLOWS SIZE…
 *
 * Open loop: flow i is due i / RATE after the start, regardless of earlier flows. A batch is sent
 * when its last flow is due, or at once if that time has passed: a sender that falls behind does
 * not hide the waiting time of flows (coordinated omission). Closed loop: a batch is sent after the
 * previous one was answered, and a flow is as old as its batch. The histogram is Bun's built-in HDR
 * histogram.
 */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { batchLatency } from "../../src/load/report.ts";
import { Batch } from "../../src/netlink/batch.ts";
import { Transactor } from "../../src/netlink/transactor.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { flushFlows } from "../../src/ovs/flow.ts";
import { NLM_F_REQUEST } from "../../src/uapi/netlink.ts";
import { OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";
import type { Step } from "../model.ts";
import { PackedFile } from "../packed-file.ts";

const [name = "", file = "", rate = "", most = "", ...sizes] = process.argv.slice(2);

using channel = new OvsChannel();
const datapath = openDatapath(channel, name);
using socket = channel.openSocket();
using packed = new PackedFile(file);
const type = (channel.family(OVS_FLOW_FAMILY).id | (NLM_F_REQUEST << 16)) >>> 0;
const transactor = new Transactor(socket, {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 64,
  bytesPerDatagram: 1 << 20,
});
/**
 * The first flows of the file, stamped for this kernel, with the first word of each; the last
 * number is their end.
 */
const { words } = packed;
const starts = stamp();
const flows = starts.length - 1;

function stamp(): number[] {
  packed.rewind();
  const length = packed.read(Math.min(Number(most), packed.flows));
  const found: number[] = [];
  for (let at = 0; at < length; at += words[at]! >> 2) {
    found.push(at);
    words[at + 1] = type; // whole messages: the file checks them
    words[at + 5] = datapath.index;
  }
  return [...found, length];
}

/** Lays flows `from` to `to` into the batch. */
function fill(batch: Batch, from: number, to: number): void {
  const [start = 0, end = 0] = [starts[from], starts[to]];
  batch.clear();
  batch.memory.u32.set(words.subarray(start, end));
  batch.commitReady((end - start) << 2, 0);
}

// Waits actively: a sleep would end late by more than a flow takes.
function waitUntil(due: number): void {
  while (Bun.nanoseconds() < due);
}

/**
 * Sends the flows in batches of `size`.
 * @param interval nanoseconds between flows; 0 for a closed loop
 * @returns seconds from the first to the last
 */
function send(size: number, interval: number, latency: RecordableHistogram): number {
  flushFlows(datapath);
  const batch = new Batch(size, Math.max(1 << 16, size * 256));
  const startedAt = Bun.nanoseconds();
  for (let sent = 0; sent < flows; sent += size) {
    const end = Math.min(sent + size, flows);
    fill(batch, sent, end);
    if (interval > 0) waitUntil(startedAt + (end - 1) * interval);
    const sentAt = Bun.nanoseconds();
    transactor.execute(batch);
    const now = Bun.nanoseconds();
    if (batch.failures > 0) throw new Error(`${batch.failures} flows failed`);
    for (let flow = sent; flow < end; flow++) {
      const from = interval > 0 ? startedAt + flow * interval : sentAt;
      latency.record(Math.max(1, Math.round(now - from)));
    }
  }
  return (Bun.nanoseconds() - startedAt) / 1e9;
}

function step(size: number, loop: "open" | "closed"): Step {
  const latency = createHistogram();
  const seconds = send(size, loop === "open" ? 1e9 / Number(rate) : 0, latency);
  return {
    id: `latency-${loop}-${size}`,
    name: `millrace, ${loop} loop, batches of ${size}`,
    flows,
    seconds,
    batchLatencyMicroseconds: batchLatency(latency),
  };
}

send(64, 0, createHistogram());
const steps = sizes.flatMap((size) => [step(Number(size), "open"), step(Number(size), "closed")]);
flushFlows(datapath);
console.log(JSON.stringify({ seconds: 0, steps }));
