import { LabError } from "../lab/error.ts";
import type { Verdict } from "../load/report.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { E2BIG, EFBIG, EINVAL, EMSGSIZE, EOVERFLOW, ERANGE } from "../sys/errno.ts";
import { ownErrorCode } from "../sys/error-codes.ts";
import { MillraceError } from "../sys/errors.ts";

/** Exit statuses of every command but `lab`, which returns the status of its command. */
export const Exit = {
  ok: 0,
  /** Some flows were rejected or refused. */
  someFailed: 1,
  /** Wrong usage, or unreadable input. */
  usage: 2,
  /** No permission, no module, no such datapath, or the datapath disappeared during the load. */
  unavailable: 3,
  interrupted: 4,
  /** An internal error, or outcomes that stayed unknown. */
  internal: 5,
  /** The lab itself failed. */
  lab: 125,
} as const;

/** Errnos of system calls that mean something is wrong with this machine or its state. */
const UNAVAILABLE: ReadonlySet<string> = new Set(["EEXIST", "ENODEV", "EPERM"]);

/** Errnos by which the kernel says that the request is invalid: a name, a size, an action. */
const INVALID_REQUEST = new Set([E2BIG, EFBIG, EINVAL, EMSGSIZE, EOVERFLOW, ERANGE]);

/** The exit status for a load's verdict. */
export const EXIT_OF: Readonly<Record<Verdict, number>> = {
  applied: Exit.ok,
  partly: Exit.someFailed,
  unreadable: Exit.usage,
  unavailable: Exit.unavailable,
  interrupted: Exit.interrupted,
  unknown: Exit.internal,
};

/** The exit status for an error. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof LabError) return Exit.lab;
  if (!(error instanceof MillraceError)) return Exit.internal;
  // Other errnos are about the machine or its state: something exists, or does not.
  if (error instanceof NetlinkError) {
    return INVALID_REQUEST.has(error.errno) ? Exit.usage : Exit.unavailable;
  }
  const own = ownErrorCode(error.code);
  if (own !== undefined) return own.exit;
  return UNAVAILABLE.has(error.code) ? Exit.unavailable : Exit.internal;
}

/** An output file cannot be written. */
export class UnwritableOutputError extends MillraceError {
  override readonly name: string = "UnwritableOutputError";

  constructor(message: string, options?: ErrorOptions) {
    super("UNWRITABLE_OUTPUT", message, options);
  }
}

/** The command line is wrong. */
export class UsageError extends MillraceError {
  override readonly name: string = "UsageError";

  constructor(message: string) {
    super("USAGE", message);
  }
}
