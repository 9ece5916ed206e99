import type { Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { DATAPATH, scripted, sweepRounds } from "./programs.ts";

/** How long a flow waits for its ack, at a fixed rate, by batch size. */
export function latency(size: Size, files: Files, peers: Peers): Variant[] {
  const { rate, latencyFlows: flows, latencySizes } = size;
  const words = [files.packed(flows), rate, flows, ...latencySizes].map(String);
  const what = { part: "latency", id: "latency", name: "millrace, latency", flows } as const;
  const own = { ...scripted(what, "bench/lab/latency.ts", ...words), rounds: sweepRounds(size) };
  const found = [own];
  if (peers.limit !== undefined)
    found.push({
      ...own,
      id: "latency-c",
      name: "C, latency",
      program: "C",
      command: [peers.limit, "latency", DATAPATH, ...words],
    });
  if (peers.dpctl) {
    const few = Math.min(flows, DPCTL_FLOWS);
    const name = "ovs-dpctl add-flow, closed loop, a process a flow";
    found.push({
      ...scripted(
        { part: "latency", id: "latency-dpctl", name, flows: few },
        "bench/lab/latency-dpctl.ts",
        few,
      ),
      program: "ovs-dpctl",
      leaves: few,
      rounds: 1,
    });
  }
  return found;
}

/** Few flows, since a process per flow takes tens of milliseconds. */
const DPCTL_FLOWS = 40;
