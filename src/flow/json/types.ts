/** A number, or text such as `0x0800`, `10.0.0.0/255.0.0.0` or `+trk-new`; true for a bare word. */
export type JsonScalar = number | string | boolean;

/** A value in a key or an action. `flowJsonSchema` describes its members. */
export type JsonValue = JsonScalar | { readonly [name: string]: JsonValue } | readonly JsonValue[];

/** A key: its attributes by name, in text order. `encap` holds a key, `mpls` a list. */
export type KeyJson = { readonly [name: string]: JsonValue };

/** One action: its name and its arguments; `{"output": 2}` is a bare port. */
export type ActionJson = { readonly [name: string]: JsonValue };

/**
 * A flow in JSON: the tree of its text, one to one. `name(…)` is a member with an object, `name=value`
 * one with a number or a string, a bare word is `true`.
 */
export type FlowJson = {
  /** What to do with the flow; the load decides by default. */
  readonly verb?: "add" | "modify" | "delete";
  /** A UUID, or `0x` and fewer than 16 bytes in hexadecimal. */
  readonly ufid?: string;
  readonly key: KeyJson;
  /** The empty list drops. Without this member, a modify keeps the flow's actions. */
  readonly actions?: readonly ActionJson[];
  /** Statistics of a dump. They are not read back. */
  readonly packets?: number;
  readonly bytes?: number;
  /** Seconds since the last packet, or `never`. */
  readonly used?: number | "never";
  /** TCP flags seen, one letter each. */
  readonly flags?: string;
};
