import { errnoName, errnoText } from "./errno.ts";
import type { MillraceErrorCode } from "./error-codes.ts";

/**
 * The base of every error that millrace throws on purpose: `code` is a stable word for programs, `message` is for
 * people. `docs/errors.md` lists the codes.
 */
export class MillraceError extends Error {
  override readonly name: string = "MillraceError";
  readonly code: MillraceErrorCode;

  constructor(code: MillraceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** An assertion failed: a defect in millrace, or in the caller's use of it. */
export class AssertionError extends MillraceError {
  override readonly name: string = "AssertionError";

  constructor(message: string) {
    super("ASSERTION", message);
  }
}

/**
 * Throws {@link AssertionError} if `condition` is false. For public entry points, not for hot
 * loops.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** A system call failed. */
export class SystemCallError extends MillraceError {
  override readonly name: string = "SystemCallError";
  /** The call, `sendmmsg`. */
  readonly call: string;
  readonly errno: number;

  /** @param doing what was being done, in the user's words: "opening a netlink socket" */
  constructor(call: string, errno: number, doing: string, options?: ErrorOptions) {
    super(errnoName(errno), `${doing}: ${call}: ${errnoText(errno)}`, options);
    this.call = call;
    this.errno = errno;
  }
}

/** The end of a sentence that says which kernel has the feature; empty if none is known. */
export function needsLinux(since: string | undefined): string {
  return since === undefined ? "" : ` (needs Linux ${since})`;
}

/** The running kernel lacks a feature. */
export class NotSupportedError extends MillraceError {
  override readonly name: string = "NotSupportedError";
  /** What is missing, in words. */
  readonly feature: string;
  /**
   * The first mainline kernel that has it; undefined if none is known. Distributions backport, so
   * it decides nothing: the error is thrown because this kernel was asked and refused.
   */
  readonly since: string | undefined;

  /** @param options `where`: the beginning of the message, such as the line of an input */
  constructor(
    feature: string,
    since: string | undefined,
    options: ErrorOptions & { readonly where?: string } = {},
  ) {
    const { where, ...rest } = options;
    const place = where === undefined ? "" : `${where}: `;
    super("NOT_SUPPORTED", `${place}this kernel has no ${feature}${needsLinux(since)}`, rest);
    this.feature = feature;
    this.since = since;
  }
}
