import type { Field } from "../text/field.ts";

/**
 * How an attribute is written: one value, `name=value` fields, a stack of MPLS entries, the tunnel's
 * parts, or keys inside.
 */
type KeyForm = "single" | "struct" | "mpls" | "tunnel" | "encap";

/** One row of KEYS: an attribute of a key. */
export type KeySpec = {
  readonly slot: number;
  /** The word before the parenthesis. */
  readonly name: string;
  /** OVS_KEY_ATTR_*. */
  readonly type: number;
  /** Bytes of the payload in a record; of the attribute too, but for nests and MPLS. */
  readonly size: number;
  readonly form: KeyForm;
  readonly fields: readonly Field[];
  /** `kernel`, or `userspace` for what only OVS's userspace datapath knows. */
  readonly where: "kernel" | "userspace";
  /** Printed even where it is wholly wildcarded: without it the text would not load again, or OVS does. */
  readonly keep: boolean;
  /** What it matches, for the reference. */
  readonly about: string;
  /** A line with it, for the reference. */
  readonly example: string;
  /** The first Linux that has it. */
  readonly since: string;
};

/** What may be said of a row beyond its place. */
type RowOptions = {
  form?: KeyForm;
  where?: "kernel" | "userspace";
  keep?: boolean;
  since?: string;
};

/** Makes a row of KEYS. */
export function row(
  slot: number,
  name: string,
  type: number,
  size: number,
  fields: readonly Field[],
  about: string,
  example: string,
  options: RowOptions = {},
): KeySpec {
  const { form = fields[0]?.name === "" ? "single" : "struct" } = options;
  // Most are as old as Open vSwitch in Linux.
  const { where = "kernel", keep = false, since = "3.3" } = options;
  return { slot, name, type, size, form, fields, where, keep, about, example, since };
}
