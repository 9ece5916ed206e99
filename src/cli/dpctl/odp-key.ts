import { FIELDS_OF_SLOT } from "../../flow/key/parse.ts";
import * as S from "../../flow/key/slots.ts";
import { isWellSized } from "../../flow/key/record.ts";
import { KEY_BY_SLOT, SLOT_OF_TYPE } from "../../flow/key/table.ts";
import { u32At } from "../../flow/bytes.ts";
import { CLOSE, COMMA, OPEN, SLASH } from "../../flow/text/ascii.ts";
import { printBytes, printField } from "../../flow/text/field-print.ts";
import type { TextSink } from "../../flow/text/sink.ts";
import { OVS_KEY_ATTR_ETHERTYPE } from "../../uapi/openvswitch.ts";
import { printOdpMpls, printOdpNsh, printOdpVlan } from "./odp-headers.ts";
import { attributesOf, isOnes, isZeros, type OdpMask, type OdpStyle, payloadOf } from "./odp.ts";
import { printOdpPort } from "./odp-userspace.ts";
import { printOdpTunnel } from "./odp-tunnel.ts";

/**
 * Prints the attributes of a key with those of its mask (`odp_flow_format`).
 * @param masks the attributes of the mask; `wild`: zeros for each of the key's; `exact`: there is no mask
 */
export function printOdpKey(out: TextSink, key: Uint8Array, masks: OdpMask, style: OdpStyle): void {
  if (key.length === 0) out.text("<empty>");
  let first = true;
  let hasType = false;
  for (const [type, payload] of attributesOf(key)) {
    const slot = SLOT_OF_TYPE[type] ?? -1;
    hasType ||= slot === S.SLOT_ETHERTYPE;
    const own = typeof masks === "string" ? masks : payloadOf(masks, type);
    const mask = own ?? "wild";
    // OVS does not say whether an unknown attribute is wildcarded or exact.
    const spec = KEY_BY_SLOT[slot];
    const isKnown = spec?.shown === true;
    const isWild = mask === "wild" || (mask !== "exact" && isKnown && isZeros(mask));
    // A nest is always printed, whatever its mask.
    if (style.verbose || !isWild || spec?.nested === true) {
      if (!first) out.byte(COMMA);
      printOdpAttribute(out, type, payload, mask, style);
      first = false;
    } else if (slot === S.SLOT_ETHERNET) {
      // It does not count as a field: the next one has no comma before it.
      if (!first) out.byte(COMMA);
      out.text("eth()");
    }
  }
  if (hasType || typeof masks === "string") return;
  const mask = payloadOf(masks, OVS_KEY_ATTR_ETHERTYPE);
  if (mask === undefined) return;
  out.text(",eth_type(0/0x");
  out.hexBytes(mask, 0, mask.length);
  out.byte(CLOSE);
}

/** Prints one attribute, `name(…)` (`format_odp_key_attr`). */
export function printOdpAttribute(
  out: TextSink,
  type: number,
  payload: Uint8Array,
  mask: OdpMask,
  style: OdpStyle,
): void {
  const slot = SLOT_OF_TYPE[type] ?? -1;
  const spec = KEY_BY_SLOT[slot];
  const isWhole =
    (slot < 0 || isWellSized(slot, payload.length)) && isMaskOf(mask, slot, payload.length);
  if (!spec?.shown || !isWhole) {
    printUnknown(out, type, payload, mask);
    return;
  }
  out.text(spec.name);
  out.byte(OPEN);
  if (slot === S.SLOT_ENCAP) {
    // An empty mask counts as no mask.
    const inner = mask !== "wild" && mask.length === 0 ? "exact" : mask;
    if (payload.length > 0) printOdpKey(out, payload, inner, { ...style, ports: undefined });
  } else if (slot === S.SLOT_TUNNEL) printOdpTunnel(out, payload, mask, style.verbose);
  else if (slot === S.SLOT_NSH) printOdpNsh(out, payload, mask);
  else if (slot === S.SLOT_MPLS) {
    // Like OVS, leaves the parenthesis open after an invalid stack.
    if (!printOdpMpls(out, payload, mask)) return;
  } else if (slot === S.SLOT_VLAN) printOdpVlan(out, payload, mask, style.verbose);
  else if (slot === S.SLOT_IN_PORT && (mask === "exact" || (mask !== "wild" && isOnes(mask)))) {
    printOdpPort(out, u32At(payload, 0), style.ports);
  } else printPlain(out, slot, payload, mask, style);
  out.byte(CLOSE);
}

/** The masks of nests and stacks are checked where they are printed. */
function isMaskOf(mask: OdpMask, slot: number, size: number): boolean {
  return (
    KEY_BY_SLOT[slot]?.nested === true ||
    slot === S.SLOT_MPLS ||
    typeof mask === "string" ||
    mask.length === size
  );
}

/** Prints a struct or a single value as millrace does. */
function printPlain(
  out: TextSink,
  slot: number,
  payload: Uint8Array,
  mask: OdpMask,
  style: OdpStyle,
): void {
  WORK.set(payload);
  if (typeof mask === "string") WORK.fill(mask === "exact" ? 0xff : 0, MASK_AT);
  else WORK.set(mask, MASK_AT);
  // Drops bits that are not flags.
  if (slot === S.SLOT_TCP_FLAGS) WORK[MASK_AT]! &= 0x0f;
  const spec = KEY_BY_SLOT[slot];
  const [field] = spec?.fields ?? [];
  if (spec?.form === "single" && field !== undefined) {
    printField(out, field, WORK, 0, MASK_AT, style);
    return;
  }
  // OVS can only print exact masks of frag. A partial one is left out, and reported after the other
  // fields.
  const frag = spec?.fields.find(({ kind }) => kind === "frag");
  const fragAt = frag === undefined ? 0 : MASK_AT + frag.offset;
  const partial = frag === undefined || WORK[fragAt] === 0xff ? 0 : WORK[fragAt]!;
  if (partial !== 0) WORK[fragAt] = 0;
  const start = out.length;
  FIELDS_OF_SLOT[slot]?.print(out, WORK, 0, MASK_AT, style);
  if (partial === 0) return;
  if (out.length > start) out.byte(COMMA);
  out.text(`error: partial mask not supported for frag (0x${partial.toString(16)})`);
}

function printUnknown(out: TextSink, type: number, payload: Uint8Array, mask: OdpMask): void {
  out.text("key");
  out.dec(type);
  out.byte(OPEN);
  printBytes(out, payload, 0, payload.length);
  const bits = mask === "wild" ? new Uint8Array(payload.length) : mask;
  if (bits !== "exact") {
    out.byte(SLASH);
    printBytes(out, bits, 0, bits.length);
  }
  out.byte(CLOSE);
}

/** The longest payload that {@link printPlain} takes, an IPv6 header or its tuple, is shorter. */
const MASK_AT = 64;
const WORK = new Uint8Array(2 * MASK_AT);
