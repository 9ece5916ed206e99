import type { FieldSet } from "../text/field-set.ts";
import type { Members } from "./member.ts";

/**
 * How an action is written, and the content of its attribute:
 * - `output`: a port alone; `flag`: the bare word, no payload; `number`: `(N)`, 32 bits
 * - `struct`: named fields of a struct; `nest`: members in attributes; `actions`: a list
 * - `hash`, `nsh`, `set`, `drop`: forms of their own
 */
type ActionForm =
  | { readonly kind: "output" | "flag" | "actions" | "hash" | "set" | "drop" }
  | { readonly kind: "number"; readonly hex: boolean; readonly about: string }
  | { readonly kind: "struct" | "nsh"; readonly fields: FieldSet }
  | { readonly kind: "nest"; readonly members: Members };

/** One row of the table of actions. */
export type ActionSpec = {
  /** The word in text. */
  readonly name: string;
  /** `OVS_ACTION_ATTR_*`. */
  readonly type: number;
  readonly form: ActionForm;
  /**
   * Bytes of the payload that a kernel requires (`action_lens` in flow_netlink.c); -1 if it varies.
   */
  readonly payload: number;
  /** The first Linux that has it. */
  readonly since: string;
  /**
   * Actions that every kernel with this action accepts, for an IPv4 packet; undefined if there are
   * none.
   */
  readonly probe: string | undefined;
  readonly about: string;
  readonly syntax: string;
  readonly examples: readonly string[];
};
