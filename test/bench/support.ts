import type { Environment, Results, Run } from "../../bench/model.ts";

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

/** A run of 1,000 flows; C by its name, else millrace. */
export function run(name: string, round: number, seconds: number, more: Partial<Run> = {}): Run {
  const program = name.startsWith("C") ? "C" : "millrace";
  const base = { kind: "run", part: "growth", name, program, round, flows: 1000 } as const;
  return { ...base, seconds, wholeSeconds: seconds * 2, ...more };
}

export function results(...runs: Run[]): Results {
  return { environment: ENVIRONMENT, runs };
}
