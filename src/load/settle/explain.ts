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
  /** The name of its errno; `NOT_SUPPORTED` where it lacks what the flow asks for. */
  readonly code: MillraceErrorCode;
  /** In words. */
  readonly reason: string;
  /** What it lacks; absent where the flow is wrong for every kernel, or for none that is known. */
  readonly missing?: MissingFeature;
  /** The rule that the flow breaks; absent where none is known. */
  readonly broken?: Refusal;
};

/** What is known of a rejected flow, beside its errno. */
type RejectedFlow = {
  readonly sent?: FlowParts;
  /** Asked only where the flow breaks no rule of every kernel. */
  readonly features?: () => KernelFeatures;
  /** Asked only for ENOMEM: the number of masks where there is room for no more. */
  readonly masks?: () => number | undefined;
};

/**
 * Why the kernel rejected a flow. Open vSwitch puts no text into its acks (the kernel log
 * alone says why), so this is from what net/openvswitch/datapath.c does, and for a flow that is wrong
 * in itself from the rules.
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
  // A helper is there when its module is, which nobody can ask: what is left to blame may be it.
  const helper = errno === EINVAL ? brokenRule(sent, NO_HELPERS) : undefined;
  if (helper !== undefined)
    return { code, reason: `it may be that ${helper.reason}`, broken: helper };
  return { code, reason: plainReason(verb, errno) };
}

/** Errnos that are not for what the flow is. */
const SAYS_ENOUGH: ReadonlySet<number> = new Set([EEXIST, ENOENT, ENODEV, EPERM, ESTALE]);

/** What an errno stands for, whatever the flow. */
function plainReason(verb: FlowVerb, errno: number): string {
  switch (errno) {
    case EEXIST:
      return verb === "put"
        ? "it overlaps a flow that is there under another mask (the narrow one has to come first), or that one was put under another UFID"
        : "a flow that matches this key is there already, the same one or a wider one that overlaps it";
    case ENOENT:
      return "there is no such flow";
    case EINVAL:
      return "the kernel does not take this key, mask or action list";
    case EPERM:
      return "the kernel wants CAP_NET_ADMIN";
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
