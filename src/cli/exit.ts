import { LabError } from "../lab/error.ts";
import type { Verdict } from "../load/report.ts";
import { NetlinkError } from "../netlink/errors.ts";
import { E2BIG, EFBIG, EINVAL, EMSGSIZE, EOVERFLOW, ERANGE } from "../sys/errno.ts";
import { ownErrorCode } from "../sys/error-codes.ts";
import { MillraceError } from "../sys/errors.ts";

/** Exit statuses of every command but `lab`, which gives the status of what it ran. */
export const Exit = {
  ok: 0,
  /** Some flows were rejected or refused. */
  someFailed: 1,
  /** Wrong usage, or input that cannot be read. */
  usage: 2,
  /** No permission, no module, no such datapath, or the datapath gone in mid-load. */
  unavailable: 3,
  interrupted: 4,
  /** An internal error, or outcomes that stayed unknown. */
  internal: 5,
  /** The lab failed, whatever its command would have said. */
  lab: 125,
} as const;

/** Errors of system calls that say no to this machine, or to its state. */
const UNAVAILABLE: ReadonlySet<string> = new Set(["EEXIST", "ENODEV", "EPERM"]);

/** The kernel says that what was asked for cannot be: a name, a size, an action. */
const INVALID_REQUEST = new Set([E2BIG, EFBIG, EINVAL, EMSGSIZE, EOVERFLOW, ERANGE]);

/** The exit status that a load's verdict stands for. */
export const EXIT_OF: Readonly<Record<Verdict, number>> = {
  applied: Exit.ok,
  partly: Exit.someFailed,
  unreadable: Exit.usage,
  unavailable: Exit.unavailable,
  interrupted: Exit.interrupted,
  unknown: Exit.internal,
};

/** The exit status that an error stands for. */
export function exitStatusOf(error: unknown): number {
  if (error instanceof LabError) return Exit.lab;
  if (!(error instanceof MillraceError)) return Exit.internal;
  // It says no to this machine or its state otherwise: something is there, or is not.
  if (error instanceof NetlinkError) {
    return INVALID_REQUEST.has(error.errno) ? Exit.usage : Exit.unavailable;
  }
  const own = ownErrorCode(error.code);
  if (own !== undefined) return own.exit;
  return UNAVAILABLE.has(error.code) ? Exit.unavailable : Exit.internal;
}

/** A file that is to be written cannot be. */
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
