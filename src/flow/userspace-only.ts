import type { MillraceErrorCode } from "../sys/error-codes.ts";
import type { Cursor } from "./text/cursor.ts";
import { FlowSyntaxError, syntaxFactsAt } from "./text/syntax-error.ts";

/** What a {@link UserspaceOnlyError} is about. */
export type UserspaceKind = "an action" | "a key" | "a field";

/** An action or a match is in the language, but no kernel knows it. */
export class UserspaceOnlyError extends FlowSyntaxError {
  override readonly name: string = "UserspaceOnlyError";
  override readonly code: MillraceErrorCode = "FLOW_USERSPACE_ONLY";
}

/** Throws the error for the word `name`, which is `kind`, at `at`. */
export function failUserspaceOnly(
  cursor: Cursor,
  name: string,
  kind: UserspaceKind,
  at: number,
): never {
  const expected = `${kind} of a kernel: only OVS's userspace datapath knows ${name}`;
  throw new UserspaceOnlyError(syntaxFactsAt(cursor, at, expected));
}
