import type { FlowOrder } from "../flow/mask-order.ts";
import { OUTCOME_STATES, type FlowException } from "./outcome.ts";
import type { BatchLatency, LoadReport } from "./report.ts";

// The report of a load as a JSON Schema, for programs that read what `millrace load --json` prints.

/** A JSON Schema, or a part of one. */
type Schema = { readonly [keyword: string]: unknown };

/** A schema for each member of a type, so that a new member cannot be forgotten. */
type Members<T> = { readonly [name in keyof Required<T>]: Schema };

const COUNT: Schema = { type: "integer", minimum: 0 };
const AMOUNT: Schema = { type: "number", minimum: 0 };
const TEXT: Schema = { type: "string" };

const LATENCY: Members<BatchLatency> = {
  p50: COUNT,
  p90: COUNT,
  p99: { type: ["integer", "null"], minimum: 0, description: "null below 100 batches" },
  p999: { type: ["integer", "null"], minimum: 0, description: "null below 1,000 batches" },
  max: COUNT,
};

const EXCEPTION: Members<FlowException> = {
  line: {
    type: "integer",
    minimum: 1,
    description: "of the input, from 1; else the flow's number",
  },
  column: { type: "integer", minimum: 1, description: "in bytes, from 1" },
  state: { enum: OUTCOME_STATES.filter((state) => state !== "applied") },
  errno: { ...COUNT, description: "the kernel's; 0 where it was not asked" },
  code: { type: "string", pattern: "^[A-Z][A-Z0-9_]*$", description: "see docs/errors.md" },
  reason: { ...TEXT, description: "in words" },
  text: { ...TEXT, description: "the line, or the part of it around the column" },
  caret: { ...COUNT, description: "which character of the text the reason speaks of" },
  syntax: objectOf({ found: TEXT, expected: TEXT, suggestion: TEXT }, ["found", "expected"]),
  missing: objectOf({ feature: TEXT, since: TEXT }),
};

const WALKED: Schema = { type: ["number", "null"], minimum: 0 };

const ORDER: Members<FlowOrder> = {
  order: { enum: ["file", "masks"], description: "masks: not that of the file" },
  masks: { type: ["integer", "null"], minimum: 0, description: "null where it was not looked at" },
  walkedInFileOrder: { ...WALKED, description: "masks that a put walks, on average" },
  walked: { ...WALKED, description: "the same in the order in which flows were sent" },
  reason: { ...TEXT, description: "why the order is that of the file; else empty" },
};

// An error thrown by a script cannot be expressed in JSON.
const REPORT: Members<Omit<LoadReport, "endCause">> = {
  encoded: { ...COUNT, description: "flows that a dry run found valid; nothing was sent" },
  applied: COUNT,
  rejected: COUNT,
  refused: COUNT,
  reconciled: objectOf({ present: COUNT, absent: COUNT, contrary: COUNT }),
  unknown: COUNT,
  completed: { ...COUNT, description: "lines of dumps that were completed, wildcarded" },
  passedOver: objectOf({ headers: COUNT, members: { type: "array", items: TEXT } }),
  flowsPerSecond: AMOUNT,
  seconds: { ...AMOUNT, description: "from the first send to the last reply" },
  wholeSeconds: { ...AMOUNT, description: "with opening, reading and parsing" },
  batches: COUNT,
  systemCalls: COUNT,
  reads: { ...COUNT, description: "flows that were read from the kernel" },
  resumed: { ...COUNT, description: "applied flows that an earlier run had sent" },
  bytes: { ...COUNT, description: "of netlink, sent" },
  batchLatencyMicroseconds: objectOf(LATENCY),
  peakResidentBytes: COUNT,
  senders: { enum: [1, 2], description: "sockets that sent at the end" },
  withoutThreads: { type: "array", items: TEXT },
  order: { ...objectOf(ORDER), description: "where --order fast was asked for" },
  lines: { ...COUNT, description: "of the input that were read" },
  ended: { enum: ["complete", "interrupted", "stopped", "fatal", "unreadable", "failed"] },
  endReason: { ...TEXT, description: "empty where it is complete, interrupted or stopped" },
  endErrno: { ...COUNT, description: "the kernel's, where it is fatal" },
  errors: {
    type: "array",
    maxItems: 100,
    items: objectOf(EXCEPTION, optional(EXCEPTION, ["caret", "syntax", "missing"])),
  },
};

const COUNTS = (names: readonly string[]): Schema => ({
  ...objectOf(Object.fromEntries(names.map((name) => [name, COUNT]))),
  type: ["object", "null"],
});

/** The members that `--verify` and `--on-error rollback` add to a report. */
const ASKED_FOR = {
  verification: COUNTS(["wanted", "held", "equal", "missing", "different", "extra", "foreign"]),
  rolledBack: COUNTS(["sent", "failed"]),
  checkFailure: { ...TEXT, description: "why the datapath could not be read for them; or empty" },
};

/** The JSON Schema (draft 2020-12) of a report as JSON, of a load or a dry run. */
export function loadReportSchema(): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "The report of a load of flows",
    ...objectOf({ ...REPORT, ...ASKED_FOR }, optional(REPORT, ["endErrno", "order"])),
  };
}

/** The names of all members except `names`. */
function optional(members: object, names: readonly string[]): readonly string[] {
  return Object.keys(members).filter((name) => !names.includes(name));
}

function objectOf(members: object, required: readonly string[] = Object.keys(members)): Schema {
  return { type: "object", properties: members, required, additionalProperties: false };
}
