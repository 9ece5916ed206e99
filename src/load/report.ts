import { readFileSync } from "node:fs";
import type { LineNotes } from "../format/feed.ts";
import { failedFlows, type FlowException, type OutcomeCounts } from "./outcome.ts";

/** So many values tell a 99th percentile, and so many a 99.9th: of fewer it is no more than the greatest. */
export const P99_OF = 100;
const P999_OF = 1000;

/** Time from a batch's first send to its last reply, in microseconds; 0 where there was no batch. */
export type BatchLatency = {
  readonly p50: number;
  readonly p90: number;
  /** Null where there were fewer than 100 batches. */
  readonly p99: number | null;
  /** Null where there were fewer than 1,000 batches. */
  readonly p999: number | null;
  readonly max: number;
};

/** Values of which one asks how they are spread: what is read of a histogram of node:perf_hooks. */
export type Histogram = {
  readonly count: number;
  readonly max: number;
  percentile(percentile: number): number;
};

/** What a load did. */
export type LoadReport = OutcomeCounts &
  LineNotes & {
    /** Applied flows a second, from the first send to the last reply. */
    readonly flowsPerSecond: number;
    /** From the first send to the last reply. */
    readonly seconds: number;
    /** With opening, reading and parsing. */
    readonly wholeSeconds: number;
    readonly batches: number;
    readonly systemCalls: number;
    /**
     * Flows that were read from the kernel: those of modifies and deletes, and those that puts met. Of what was
     * there as asked for nothing is sent.
     */
    readonly reads: number;
    /** Netlink bytes sent. */
    readonly bytes: number;
    readonly batchLatencyMicroseconds: BatchLatency;
    /** The most memory that the process has held (VmHWM). */
    readonly peakResidentBytes: number;
    /** Sockets that sent at the end: two where that was found faster, or asked for, and the flows let them. */
    readonly senders: 1 | 2;
    /** What the load did without a thread that could not start, and why: nothing is lost by it but time. */
    readonly withoutThreads: readonly string[];
    /** Lines of the input that were read. */
    readonly lines: number;
    /**
     * `complete`: to the end of the input. `interrupted` by a signal, `stopped` after a failure as asked,
     * `fatal` where the kernel takes no flow any more: the datapath is gone, or the right to change it.
     * `unreadable` where the input broke off; `failed` where a thread of the load did.
     */
    readonly ended: "complete" | "interrupted" | "stopped" | "fatal" | "unreadable" | "failed";
    /** Why, in words, where it is `fatal`, `unreadable` or `failed`; empty otherwise. */
    readonly endReason: string;
    /** The kernel's errno where it is `fatal`. */
    readonly endErrno?: number;
    /** What was thrown where the input is `unreadable`, by a script's rows say. For scripts: `--json` has the reason. */
    readonly endCause?: unknown;
    /** The first hundred. */
    readonly errors: readonly FlowException[];
  };

/**
 * What a report means. `applied`: all flows are as asked for. `partly`: some are not. `unreadable`: the input
 * broke off. `unavailable`: the kernel took no more. `interrupted`: a signal or a time limit ended it.
 * `unknown`: what became of some flows is not known, or a thread of the load failed.
 */
export type Verdict =
  "applied" | "partly" | "unreadable" | "unavailable" | "interrupted" | "unknown";

/** The one place that says what a report means. */
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
  // A percentile is the end of its bucket, which may lie above the greatest value.
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

/** VmHWM of this process in bytes; 0 where /proc is not there. */
export function peakResidentBytes(): number {
  try {
    const match = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
    return match?.[1] === undefined ? 0 : Number(match[1]) * 1024;
  } catch {
    return 0;
  }
}
