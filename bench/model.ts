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

/** Every part; the last ones run on the host and need no datapath. */
export type Part = LabPart | "native" | "micro";
export const PARTS: readonly Part[] = [...LAB_PARTS, "native", "micro"];

/** The program that sends. */
export type Program =
  "C" | "millrace" | "ovs-dpctl" | "libopenvswitch" | "libmnl" | "pyroute2" | "ip" | "bun";

/** How a batch is cut and sent, for variants that have a choice. */
export type Packing = {
  readonly perDatagram: number;
  readonly perCall: number;
  readonly transport: "send" | "writev" | "sendmmsg";
  readonly ack: "errors" | "each";
};

/**
 * Identifies a variant for bars, plots and comparisons; unique in its part, independent of its
 * name. Ids of a packing or a number of masks have it after a prefix.
 */
export type VariantId =
  | "packed"
  | "template"
  | "load-compiled"
  | `order-${string}`
  | `packets-${string}`
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

/** What the kernel must hold when a program starts. */
type Before = "empty" | "flows";

/** One way to do the work: a program to time, in a separate process. */
export type Variant = {
  readonly part: LabPart;
  readonly id: VariantId;
  /** A description; also unique in its part of a plan. */
  readonly name: string;
  readonly program: Program;
  readonly command: readonly string[];
  /**
   * The same program on a few flows, run before without counting, for a program that does not warm
   * up itself.
   */
  readonly warmUp?: readonly string[];
  /** The number of flows to which its figures refer. */
  readonly flows: number;
  /** Flows in the kernel after it has ended; any other count is a failed run. */
  readonly leaves: number;
  /**
   * The set of flows: its variants must leave flows with the same hash; absent if none are left.
   */
  readonly work?: string;
  /**
   * Whether it prints a line of JSON, a {@link ProgramReport}; otherwise the whole process is
   * timed.
   */
  readonly reports: boolean;
  /** `empty` unless it says otherwise. */
  readonly before?: Before;
  /** The flows that must be there, if not the plan's. */
  readonly flowsFile?: string;
  readonly packing?: Packing;
  /** Number of masks, in the part `masks`. */
  readonly masks?: number;
  /** Whether its garbage collector logs its pauses, for which the run is made. */
  readonly watched?: true;
  /** Rounds, if fewer than the plan's. */
  readonly rounds?: number;
};

/** What one boot of the lab measures. */
export type Plan = {
  readonly datapath: string;
  /** Folder of all files that the programs read. */
  readonly data: string;
  readonly rounds: number;
  /** Runs before anything counts, to touch the guest's memory. */
  readonly warmUp: Variant;
  /** Pre-encoded flows that are installed for `before: "flows"`. */
  readonly flowsFile: string;
  readonly variants: readonly Variant[];
};

/** Microseconds; null for a percentile for which there are too few batches. */
export type Latency = BatchLatency;

/** A program's report of its run; `millrace load --json` has more. */
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
  /** Several figures of one process, each with a name. */
  readonly steps?: readonly Step[];
};

/** One of several figures of a process, possibly with what the kernel held after it. */
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
  /** The set of flows that it had to install, and the hash of the kernel's flows afterwards. */
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
  /**
   * Marks the first line of the file; the environment is written again, without it, after all was
   * measured.
   */
  readonly unfinished?: true;
  /** CPUs of the lab's kernel, which may have fewer than the machine. */
  readonly labCpus?: number;
};

/** The facts that the inside of the lab reports before it measures. */
export type LabFacts = {
  readonly kind: "lab";
  readonly labKernel: string;
  readonly labCpus: number;
};

/** All of one run of the suite. */
export type Results = { readonly environment: Environment; readonly runs: readonly Run[] };
