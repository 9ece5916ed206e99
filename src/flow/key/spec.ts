import type { FeatureFlag } from "../feature.ts";
import type { Field } from "../text/field.ts";

/**
 * How an attribute is written: one value, `name=value` fields, a stack of MPLS entries, the tunnel's
 * parts, or keys inside.
 */
type KeyForm = "single" | "struct" | "mpls" | "tunnel" | "encap";

/**
 * The layer of the header that a key matches; `metadata` is what the kernel knows besides the
 * packet.
 */
export type KeyLayer = "metadata" | "link" | "network" | "transport";

/** What a packet must be to have what a key matches: another key has one of these values. */
export type Condition =
  | { readonly key: "eth_type"; readonly values: readonly number[] }
  | {
      readonly key: "proto";
      readonly values: readonly number[];
      /** The network headers that carry the protocol. */
      readonly over: readonly string[];
    }
  /** The type of an ICMPv6 packet. */
  | { readonly key: "icmpv6"; readonly values: readonly number[] };

/** A row of the table of keys. Optional members have defaults. */
export type KeyRow = {
  /** The word before the parenthesis. */
  readonly name: string;
  /** OVS_KEY_ATTR_*. */
  readonly type: number;
  /** Bytes of the payload in a record; also of the attribute, except for nests and MPLS. */
  readonly size: number;
  readonly layer: KeyLayer;
  readonly fields?: readonly Field[];
  /** `single` or `struct` by default, depending on the fields. */
  readonly form?: KeyForm;
  /** Whether its attribute holds attributes, each with its own length. */
  readonly nested?: boolean;
  /** What it matches, for the reference. */
  readonly about: string;
  /** An example line, for the reference. */
  readonly example: string;
  /** The first Linux that has it; by default 3.3, the first with Open vSwitch. */
  readonly since?: string;
  /** `kernel`, or `userspace` for what only OVS's userspace datapath knows. */
  readonly where?: "kernel" | "userspace";
  /** The kernel configuration that it requires. */
  readonly feature?: FeatureFlag;
  /** A key that every kernel with this attribute accepts. Only for keys that some kernels lack. */
  readonly probe?: string;
  /** What packets must be for the key to have a meaning. */
  readonly asksFor?: Condition;
  /**
   * Whether the kernel requires it in every key that matches such packets, even if none of its bits
   * is matched.
   */
  readonly required?: boolean;
  /** Whether the kernel takes a mask of it only if that value is matched exactly. */
  readonly guarded?: boolean;
  /** Whether the kernel matches either all of its bits or none. */
  readonly allOrNothing?: boolean;
  /** Whether its presence is matched, even if none of its bits is. */
  readonly presence?: boolean;
  /** Whether the kernel can write it: `set(KEY)`. */
  readonly settable?: boolean;
  /**
   * Whether its values may be patched into the message of another line. If not, its parts have
   * special rules, or no kernel has it.
   */
  readonly patchable?: boolean;
  /**
   * The fields that no rule of the kernel looks at, regardless of their masks: addresses and ports.
   */
  readonly unruled?: readonly string[];
  /** Whether ovs-dpctl has a name for it. */
  readonly shown?: boolean;
};

/** An attribute of a key: its row, with all defaults. */
export type KeySpec = Required<Omit<KeyRow, "asksFor" | "feature" | "probe">> & {
  readonly asksFor: Condition | undefined;
  readonly feature: FeatureFlag | undefined;
  readonly probe: string | undefined;
  /** Its slot in a record. */
  readonly slot: number;
  /**
   * Whether it is printed even if fully wildcarded, because OVS does so or the text would not load
   * again without it.
   */
  readonly keep: boolean;
};

/** The condition for packets with one of these Ethernet types. */
export function ofEtherType(...values: readonly number[]): Condition {
  return { key: "eth_type", values };
}

/** The condition for packets of an IP protocol. */
export function ofProtocol(value: number, over: readonly string[] = ["ipv4", "ipv6"]): Condition {
  return { key: "proto", values: [value], over };
}
