import type { Variant } from "../model.ts";
import type { Size } from "../size.ts";
import { scripted, sweepRounds } from "./programs.ts";

/** How a constantly changing table affects packets. */
export function churn(size: Size): Variant[] {
  const { churnFlows: flows, churnRate, churnSeconds } = size;
  const what = { part: "churn", id: "churn", name: "millrace, churn", flows } as const;
  const variant = scripted(what, "bench/lab/churn.ts", flows, churnRate, churnSeconds);
  return [{ ...variant, rounds: sweepRounds(size) }];
}
