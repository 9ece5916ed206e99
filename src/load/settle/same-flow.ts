import { sameActions } from "../../flow/action/same.ts";
import { KEYS } from "../../flow/key/table.ts";
import { UFID_SIZE } from "../../flow/key/ufid.ts";
import { type ByteRange, type FlowParts, hashMatch } from "../../flow/parts.ts";
import { OVS_KEY_ATTR_ETHERNET, OVS_KEY_ATTR_TUNNEL } from "../../uapi/openvswitch.ts";

/** Whether two flows match the same packets: key and mask have the same normal form. */
export function sameMatch(sent: FlowParts, held: FlowParts): boolean {
  if (sameAttributes(sent, held, sent.key, held.key)) {
    if (sent.mask.start >= 0 && sameAttributes(sent, held, sent.mask, held.mask)) return true;
  }
  if (!hashMatch(sent, HASHES, 0) || !hashMatch(held, HASHES, UFID_SIZE)) return false;
  const words = HASHES.length / 2;
  for (let i = 0; i < words; i++) if (HASHES[i] !== HASHES[words + i]) return false;
  return true;
}

const HASHES = new Int32Array((2 * UFID_SIZE) / 4);

/** Whether two flows do the same with a packet. A flow without actions has nothing to compare. */
export function sameDeeds(sent: FlowParts, held: FlowParts): boolean {
  const { actions: one } = sent;
  const { actions: other } = held;
  if (one.start < 0 || other.start < 0) return one.start < 0;
  return sameActions(sent.bytes, one.start, one.end, held.bytes, other.start, other.end);
}

/** The offset of the payload of each attribute of a list, by type; 0 for none. */
const PLACES = new Int32Array(64);

/**
 * Nested lists, and one attribute whose length has a meaning: their bytes may differ although they
 * mean the same.
 */
const NESTED: ReadonlySet<number> = new Set(
  KEYS.filter(({ nested, form }) => nested || form === "mpls").map(({ type }) => type),
);

/**
 * Whether two lists of plain attributes hold the same bytes, apart from additional attributes of
 * zeros in `held`: a kernel dumps unmatched attributes as zero. It recognizes most equal flows and
 * never errs; a list that it cannot judge counts as different.
 */
function sameAttributes(
  sent: FlowParts,
  held: FlowParts,
  own: ByteRange,
  theirs: ByteRange,
): boolean {
  const { bytes } = sent;
  PLACES.fill(0);
  let left = 0;
  for (let at = own.start; at + 4 <= own.end; left++) {
    const length = bytes[at]! | (bytes[at + 1]! << 8);
    const type = bytes[at + 2]! | (bytes[at + 3]! << 8);
    if (length < 4 || type >= PLACES.length) return false;
    PLACES[type] = at + 4;
    at += (length + 3) & ~3;
  }
  const found = held.bytes;
  for (let at = theirs.start; at + 4 <= theirs.end;) {
    const length = found[at]! | (found[at + 1]! << 8);
    const type = found[at + 2]! | (found[at + 3]! << 8);
    if (length < 4 || at + length > theirs.end || type >= PLACES.length) return false;
    const place = PLACES[type]!;
    if (place === 0) {
      if (NESTED.has(type)) {
        // A kernel also dumps the mask of an unmatched tunnel.
        const isTunnelMask = type === OVS_KEY_ATTR_TUNNEL && theirs === held.mask;
        if (!isTunnelMask || !isZeroNest(found, at + 4, at + length)) return false;
        at += (length + 3) & ~3;
        continue;
      }
      for (let i = 4; i < length; i++) if (found[at + i] !== 0) return false;
      // The presence of an Ethernet header is matched, whatever its addresses: only the key tells.
      if (type === OVS_KEY_ATTR_ETHERNET && theirs === held.key) return false;
    } else {
      if ((bytes[place - 4]! | (bytes[place - 3]! << 8)) !== length) return false;
      for (let i = 4; i < length; i++) if (found[at + i] !== bytes[place + i - 4]) return false;
      left--;
    }
    at += (length + 3) & ~3;
  }
  return left === 0;
}

/** Whether all attributes in a nest are zeros. */
function isZeroNest(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at + 4 <= end;) {
    const length = bytes[at]! | (bytes[at + 1]! << 8);
    if (length < 4 || at + length > end) return false;
    for (let i = 4; i < length; i++) if (bytes[at + i] !== 0) return false;
    at += (length + 3) & ~3;
  }
  return true;
}
