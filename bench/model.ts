import type { BatchLatency } from "../src/load/report.ts";

/** The parts of the suite that are measured in a kernel with the datapath. */
export const LAB_PARTS = [
  "sweep",
  "peers",
  "growth",
  "masks",
  "verbs",
  "dump",
  "latency",
  "churn",
  "sync",
] as const;
export type LabPart = (typeof LAB_PARTS)[number];

/** Every part; the last ones run on the host itself and want no datapath. */
export type Part = LabPart | "native" | "micro";
export const PARTS: readonly Part[] = [...LAB_PARTS, "native", "micro"];

/** Who sends. */
export type Program =
  "C" | "millrace" | "ovs-dpctl" | "libopenvswitch" | "libmnl" | "pyroute2" | "ip" | "bun";

/** How a batch is cut and sent, for the variants that have a choice. */
export type Packing = {
  readonly perDatagram: number;
  readonly perCall: number;
  readonly transport: "send" | "writev" | "sendmmsg";
  readonly ack: "errors" | "each";
};

/**
 * What bars, plots and comparisons find a variant by: unique in its part, whatever its name says. Those that
 * stand for a packing or a number of masks have it behind a word of their own.
 */
export type VariantId =
  | "packed"
  | "template"
  | "load-compiled"
  | `order-${string}`
  | "load-text"
  | "load-text-watched"
  | "load-text-of-dpctl"
  | "load-text-of-pyroute"
  | "dump"
  | `dump-${string}`
  | "nl-transact"
  | "libmnl"
  | "ovs-operate"
  | "ovs-text"
  | "pyroute"
  | "dpctl-add"
  | "dpctl-start"
  | "dpctl-delete"
  | "churn"
  | `churn-${string}`
  | "latency"
  | `latency-${string}`
  | "dpctl-dump"
  | `dpctl-dump-${string}`
  | "sync"
  | `sync-${string}`
  | "verbs"
  | `verb-${string}`
  | "warm-up"
  | "start-bun"
  | "start-version"
  | "start-load"
  | "text-to-bytes"
  | "ovs-parse"
  | "dry-run"
  | "dry-run-tenth"
  | "routes"
  | `routes-${string}`
  | `packed-${string}`
  | `limit-${string}`
  | `micro-${string}`;

/** What the kernel is to hold when a program starts. */
type Before = "empty" | "flows";

/** One way to do the work: a program to be timed, in a process of its own. */
export type Variant = {
  readonly part: LabPart;
  readonly id: VariantId;
  /** In words; unique in its part of a plan, too. */
  readonly name: string;
  readonly program: Program;
  readonly command: readonly string[];
  /** The same program on a few flows, for one that does not warm itself: runs before, does not count. */
  readonly warmUp?: readonly string[];
  /** Flows that its figures are for. */
  readonly flows: number;
  /** Flows in the kernel when it has ended; another count is a failed run. */
  readonly leaves: number;
  /** Variants of one set must leave the same flows, by their hash; absent where none are left. */
  readonly work?: string;
  /** It prints a line of JSON, a {@link ProgramReport}; else it is timed whole. */
  readonly reports: boolean;
  /** `empty` unless it says otherwise. */
  readonly before?: Before;
  /** The flows that are to be there, where they are others than the plan's. */
  readonly flowsFile?: string;
  readonly packing?: Packing;
  /** Number of masks, of the part `masks`. */
  readonly masks?: number;
  /** Its garbage collector tells of its pauses, in a run that is there for them. */
  readonly watched?: true;
  /** Rounds, where they are fewer than the plan's. */
  readonly rounds?: number;
};

/** What a lab boot is to measure. */
export type Plan = {
  readonly datapath: string;
  /** Folder of all files that the programs read. */
  readonly data: string;
  readonly rounds: number;
  /** Runs before anything counts: the guest's memory is touched. */
  readonly warmUp: Variant;
  /** Pre-encoded flows that are installed for `before: "flows"`. */
  readonly flowsFile: string;
  readonly variants: readonly Variant[];
};

/** Microseconds; null for a percentile that the batches are too few for. */
export type Latency = BatchLatency;

/** What a program says of its own run; `millrace load --json` says more. */
export type ProgramReport = {
  /** First send to last reply. */
  readonly seconds: number;
  readonly systemCalls?: number;
  readonly datagrams?: number;
  readonly bytes?: number;
  /** Microseconds, from a batch's send to its last reply. */
  readonly batchLatencyMicroseconds?: Latency;
  /** Packets that did not arrive, and packets that found no flow. */
  readonly lost?: number;
  readonly missed?: number;
  /** Seconds that each tenth of the flows took. */
  readonly tenths?: readonly number[];
  /** VmHWM. */
  readonly peakResidentBytes?: number;
  /** Several figures of one process, each by a name of its own. */
  readonly steps?: readonly Step[];
};

/** A figure of a process that has several, and perhaps what the kernel held behind it. */
export type Step = ProgramReport & {
  readonly id: VariantId;
  readonly name: string;
  readonly flows: number;
  readonly work?: string;
  readonly workHash?: string;
};

/** One timed run. */
export type Run = ProgramReport & {
  readonly kind: "run";
  readonly part: Part;
  readonly id: VariantId;
  readonly name: string;
  readonly program: Program;
  readonly round: number;
  readonly flows: number;
  /** From the start of the process to its end. */
  readonly wholeSeconds: number;
  readonly packing?: Packing;
  readonly masks?: number;
  /** The set of flows it was to install, and the hash of what the kernel held then. */
  readonly work?: string;
  readonly workHash?: string;
  /** Pauses of the garbage collector, in milliseconds. */
  readonly collectorPausesMs?: readonly number[];
  /** Why it does not count. */
  readonly failed?: string;
};

/** Where it was measured. */
export type Environment = {
  readonly kind: "environment";
  readonly version: 1;
  readonly date: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly hostKernel: string;
  readonly lab: string;
  readonly labKernel: string;
  readonly bun: string;
  readonly millrace: string;
  readonly commit: string;
  readonly flows: number;
  readonly textFlows: number;
  readonly rounds: number;
  /** The first flow of the sample: the same seed gives the same flows. */
  readonly seed: number;
  readonly parts: readonly Part[];
  /** What was left out, and why. */
  readonly skipped: readonly string[];
  /** It stands first in the file, and once more, without this, when all has been measured. */
  readonly unfinished?: true;
  /** CPUs of the lab's kernel, which may have fewer than the machine. */
  readonly labCpus?: number;
};

/** What the inside of the lab says of itself before it measures. */
export type LabFacts = {
  readonly kind: "lab";
  readonly labKernel: string;
  readonly labCpus: number;
};

/** All of one run of the suite. */
export type Results = { readonly environment: Environment; readonly runs: readonly Run[] };
