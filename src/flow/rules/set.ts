import * as uapi from "../../uapi/openvswitch.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { attributeLength, attributeType } from "../action/attributes.ts";
import { be32At } from "../bytes.ts";
import { HEADER_WORD, lowestSlot, slotBit } from "../key/levels.ts";
import { networkSlots, transportSlots } from "../key/required-headers.ts";
import { KEY_BY_SLOT, type KeySpec, SLOT_OF_TYPE } from "../key/table.ts";
import { etherTypeText, type MatchFacts } from "./facts.ts";
import type { KernelFeatures } from "./features.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { checkSetTunnel } from "./tunnel.ts";

// The kernel's rules for set().

const RULE = "action.set";
const MPLS_ENTRY_SIZE = 4;
const IPV6_LABEL_UNUSED = 0xfff0_0000;

/** `validate_set()`: one key that can be written, and the packet must be known to have it. */
export function checkSet(
  facts: MatchFacts,
  walk: { readonly ethernet: boolean; readonly etherType: number },
  bytes: Uint8Array,
  start: number,
  end: number,
  action: number,
  features: KernelFeatures,
): Refusal | undefined {
  const length = attributeLength(bytes, start, end);
  if (length === 0 || start + ((length + 3) & ~3) !== end)
    return refuse(RULE, "set() holds one key");
  const type = attributeType(bytes, start);
  const name = nameOf(type);
  const masked = action === uapi.OVS_ACTION_ATTR_SET_MASKED;
  const size = length - NLA_HEADER;
  const half = masked ? size >> 1 : size;
  const key = start + NLA_HEADER;
  if (type > features.keyMax) return refuse(RULE, `set(${name}): the kernel knows no such key`);
  const wanted = LENGTHS[type] ?? -1;
  if (wanted === -1) return refuse(RULE, `set(${name}): the kernel cannot write it`);
  if (wanted !== -2 && half !== wanted)
    return refuse(RULE, `set(${name}): its length is ${half}, the kernel wants ${wanted}`);
  // Of a nest the halves are not value and mask.
  const pairs = masked && wanted !== -2 ? half : 0;
  for (let i = 0; i < pairs; i++) {
    if ((bytes[key + i]! & ~bytes[key + half + i]!) !== 0)
      return refuse(RULE, `set(${name}): a bit outside the mask is set`);
  }
  switch (type) {
    case uapi.OVS_KEY_ATTR_ETHERNET:
      if (walk.ethernet) return undefined;
      return refuse(RULE, "set(eth(…)) needs a packet with an Ethernet header: eth() in the key");
    case uapi.OVS_KEY_ATTR_TUNNEL:
      if (!masked) return checkSetTunnel(bytes, key, key + size);
      return refuse(RULE, "set(tunnel(…)) cannot have masks");
  }
  const spec = KEY_BY_SLOT[SLOT_OF_TYPE[type] ?? -1];
  const refusal = spec && checkHeader(spec, walk.etherType, facts.ipProto);
  if (refusal !== undefined) return refusal;
  // Offsets in struct ovs_key_ipv4: proto 8, frag 11; in struct ovs_key_ipv6: proto 36, frag 39.
  if (type === uapi.OVS_KEY_ATTR_IPV4)
    return checkFixed(facts, bytes, key + 8, key + 11, half, masked, "ipv4");
  if (type !== uapi.OVS_KEY_ATTR_IPV6) return undefined;
  const fixed = checkFixed(facts, bytes, key + 36, key + 39, half, masked, "ipv6");
  return fixed ?? checkLabel(bytes, key, masked);
}

/** The packet is known to have the header: what it asks for is matched exactly, and not changed since. */
function checkHeader(spec: KeySpec, etherType: number, ipProto: number): Refusal | undefined {
  const { asksFor, slot } = spec;
  const network = networkSlots(etherType);
  if (asksFor?.key === "eth_type" && (network & slotBit(slot)) === 0) {
    const types = asksFor.values.map(etherTypeText).join(" or ");
    return refuse(RULE, `set(${spec.name}(…)) needs eth_type(${types}), matched exactly`);
  }
  if (asksFor?.key !== "proto") return undefined;
  const transport = transportSlots(lowestSlot(HEADER_WORD, network), ipProto);
  if ((transport & slotBit(slot)) !== 0) return undefined;
  const proto = asksFor.values.join(" or ");
  const text = `set(${spec.name}(…)) needs proto ${proto} and its eth_type, matched exactly`;
  return refuse(RULE, text);
}

function checkLabel(bytes: Uint8Array, key: number, masked: boolean): Refusal | undefined {
  const label = be32At(bytes, key + 32) | (masked ? be32At(bytes, key + 72) : 0);
  if ((label & IPV6_LABEL_UNUSED) === 0) return undefined;
  return refuse(RULE, "set(ipv6(label=…)): a label has 20 bits");
}

/** Bytes of each key that can be written, by type; -1: it cannot be; -2: it varies. */
const LENGTHS: Int32Array = Int32Array.from(SLOT_OF_TYPE, (slot) => {
  const spec = KEY_BY_SLOT[slot];
  if (!spec?.settable) return -1;
  if (spec.form === "tunnel") return -2;
  // One entry of the stack.
  return spec.form === "mpls" ? MPLS_ENTRY_SIZE : spec.size;
});

function nameOf(type: number): string {
  const slot = SLOT_OF_TYPE[type] ?? -1;
  return `${KEY_BY_SLOT[slot]?.name ?? `key${type}`}(…)`;
}

/** proto and frag cannot be written: with a mask they are out of it, without one they are repeated. */
function checkFixed(
  facts: MatchFacts,
  bytes: Uint8Array,
  proto: number,
  frag: number,
  half: number,
  masked: boolean,
  name: string,
): Refusal | undefined {
  if (masked) {
    if (bytes[proto + half] === 0 && bytes[frag + half] === 0) return undefined;
    return refuse(RULE, `set(${name}(…)): proto and frag cannot be written: leave them out`);
  }
  if (bytes[proto] !== facts.ipProto)
    return refuse(RULE, `set(${name}(proto=${bytes[proto]})): the key matches ${facts.ipProto}`);
  if (bytes[frag] !== facts.ipFrag)
    return refuse(RULE, `set(${name}(frag=…)) must repeat the frag that the key matches`);
  return undefined;
}
