import { join } from "node:path";
import type { Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { BUN, DATAPATH, SWEEP_ROUNDS } from "./programs.ts";

/** How long a flow waits for its ack, at a fixed rate, by batch size. */
export function latency(size: Size, files: Files, peers: Peers): Variant[] {
  const { rate, latencyFlows: flows, latencySizes } = size;
  const words = [DATAPATH, files.packed(flows), String(rate), String(flows)];
  const common = {
    part: "latency",
    flows,
    leaves: 0,
    reports: true,
    rounds: Math.min(size.rounds, SWEEP_ROUNDS),
  } as const;
  const sizes = latencySizes.map(String);
  const found: Variant[] = [
    {
      ...common,
      id: "latency",
      name: "millrace, latency",
      program: "millrace",
      command: [BUN, join(import.meta.dir, "../lab/latency.ts"), ...words, ...sizes],
    },
  ];
  if (peers.limit !== undefined)
    found.push({
      ...common,
      id: "latency-c",
      name: "C, latency",
      program: "C",
      command: [peers.limit, "latency", ...words, ...sizes],
    });
  if (peers.dpctl) {
    const few = Math.min(flows, DPCTL_FLOWS);
    const script = join(import.meta.dir, "../lab/latency-dpctl.ts");
    found.push({
      ...common,
      id: "latency-dpctl",
      name: "ovs-dpctl add-flow, closed loop, a process a flow",
      program: "ovs-dpctl",
      command: [BUN, script, DATAPATH, String(few)],
      flows: few,
      leaves: few,
      rounds: 1,
    });
  }
  return found;
}

/** Few flows, since a process per flow takes tens of milliseconds. */
const DPCTL_FLOWS = 40;
