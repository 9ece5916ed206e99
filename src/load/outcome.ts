import type { MillraceErrorCode } from "../sys/error-codes.ts";
import type { MissingFeature } from "../flow/rules/missing-feature.ts";
import type { SyntaxFacts } from "../format/refusals.ts";
import type { FlowVerb } from "../ovs/flow-request.ts";
import { EIO } from "../sys/errno.ts";

/**
 * How a flow ended. `refused`: never sent. `present` and `absent`: its reply was lost and it was read
 * back (`reconciled`). `unknown`: its reply was lost and reading it back failed too.
 */
export type OutcomeState = "applied" | "rejected" | "refused" | "present" | "absent" | "unknown";

/** The states as the bytes of an {@link OutcomeTable}: 0 is applied. */
export const OUTCOME_STATES: readonly OutcomeState[] = [
  "applied",
  "rejected",
  "refused",
  "present",
  "absent",
  "unknown",
];

/** How a flow ended, in two words. */
export type Outcome = { readonly state: OutcomeState; readonly errno: number };

/**
 * How a flow ended whose reply was lost, by what was found when it was read back: of a delete that it is
 * gone is as asked, of all else that it is there. EIO where it is not as asked, or nobody knows.
 */
export function outcomeOfLost(verb: FlowVerb, found: "present" | "absent" | "unknown"): Outcome {
  const wanted = verb === "delete" ? "absent" : "present";
  return { state: found, errno: found === wanted ? 0 : EIO };
}

/** Whether a flow did not end as was asked: the one place that says so for loads, commands and the library. */
export function hasFailed({ state, errno }: Outcome): boolean {
  if (state === "present" || state === "absent") return errno !== 0;
  return state !== "applied";
}

/** How many flows did not end as was asked. */
export function failedFlows(counts: OutcomeCounts): number {
  return counts.rejected + counts.refused + counts.unknown + counts.reconciled.contrary;
}

/** A flow that was not simply applied. */
export type FlowException = {
  /** 1-based line of the input, or the number of the flow where there are no lines. */
  readonly line: number;
  /** 1-based, in bytes; 1 as well where the flow as a whole is meant, or the input has no text. */
  readonly column: number;
  readonly state: Exclude<OutcomeState, "applied">;
  /** 0 where the kernel was not asked, or its reply was lost and all is as asked; EIO where it is not. */
  readonly errno: number;
  /**
   * The name of the errno, such as `EEXIST`; `NOT_SUPPORTED` where the kernel lacks what the flow asks for;
   * `LOST_REPLY`; `FLOW_SYNTAX` and the like where the kernel was not asked.
   */
  readonly code: MillraceErrorCode;
  /** In words. */
  readonly reason: string;
  /** The line as it stands in the input, or the part of it around the column; else the flow. */
  readonly text: string;
  /** Which character of the text the reason speaks of; absent where none is known. */
  readonly caret?: number;
  /** Of what is not in the language: what stands there, what should, and what may be meant. */
  readonly syntax?: SyntaxFacts;
  /** What this kernel lacks, and the first Linux with it; only with `NOT_SUPPORTED`. */
  readonly missing?: MissingFeature;
};

/** What became of all flows, counted. */
export type OutcomeCounts = {
  /** In a dry run: encoded and found valid, not sent. */
  encoded: number;
  applied: number;
  rejected: number;
  refused: number;
  /** Replies that were lost, by what was found; `contrary` of them are not what was asked for. */
  reconciled: { present: number; absent: number; contrary: number };
  unknown: number;
};
