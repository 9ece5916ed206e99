import { readFileSync } from "node:fs";
import type { FlowOrder } from "../flow/mask-order.ts";
import type { LineNotes } from "../format/feed.ts";
import { failedFlows, type FlowException, type OutcomeCounts } from "./outcome.ts";

/**
 * The number of values needed for a 99th percentile, and for a 99.9th: with fewer, it would be the
 * maximum.
 */
export const P99_OF = 100;
const P999_OF = 1000;

/** Time from a batch's first send to its last reply, in microseconds; 0 if there was no batch. */
export type BatchLatency = {
  readonly p50: number;
  readonly p90: number;
  /** Null for fewer than 100 batches. */
  readonly p99: number | null;
  /** Null for fewer than 1,000 batches. */
  readonly p999: number | null;
  readonly max: number;
};

/** The used part of a histogram of node:perf_hooks. */
export type Histogram = {
  readonly count: number;
  readonly max: number;
  percentile(percentile: number): number;
};

/** Of a run that sends no batch. */
export const NO_LATENCIES: Histogram = { count: 0, max: 0, percentile: () => 0 };

/** The report of a load. */
export type LoadReport = OutcomeCounts &
  LineNotes & {
    /** Applied flows per second, from the first send to the last reply. */
    readonly flowsPerSecond: number;
    /** From the first send to the last reply. */
    readonly seconds: number;
    /** Including opening, reading and parsing. */
    readonly wholeSeconds: number;
    readonly batches: number;
    readonly systemCalls: number;
    /**
     * Flows that were read from the kernel: those of modifies and deletes, and those that were in
     * the way of puts. For a flow that is already as requested, nothing is sent.
     */
    readonly reads: number;
    /**
     * Applied flows that were not sent, because an earlier run, which was cut, had applied them; 0
     * if the load does not continue one.
     */
    readonly resumed: number;
    /** Netlink bytes sent. */
    readonly bytes: number;
    readonly batchLatencyMicroseconds: BatchLatency;
    /** The peak resident memory of the process (VmHWM). */
    readonly peakResidentBytes: number;
    /**
     * Sockets that sent at the end: two if that was faster or requested, and the flows allowed it.
     */
    readonly senders: 1 | 2;
    /**
     * For each thread that could not start, what the load did instead, and why. Only time is lost.
     */
    readonly withoutThreads: readonly string[];
    /** The order in which flows were sent, if another one than the input's was asked for. */
    readonly order?: FlowOrder;
    /** Lines read from the input. */
    readonly lines: number;
    /**
     * `complete`: the load reached the end of the input. `interrupted`: by a signal. `stopped`:
     * after a failure, as requested. `fatal`: the kernel takes no more flows, because the datapath
     * or the privilege is gone. `unreadable`: the input broke off. `failed`: a thread of the load
     * failed.
     */
    readonly ended: "complete" | "interrupted" | "stopped" | "fatal" | "unreadable" | "failed";
    /** Why, in words, if it is `fatal`, `unreadable` or `failed`; otherwise empty. */
    readonly endReason: string;
    /** The kernel's errno if it is `fatal`. */
    readonly endErrno?: number;
    /**
     * The error that made the input `unreadable`, for example thrown by a script's rows. Not in
     * JSON, which has the reason.
     */
    readonly endCause?: unknown;
    /** The first hundred exceptions. */
    readonly errors: readonly FlowException[];
  };

/**
 * The meaning of a report. `applied`: all flows are as requested. `partly`: some are not.
 * `unreadable`: the input broke off. `unavailable`: the kernel took no more. `interrupted`: a
 * signal or a time limit ended it. `unknown`: the outcome of some flows is unknown, or a thread of
 * the load failed.
 */
export type Verdict =
  "applied" | "partly" | "unreadable" | "unavailable" | "interrupted" | "unknown";

/** The only definition of what a report means. */
export function verdictOf(report: LoadReport): Verdict {
  if (report.ended === "fatal") return "unavailable";
  if (report.ended === "unreadable") return "unreadable";
  if (report.ended === "interrupted") return "interrupted";
  if (report.unknown > 0 || report.ended === "failed") return "unknown";
  return failedFlows(report) > 0 ? "partly" : "applied";
}

/** Reads a histogram of nanoseconds. */
export function batchLatency(histogram: Histogram): BatchLatency {
  const { count } = histogram;
  if (count === 0) return { p50: 0, p90: 0, p99: null, p999: null, max: 0 };
  // A percentile is the upper end of its bucket, which may exceed the maximum.
  const at = (percentile: number): number =>
    Math.round(Math.min(histogram.percentile(percentile), histogram.max) / 1000);
  return {
    p50: at(50),
    p90: at(90),
    p99: count < P99_OF ? null : at(99),
    p999: count < P999_OF ? null : at(99.9),
    max: Math.round(histogram.max / 1000),
  };
}

/** VmHWM of this process in bytes; 0 without /proc. */
export function peakResidentBytes(): number {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    return match?.[1] === undefined ? 0 : Number(match[1]) * 1024;
  } catch {
    return 0;
  }
}
