import { join } from "node:path";
import { DEFAULT_BATCHING } from "../../src/load/send/batching.ts";
import type { LabPart, Packing, Variant, VariantId } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Files } from "./files.ts";

// The programs that several parts run: millrace in each of its modes, and the C program.

export const ROOT: string = join(import.meta.dir, "../..");
/** The launcher of Bun, and of scripts. */
export const BUN: string = join(ROOT, "src/cli/bun");
/** The launcher, as a user's shell finds it. */
export const MILLRACE: string = join(ROOT, "src/cli/millrace");
/** The datapath of all variants. */
export const DATAPATH = "bench0";

/** So large that the number of bytes limits a datagram only in OVS's packing. */
const DATAGRAM_BYTES = 1 << 20;

/** millrace's default packing; the C program uses it as well, among others. */
export const BEST: Packing = {
  perDatagram: DEFAULT_BATCHING.messagesPerDatagram,
  perCall: DEFAULT_BATCHING.datagramsPerCall,
  transport: DEFAULT_BATCHING.transport,
  ack: DEFAULT_BATCHING.ack,
};

/** A sweep of many variants takes fewer rounds than variants that are compared with a bar. */
export const SWEEP_ROUNDS = 2;

/** Lines of a warm-up: ovs-dpctl takes hundreds of µs for each. */
const WARM_UP_FLOWS = 1000;

/** How many of `flows` a warm-up takes. */
export function few(flows: number): number {
  return Math.min(flows, WARM_UP_FLOWS);
}

/** The name of the set of the sample's first `flows` lines. */
export function sample(flows: number): string {
  return `sample ${flows}`;
}

/** `16 a datagram × 4 a call, sendmmsg, ack each`. */
export function packingName({ perDatagram, perCall, transport, ack }: Packing): string {
  const calls = perCall > 1 ? ` × ${perCall}` : "";
  return `${perDatagram}${calls} by ${transport}${ack === "each" ? ", ack each" : ""}`;
}

/** The packing in an id. */
export function packingId({ perDatagram, perCall, transport, ack }: Packing): string {
  return `${perDatagram}x${perCall}-${transport}-${ack}`;
}

/** The arguments of a program that sends in a packing. */
function packingWords({ perDatagram, perCall, ack }: Packing): string[] {
  return [String(perDatagram), String(DATAGRAM_BYTES), String(perCall), ack];
}

/** Pre-encoded flows, and how they are sent. */
type Packed = {
  readonly part: LabPart;
  readonly file: string;
  readonly flows: number;
  readonly packing: Packing;
};

/** millrace's engine with pre-encoded bytes. */
export function ours(id: VariantId, name: string, { part, file, flows, packing }: Packed): Variant {
  const program = join(ROOT, "bench/lab/packed.ts");
  return {
    part,
    id,
    name,
    program: "millrace",
    command: [BUN, program, DATAPATH, file, ...packingWords(packing), packing.transport],
    flows,
    leaves: flows,
    work: sample(flows),
    reports: true,
    packing,
  };
}

/** The C program with the same bytes, if it is available. */
export function limit(peers: Peers, { part, file, flows, packing }: Packed): Variant[] {
  if (peers.limit === undefined) return [];
  return [
    {
      part,
      id: `limit-${packingId(packing)}`,
      name: `C, encoded before, ${packingName(packing)}`,
      program: "C",
      command: [peers.limit, "flow", DATAPATH, file, ...packingWords(packing)],
      flows,
      leaves: flows,
      work: sample(flows),
      reports: true,
      packing,
    },
  ];
}

/** millrace as users run it: a file, a new process. */
export function fromFile(
  id: VariantId,
  name: string,
  input: {
    readonly part: LabPart;
    readonly file: Files["text"];
    readonly flows: number;
    readonly options?: readonly string[];
  },
): Variant {
  const { part, file, flows, options = [] } = input;
  const load = (count: number): string[] => [
    MILLRACE,
    "load",
    file(count),
    "--dp",
    DATAPATH,
    "--json",
    ...options,
  ];
  return {
    part,
    id,
    name,
    program: "millrace",
    command: load(flows),
    warmUp: load(few(flows)),
    flows,
    leaves: flows,
    work: sample(flows),
    reports: true,
  };
}

/** millrace as scripts use it: a template and columns. */
export function fromTemplate(part: LabPart, flows: number, seed: number): Variant {
  const program = join(ROOT, "bench/lab/template.ts");
  return {
    part,
    id: "template",
    name: "millrace, from a template",
    program: "millrace",
    command: [BUN, program, DATAPATH, String(flows), String(seed)],
    flows,
    leaves: flows,
    work: sample(flows),
    reports: true,
  };
}
