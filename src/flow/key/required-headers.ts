import { HEADER_WORD, slotBit } from "./levels.ts";
import { SLOT_IPV4, SLOT_IPV6, SLOT_VLAN } from "./slots.ts";
import type { Condition, KeyLayer, KeySpec } from "./spec.ts";
import { KEY_BY_SLOT, kernelKeys, slotWords } from "./table.ts";

// Which headers a key must have, given its types and protocols: `match_validate()` in
// net/openvswitch/flow_netlink.c. Each answer is a bit for each slot of the headers.

/**
 * The headers of the network and transport layers; those of the link layer are handled separately.
 */
export const NETWORK_SLOTS: number = slotsOfLayer("network");
export const TRANSPORT_SLOTS: number = slotsOfLayer("transport");

/**
 * The Ethernet types that require headers; for each, the required header and all headers such
 * packets may have.
 */
const NETWORK_TYPES: Int32Array = networkTypes();
const REQUIRED: Int32Array = NETWORK_TYPES.map((type) =>
  slotsOfType(type, ({ required }) => required),
);
const POSSIBLE: Int32Array = NETWORK_TYPES.map((type) => slotsOfType(type, () => true));

/** Required headers by protocol, over IPv4 and over IPv6. */
const OVER_IPV4: Int32Array = slotsOfValues(({ asksFor }) => isOver(asksFor, SLOT_IPV4));
const OVER_IPV6: Int32Array = slotsOfValues(({ asksFor }) => isOver(asksFor, SLOT_IPV6));

/** Required headers by type of ICMPv6. */
const OF_ICMPV6: Int32Array = slotsOfValues(({ asksFor }) => asksFor?.key === "icmpv6");

const TAG_TYPES: readonly number[] = KEY_BY_SLOT[SLOT_VLAN]?.asksFor?.values ?? [];

/** The header that an Ethernet type requires. */
export function networkSlots(etherType: number): number {
  return slotsOf(etherType, REQUIRED);
}

/** As {@link networkSlots}, and the headers that such packets may have besides. */
export function possibleNetworkSlots(etherType: number): number {
  return slotsOf(etherType, POSSIBLE);
}

// A linear search: there are few types, and the likely ones come first.
function slotsOf(etherType: number, slots: Int32Array): number {
  for (let i = 0; i < slots.length; i++) if (NETWORK_TYPES[i] === etherType) return slots[i]!;
  return 0;
}

/** The headers that a protocol requires over the network header `network`, IPv4 or IPv6. */
export function transportSlots(network: number, proto: number): number {
  if (network === SLOT_IPV4) return OVER_IPV4[proto]!;
  return network === SLOT_IPV6 ? OVER_IPV6[proto]! : 0;
}

/** The headers that a type of ICMPv6 requires. */
export function icmpv6Slots(type: number): number {
  return OF_ICMPV6[type]!;
}

/**
 * Whether an Ethernet type is that of a tag (`eth_type_vlan()`), and requires vlan() and encap().
 */
export function isVlan(etherType: number): boolean {
  return TAG_TYPES.includes(etherType);
}

function slotsOfLayer(wanted: KeyLayer): number {
  return slotWords(({ where, layer }) => where === "kernel" && layer === wanted)[HEADER_WORD]!;
}

function networkTypes(): Int32Array {
  const keys = kernelKeys().filter(({ layer }) => layer === "network");
  return Int32Array.from(new Set(keys.flatMap(({ asksFor }) => asksFor?.values ?? [])));
}

function slotsOfType(type: number, isWanted: (key: KeySpec) => boolean): number {
  return slotWords(
    (key) =>
      key.layer === "network" && key.asksFor?.values.includes(type) === true && isWanted(key),
  )[HEADER_WORD]!;
}

function slotsOfValues(isWanted: (key: KeySpec) => boolean): Int32Array {
  const slots = new Int32Array(256);
  for (const key of kernelKeys()) {
    if (!key.required || !isWanted(key)) continue;
    for (const value of key.asksFor?.values ?? []) slots[value] = slots[value]! | slotBit(key.slot);
  }
  return slots;
}

function isOver(asksFor: Condition | undefined, network: number): boolean {
  if (asksFor?.key !== "proto") return false;
  return asksFor.over.includes(KEY_BY_SLOT[network]?.name ?? "");
}
