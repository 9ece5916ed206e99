import type { FeatureFlag } from "../feature.ts";
import type { Field } from "../text/field.ts";

/**
 * How an attribute is written: one value, `name=value` fields, a stack of MPLS entries, the tunnel's
 * parts, or keys inside.
 */
type KeyForm = "single" | "struct" | "mpls" | "tunnel" | "encap";

/** Which header of a packet a key is of; `metadata` is what the kernel knows besides the packet. */
export type KeyLayer = "metadata" | "link" | "network" | "transport";

/** What a packet must be to have what a key matches: another key has one of some values. */
export type Condition =
  | { readonly key: "eth_type"; readonly values: readonly number[] }
  | {
      readonly key: "proto";
      readonly values: readonly number[];
      /** The network headers whose protocol it is. */
      readonly over: readonly string[];
    }
  /** The type of an ICMPv6 packet. */
  | { readonly key: "icmpv6"; readonly values: readonly number[] };

/** What a row of the table says of a key. What may be left out has a default. */
export type KeyRow = {
  /** The word before the parenthesis. */
  readonly name: string;
  /** OVS_KEY_ATTR_*. */
  readonly type: number;
  /** Bytes of the payload in a record; of the attribute too, but for nests and MPLS. */
  readonly size: number;
  readonly layer: KeyLayer;
  readonly fields?: readonly Field[];
  /** `single` or `struct` by default, as the fields are. */
  readonly form?: KeyForm;
  /** Its attribute holds attributes, which say themselves how long they are. */
  readonly nested?: boolean;
  /** What it matches, for the reference. */
  readonly about: string;
  /** A line with it, for the reference. */
  readonly example: string;
  /** The first Linux that has it; 3.3, as old as Open vSwitch in Linux, by default. */
  readonly since?: string;
  /** `kernel`, or `userspace` for what only OVS's userspace datapath knows. */
  readonly where?: "kernel" | "userspace";
  /** What a kernel must be built with to have it. */
  readonly feature?: FeatureFlag;
  /** A key that every kernel takes that has this one. Only of a key that some kernels lack. */
  readonly probe?: string;
  /** What packets must be for it to mean something. */
  readonly asksFor?: Condition;
  /** The kernel wants it in every key that matches such packets, even if nothing of it is matched. */
  readonly required?: boolean;
  /** The kernel takes a mask of it only where that value is matched exactly. */
  readonly guarded?: boolean;
  /** The kernel matches all of its bits, or none. */
  readonly allOrNothing?: boolean;
  /** That it is there is matched too, even where none of its bits is. */
  readonly presence?: boolean;
  /** The kernel can write it: `set(KEY)`. */
  readonly settable?: boolean;
  /**
   * Its values may be put into a message that another line became. Else its parts have rules of their own,
   * or are none of a kernel's.
   */
  readonly patchable?: boolean;
  /** The fields whose values no rule of the kernel looks at, whatever their masks are: addresses and ports. */
  readonly unruled?: readonly string[];
  /** ovs-dpctl has a name for it. */
  readonly shown?: boolean;
};

/** An attribute of a key: its row, with all defaults. */
export type KeySpec = Required<Omit<KeyRow, "asksFor" | "feature" | "probe">> & {
  readonly asksFor: Condition | undefined;
  readonly feature: FeatureFlag | undefined;
  readonly probe: string | undefined;
  /** Its place in a record. */
  readonly slot: number;
  /** Printed even where it is wholly wildcarded: without it the text would not load again, or OVS does. */
  readonly keep: boolean;
};

/** The packets with one of some Ethernet types. */
export function ofEtherType(...values: readonly number[]): Condition {
  return { key: "eth_type", values };
}

/** The packets of an IP protocol. */
export function ofProtocol(value: number, over: readonly string[] = ["ipv4", "ipv6"]): Condition {
  return { key: "proto", values: [value], over };
}
