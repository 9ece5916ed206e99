import type { MillraceErrorCode } from "../../sys/error-codes.ts";
import { ALL_FEATURES, type KernelFeatures } from "../../flow/rules/features.ts";
import type { MissingFeature } from "../../flow/rules/missing-feature.ts";
import type { Refusal } from "../../flow/rules/refusal.ts";
import { brokenRule } from "../../flow/rules/validate.ts";
import type { FlowParts } from "../../flow/parts.ts";
import type { FlowVerb } from "../../ovs/flow-request.ts";
import {
  EEXIST,
  EINVAL,
  EMSGSIZE,
  ENODEV,
  ENOENT,
  ENOMEM,
  EOVERFLOW,
  EPERM,
  ERANGE,
  ESTALE,
  errnoName,
  errnoText,
} from "../../sys/errno.ts";

/** A kernel that can do everything, but has no conntrack helper. */
const NO_HELPERS: KernelFeatures = { ...ALL_FEATURES, ctHelpers: new Set() };

/** Why the kernel rejected a flow. */
export type Rejection = {
  /** The name of its errno; `NOT_SUPPORTED` if the kernel lacks a feature of the flow. */
  readonly code: MillraceErrorCode;
  /** The reason in words. */
  readonly reason: string;
  /**
   * The feature that the kernel lacks; absent if every kernel refuses the flow, or if the reason is
   * unknown.
   */
  readonly missing?: MissingFeature;
  /** The rule that the flow breaks; absent if none is known. */
  readonly broken?: Refusal;
};

/** The facts of a rejected flow besides its errno. */
type RejectedFlow = {
  readonly sent?: FlowParts;
  /** Called only if the flow breaks no rule that all kernels share. */
  readonly features?: () => KernelFeatures;
  /** Called only for ENOMEM: returns the number of masks if there is no room for more. */
  readonly masks?: () => number | undefined;
};

/**
 * Why the kernel rejected a flow. Open vSwitch puts no text into its acks (only the kernel log says
 * why), so this is inferred from net/openvswitch/datapath.c and, for an invalid flow, from the
 * rules.
 */
export function explainRejection(
  verb: FlowVerb,
  errno: number,
  { sent, features, masks }: RejectedFlow = {},
): Rejection {
  const code = errnoName(errno);
  const full = errno === ENOMEM ? masks?.() : undefined;
  if (full !== undefined) {
    const reason = `the datapath has ${full} masks, all that the kernel has per-CPU counters for: a flow of another mask finds no room`;
    return { code, reason };
  }
  if (sent === undefined || SAYS_ENOUGH.has(errno))
    return { code, reason: plainReason(verb, errno) };
  const rule = brokenRule(sent);
  if (rule !== undefined) return { code, reason: rule.reason, broken: rule };
  const unsupported = brokenRule(sent, features?.());
  if (unsupported !== undefined) {
    const { missing, reason } = unsupported;
    if (missing === undefined || errno !== EINVAL) return { code, reason, broken: unsupported };
    return { code: "NOT_SUPPORTED", reason, missing, broken: unsupported };
  }
  // Whether a helper's module is there cannot be asked: if nothing else explains the error, it may
  // be the reason.
  const helper = errno === EINVAL ? brokenRule(sent, NO_HELPERS) : undefined;
  if (helper !== undefined)
    return { code, reason: `it may be that ${helper.reason}`, broken: helper };
  return { code, reason: plainReason(verb, errno) };
}

/** Errnos that do not depend on whether the flow is valid. */
const SAYS_ENOUGH: ReadonlySet<number> = new Set([EEXIST, ENOENT, ENODEV, ENOMEM, EPERM, ESTALE]);

/** Why a flow is refused that the kernel may take once another one is gone. */
export const OVERLAPS =
  "it overlaps an existing flow with another mask (the narrow one must come first)";

/** The meaning of an errno, independent of the flow. */
function plainReason(verb: FlowVerb, errno: number): string {
  switch (errno) {
    case EEXIST:
      return verb === "put"
        ? `${OVERLAPS}, or the flow exists under another UFID`
        : "a flow that matches this key is there already, the same one or a wider one that overlaps it";
    case ENOENT:
      return "there is no such flow";
    case EINVAL:
      return "the kernel does not take this key, mask or action list";
    case EPERM:
      return "the kernel requires CAP_NET_ADMIN";
    case ESTALE:
      return "the kernel's module openvswitch was loaded anew, and its datapaths are gone";
    case ENODEV:
      return "the datapath is gone";
    case ENOMEM:
      return "the kernel is out of memory";
    case EMSGSIZE:
      return "it is longer than the kernel takes";
    case EOVERFLOW:
      return "actions are nested deeper than 16 levels";
    case ERANGE:
      return "an attribute has a length that the kernel does not take";
    default:
      return errnoText(errno);
  }
}
