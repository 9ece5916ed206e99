import { FlowRejectedError } from "../flow/rules/errors.ts";
import type { MissingFeature } from "../flow/rules/missing-feature.ts";
import { NotSupportedError } from "../sys/errors.ts";

/** What is known of a flow that the kernel rejected. */
type RejectedFlow = {
  readonly errno: number;
  readonly reason: string;
  /** The flow. */
  readonly text: string;
  /** What the kernel lacks, where that is why. */
  readonly missing?: MissingFeature | undefined;
  /** What the message begins with, such as the line of an input. */
  readonly where?: string;
  readonly cause?: unknown;
};

/** The error that stands for a rejected flow, by itself or of a load: the rejection, or what causes it. */
export function rejectionError(flow: RejectedFlow): FlowRejectedError | NotSupportedError {
  const { errno, reason, text, missing, where, cause } = flow;
  const words = where === undefined ? reason : `${where}: ${reason}`;
  const rejected = new FlowRejectedError(words, errno, text, cause === undefined ? {} : { cause });
  if (missing === undefined) return rejected;
  const options = { cause: rejected, ...(where === undefined ? {} : { where }) };
  return new NotSupportedError(missing.feature, missing.since, options);
}
