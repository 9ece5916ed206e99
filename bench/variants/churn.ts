import { join } from "node:path";
import type { Variant } from "../model.ts";
import type { Size } from "../size.ts";
import { BUN, DATAPATH, SWEEP_ROUNDS } from "./programs.ts";

/** How a constantly changing table affects packets. */
export function churn({ churnFlows: flows, churnRate, churnSeconds, rounds }: Size): Variant[] {
  const script = join(import.meta.dir, "../lab/churn.ts");
  return [
    {
      part: "churn",
      id: "churn",
      name: "millrace, churn",
      program: "millrace",
      command: [BUN, script, DATAPATH, ...[flows, churnRate, churnSeconds].map(String)],
      flows,
      leaves: 0,
      reports: true,
      rounds: Math.min(rounds, SWEEP_ROUNDS),
    },
  ];
}
