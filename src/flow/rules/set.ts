import * as uapi from "../../uapi/openvswitch.ts";
import { NLA_HEADER } from "../../netlink/attribute-writer.ts";
import { attributeLength, attributeType } from "../action/attributes.ts";
import { be32At } from "../bytes.ts";
import { HEADER_WORD, lowestSlot, slotBit } from "../key/levels.ts";
import { networkSlots, transportSlots } from "../key/required-headers.ts";
import { fieldNamed, KEY_BY_SLOT, KEYS, type KeySpec, SLOT_OF_TYPE } from "../key/table.ts";
import type { ActionContext } from "./action-context.ts";
import { etherTypeText } from "./facts.ts";
import { type Refusal, refuse } from "./refusal.ts";
import { checkSetTunnel } from "./tunnel.ts";

// The kernel's rules for set().

const RULE = "action.set";
const MPLS_ENTRY_SIZE = 4;
const IPV6_LABEL_UNUSED = 0xfff0_0000;

/**
 * `validate_set()`: it holds one key, which must be writable, and the packet must be known to have
 * it.
 */
export function checkSet(context: ActionContext, action: number): Refusal | undefined {
  const { bytes, start, end, facts } = context;
  const length = attributeLength(bytes, start, end);
  if (length === 0 || start + ((length + 3) & ~3) !== end)
    return refuse(RULE, "set() holds one key");
  const type = attributeType(bytes, start);
  const name = nameOf(type);
  const masked = action === uapi.OVS_ACTION_ATTR_SET_MASKED;
  const size = length - NLA_HEADER;
  const half = masked ? size >> 1 : size;
  const key = start + NLA_HEADER;
  if (type > context.features.keyMax)
    return refuse(RULE, `set(${name}): the kernel knows no such key`);
  const wanted = LENGTHS[type] ?? -1;
  if (wanted === -1) return refuse(RULE, `set(${name}): the kernel cannot write it`);
  if (wanted !== -2 && half !== wanted)
    return refuse(RULE, `set(${name}): its length is ${half}, the kernel requires ${wanted}`);
  // In a nest, the halves are not value and mask.
  const pairs = masked && wanted !== -2 ? half : 0;
  for (let i = 0; i < pairs; i++) {
    if ((bytes[key + i]! & ~bytes[key + half + i]!) !== 0)
      return refuse(RULE, `set(${name}): a bit outside the mask is set`);
  }
  switch (type) {
    case uapi.OVS_KEY_ATTR_ETHERNET:
      if (context.ethernet) return undefined;
      return refuse(RULE, "set(eth(…)) needs a packet with an Ethernet header: eth() in the key");
    case uapi.OVS_KEY_ATTR_TUNNEL:
      if (!masked) return checkSetTunnel(bytes, key, key + size);
      return refuse(RULE, "set(tunnel(…)) cannot have masks");
  }
  const spec = KEY_BY_SLOT[SLOT_OF_TYPE[type] ?? -1];
  const refusal = spec && checkHeader(spec, context.etherType, facts.ipProto);
  if (refusal !== undefined) return refusal;
  const fixed = FIXED.get(type);
  const change = fixed && checkFixed(context, fixed, masked);
  if (change !== undefined || type !== uapi.OVS_KEY_ATTR_IPV6) return change;
  return checkLabel(bytes, key, masked);
}

/**
 * Checks that the packet is known to have the header: the values that it depends on are matched
 * exactly, and not changed since.
 */
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

/** Bytes of each writable key, by type; -1 for keys that are not writable, -2 if it varies. */
const LENGTHS: Int32Array = Int32Array.from(SLOT_OF_TYPE, (slot) => {
  const spec = KEY_BY_SLOT[slot];
  if (!spec?.settable) return -1;
  if (spec.form === "tunnel") return -2;
  // set() writes one entry of the stack.
  return spec.form === "mpls" ? MPLS_ENTRY_SIZE : spec.size;
});

function nameOf(type: number): string {
  const slot = SLOT_OF_TYPE[type] ?? -1;
  return `${KEY_BY_SLOT[slot]?.name ?? `key${type}`}(…)`;
}

/** An IP header, and the offsets of its fields that cannot be written. */
type FixedFields = { readonly name: string; readonly proto: number; readonly frag: number };

const FIXED: ReadonlyMap<number, FixedFields> = new Map(
  KEYS.filter(({ name }) => name === "ipv4" || name === "ipv6").map(({ type, name }) => [
    type,
    { name, proto: fieldNamed(name, "proto").offset, frag: fieldNamed(name, "frag").offset },
  ]),
);

/**
 * Checks proto and frag, which cannot be written: a mask must exclude them; without a mask they
 * must repeat the key's values.
 */
function checkFixed(
  { facts, bytes, start, end }: ActionContext,
  fixed: FixedFields,
  masked: boolean,
): Refusal | undefined {
  const { name } = fixed;
  const key = start + NLA_HEADER;
  const half = masked ? (end - key) >> 1 : 0;
  const proto = bytes[key + half + fixed.proto];
  const frag = bytes[key + half + fixed.frag];
  if (masked) {
    if (proto === 0 && frag === 0) return undefined;
    return refuse(RULE, `set(${name}(…)): proto and frag cannot be written: leave them out`);
  }
  if (proto !== facts.ipProto)
    return refuse(RULE, `set(${name}(proto=${proto})): the key matches ${facts.ipProto}`);
  if (frag !== facts.ipFrag)
    return refuse(RULE, `set(${name}(frag=…)) must repeat the frag that the key matches`);
  return undefined;
}
