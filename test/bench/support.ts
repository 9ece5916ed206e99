import type { Environment, Results, Run, Packing, VariantId } from "../../bench/model.ts";

/** Where nothing was measured. */
export const ENVIRONMENT: Environment = {
  kind: "environment",
  version: 1,
  date: "2026-01-01T00:00:00.000Z",
  cpu: "a <CPU>",
  cpus: 2,
  memoryBytes: 1,
  hostKernel: "6.1",
  lab: "uml",
  labKernel: "6.1",
  bun: "1.4.5",
  millrace: "0.1.0",
  commit: "",
  flows: 1000,
  textFlows: 1000,
  rounds: 3,
  seed: 0,
  parts: ["growth"],
  skipped: [],
};

/** A run of 1,000 flows, named by its id: of C where that is the limit's, else of millrace. */
export function run(id: VariantId, round: number, seconds: number, more: Partial<Run> = {}): Run {
  const ofLimit = { program: "C", packing: PACKING } as const;
  const own = { program: "millrace" } as const;
  const base = { kind: "run", part: "growth", id, name: id, round, flows: 1000 } as const;
  const by = id.startsWith("limit-") ? ofLimit : own;
  return { ...base, ...by, seconds, wholeSeconds: seconds * 2, ...more, id };
}

/** How a batch is packed, where it does not matter which. */
export const PACKING: Packing = { perDatagram: 16, perCall: 1, transport: "send", ack: "errors" };

export function results(...runs: Run[]): Results {
  return { environment: ENVIRONMENT, runs };
}
