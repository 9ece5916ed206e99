import type { MillraceErrorCode } from "../sys/error-codes.ts";
import type { MissingFeature } from "../flow/rules/missing-feature.ts";
import type { SyntaxFacts } from "../format/refusals.ts";
import type { FlowVerb } from "../ovs/flow-request.ts";
import { EIO } from "../sys/errno.ts";

/**
 * The outcome of a flow. `refused`: never sent. `present` and `absent`: its reply was lost and it
 * was read back (`reconciled`). `unknown`: its reply was lost and reading it back failed too.
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

/** The outcome of a flow: state and errno. */
export type Outcome = { readonly state: OutcomeState; readonly errno: number };

/**
 * The outcome of a flow whose reply was lost, by what was found when it was read back. A deleted
 * flow should be absent, any other present. EIO if it is not, or if that is unknown.
 */
export function outcomeOfLost(verb: FlowVerb, found: "present" | "absent" | "unknown"): Outcome {
  const wanted = verb === "delete" ? "absent" : "present";
  return { state: found, errno: found === wanted ? 0 : EIO };
}

/**
 * Whether a flow did not end as requested: the only definition, for loads, commands and the
 * library.
 */
export function hasFailed({ state, errno }: Outcome): boolean {
  if (state === "present" || state === "absent") return errno !== 0;
  return state !== "applied";
}

/** How many flows did not end as requested. */
export function failedFlows(counts: OutcomeCounts): number {
  return counts.rejected + counts.refused + counts.unknown + counts.reconciled.contrary;
}

/** A flow that was not simply applied. */
export type FlowException = {
  /** 1-based line of the input, or the number of the flow if there are no lines. */
  readonly line: number;
  /** 1-based, in bytes; also 1 if the whole flow is meant, or if the input is not text. */
  readonly column: number;
  readonly state: Exclude<OutcomeState, "applied">;
  /**
   * 0 if the kernel was not asked, or if its reply was lost and the flow is as requested; EIO if it
   * is not.
   */
  readonly errno: number;
  /**
   * The name of the errno, such as `EEXIST`; `NOT_SUPPORTED` if the kernel lacks a feature of the
   * flow; `LOST_REPLY`; `FLOW_SYNTAX` and the like if the kernel was not asked.
   */
  readonly code: MillraceErrorCode;
  /** The reason in words. */
  readonly reason: string;
  /** The line of the input, or the part of it around the column; otherwise the flow. */
  readonly text: string;
  /** The index in the text of the character that the reason is about; absent if unknown. */
  readonly caret?: number;
  /** For a syntax error: what was found, what was expected, and what may have been meant. */
  readonly syntax?: SyntaxFacts;
  /** The feature that this kernel lacks, and the first Linux with it; only with `NOT_SUPPORTED`. */
  readonly missing?: MissingFeature;
};

/** The counts of all outcomes. */
export type OutcomeCounts = {
  /** In a dry run: valid flows, which were not sent. */
  encoded: number;
  applied: number;
  rejected: number;
  refused: number;
  /** Flows whose replies were lost, by what was found; `contrary` of them are not as requested. */
  reconciled: { present: number; absent: number; contrary: number };
  unknown: number;
};
