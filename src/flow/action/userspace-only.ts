import type { Cursor } from "../text/cursor.ts";
import { FlowSyntaxError } from "../text/syntax-error.ts";

/** The actions that only OVS's userspace datapath (dpif-netdev) knows. They never go to a kernel. */
export const USERSPACE_ONLY: readonly string[] = ["tnl_push", "tnl_pop", "lb_output"];

/** An action or a match that is in the language, but that no kernel knows. */
export class UserspaceOnlyError extends FlowSyntaxError {
  override readonly name: string = "UserspaceOnlyError";
  override readonly code: string = "FLOW_USERSPACE_ONLY";
}

/** Throws the error for the word `name` at `at`. */
export function failUserspaceOnly(cursor: Cursor, name: string, at: number): never {
  throw new UserspaceOnlyError({
    line: cursor.line,
    column: at - cursor.lineStart + 1,
    found: `"${name}"`,
    expected: `an action of a kernel: only OVS's userspace datapath knows ${name}`,
    before: cursor.slice(cursor.lineStart, at),
    after: cursor.slice(at, Math.min(cursor.end, at + 40)),
  });
}
