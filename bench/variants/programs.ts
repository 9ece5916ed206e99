import { join } from "node:path";
import { DEFAULT_BATCHING } from "../../src/load/send/batching.ts";
import type { LabPart, Packing, Variant, VariantId } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
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
const SWEEP_ROUNDS = 2;

/** The rounds of a sweep. */
export function sweepRounds({ rounds }: Size): number {
  return Math.min(rounds, SWEEP_ROUNDS);
}

/** Lines of a warm-up: ovs-dpctl takes hundreds of µs for each. */
const WARM_UP_FLOWS = 1000;

/** How many of `flows` a warm-up takes. */
export function few(flows: number): number {
  return Math.min(flows, WARM_UP_FLOWS);
}

/** The name of the set of the sample's first `flows` lines. */
function sample(flows: number): string {
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

/** What all variants say that install the sample's first `flows` lines. */
export function installs(
  part: LabPart,
  flows: number,
): Omit<Variant, "id" | "name" | "program" | "command"> {
  return { part, flows, leaves: flows, work: sample(flows), reports: true };
}

/** A script of the repository with these words, which leaves no flow. */
export function scripted(
  what: Pick<Variant, "part" | "id" | "name" | "flows">,
  script: string,
  ...words: readonly (string | number)[]
): Variant {
  const command = [BUN, join(ROOT, script), DATAPATH, ...words.map(String)];
  return { ...what, program: "millrace", command, leaves: 0, reports: true };
}

/** millrace's engine with pre-encoded bytes. */
export function ours(id: VariantId, name: string, { part, file, flows, packing }: Packed): Variant {
  const words = [...packingWords(packing), packing.transport];
  const variant = scripted({ part, id, name, flows }, "bench/lab/packed.ts", file, ...words);
  return { ...variant, ...installs(part, flows), packing };
}

/** The C program with the same bytes, if it is available. */
export function limit(peers: Peers, { part, file, flows, packing }: Packed): Variant[] {
  if (peers.limit === undefined) return [];
  return [
    {
      ...installs(part, flows),
      id: `limit-${packingId(packing)}`,
      name: `C, encoded before, ${packingName(packing)}`,
      program: "C",
      command: [peers.limit, "flow", DATAPATH, file, ...packingWords(packing)],
      packing,
    },
  ];
}

/** `millrace load`, as users run it. */
export function load(file: string, ...options: readonly string[]): string[] {
  return [MILLRACE, "load", file, "--dp", DATAPATH, "--json", ...options];
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
  return {
    ...installs(part, flows),
    id,
    name,
    program: "millrace",
    command: load(file(flows), ...options),
    warmUp: load(file(few(flows)), ...options),
  };
}

/** millrace as scripts use it: a template and columns. */
export function fromTemplate(part: LabPart, flows: number, seed: number): Variant {
  const what = { part, id: "template", name: "millrace, from a template", flows } as const;
  return { ...scripted(what, "bench/lab/template.ts", flows, seed), ...installs(part, flows) };
}
