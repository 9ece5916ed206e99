import { errnoName } from "../../sys/errno.ts";
import { MillraceError } from "../../sys/errors.ts";
import type { Refusal } from "./refusal.ts";

/** A flow was not sent, because `validateFlow` says that the kernel would not take it. */
export class FlowRefusedError extends MillraceError {
  override readonly name: string = "FlowRefusedError";
  /** The rule that it breaks. */
  readonly rule: string;
  /** The rule in words. */
  readonly reason: string;

  constructor(refusal: Refusal, options?: ErrorOptions) {
    super("FLOW_REFUSED", refusal.reason, options);
    this.rule = refusal.rule;
    this.reason = refusal.reason;
  }
}

/**
 * A flow that the kernel rejected. `code` is the name of its errno, such as `EINVAL`; Open vSwitch
 * says no more, so the reason comes from millrace's knowledge of the kernel's rules.
 */
export class FlowRejectedError extends MillraceError {
  override readonly name: string = "FlowRejectedError";
  /** Positive; 0 if the reply was lost and the flow was not found. */
  readonly errno: number;
  /** The kernel's rule, in words. */
  readonly reason: string;
  /** The flow. */
  readonly text: string;

  constructor(reason: string, errno: number, text: string, options?: ErrorOptions) {
    super(errno === 0 ? "LOST_REPLY" : errnoName(errno), `${reason}: ${text}`, options);
    this.errno = errno;
    this.reason = reason;
    this.text = text;
  }
}
