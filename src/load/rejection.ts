import { FlowRejectedError } from "../flow/rules/errors.ts";
import type { MissingFeature } from "../flow/rules/missing-feature.ts";
import { NotSupportedError } from "../sys/errors.ts";

/** The facts of a flow that the kernel rejected. */
type RejectedFlow = {
  readonly errno: number;
  readonly reason: string;
  /** The flow. */
  readonly text: string;
  /** The feature that the kernel lacks, if that is the reason. */
  readonly missing?: MissingFeature | undefined;
  /** The beginning of the message, such as the line of an input. */
  readonly where?: string;
  readonly cause?: unknown;
};

/** The error for a rejected flow, single or in a load: a rejection, or a missing feature. */
export function rejectionError(flow: RejectedFlow): FlowRejectedError | NotSupportedError {
  const { errno, reason, text, missing, where, cause } = flow;
  const words = where === undefined ? reason : `${where}: ${reason}`;
  const rejected = new FlowRejectedError(words, errno, text, cause === undefined ? {} : { cause });
  if (missing === undefined) return rejected;
  const options = { cause: rejected, ...(where === undefined ? {} : { where }) };
  return new NotSupportedError(missing.feature, missing.since, options);
}
