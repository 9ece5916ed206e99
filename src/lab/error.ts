/** Why a lab failed, as a stable code for programs. */
export type LabErrorCode =
  "USAGE" | "UNAVAILABLE" | "FETCH" | "MEMORY" | "BOOT" | "GUEST" | "ABORTED";

/**
 * A failure of the lab itself, never of the command that ran in it.
 *
 * The message says what was tried, `remedy` how to fix it (empty if unknown).
 */
export class LabError extends Error {
  override readonly name = "LabError";
  readonly code: LabErrorCode;
  readonly remedy: string;

  constructor(code: LabErrorCode, message: string, remedy = "", options?: ErrorOptions) {
    super(remedy === "" ? message : `${message}\n${remedy}`, options);
    this.code = code;
    this.remedy = remedy;
  }
}
