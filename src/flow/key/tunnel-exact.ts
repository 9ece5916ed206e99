import { areBytesExact, type Field, getField, isFieldExact, readContainer } from "../text/field.ts";
import { isGeneveExact } from "./geneve.ts";
import { keyOffset, type KeyRecord, maskOffset } from "./record.ts";
import { SLOT_TUNNEL } from "./slots.ts";
import * as T from "./tunnel-fields.ts";

// Whether all parts of a tunnel are matched exactly.

const PARTS: readonly (readonly [number, readonly Field[]])[] = [
  [T.TUNNEL_HAS_FLAGS, [T.TUNNEL_FLAGS_FIELD]],
  [T.TUNNEL_HAS_VXLAN, T.VXLAN_GBP_FIELDS],
];

/**
 * Whether every part of the tunnel is either matched exactly or absent, as set() requires, which
 * has no masks.
 */
export function isTunnelExact(record: KeyRecord): boolean {
  const { bytes } = record;
  const key = keyOffset(0, SLOT_TUNNEL);
  const mask = maskOffset(0, SLOT_TUNNEL);
  const present = readContainer(bytes, key + T.TUNNEL_PRESENT, 4, false);
  for (const [index, { offset, size }] of T.TUNNEL_FIELDS.entries()) {
    if (((present >>> index) & 1) === 1 && !areBytesExact(bytes, key + offset, mask + offset, size))
      return false;
  }
  for (const [bit, fields] of PARTS) {
    if ((present & bit) !== 0 && !fields.every((field) => isFieldExact(field, bytes, key, mask)))
      return false;
  }
  if ((present & T.TUNNEL_HAS_ERSPAN) !== 0) {
    const fields = T.erspanFields(getField(T.ERSPAN_VERSION, bytes, key));
    return [T.ERSPAN_VERSION, ...fields].every((field) => isFieldExact(field, bytes, key, mask));
  }
  if ((present & T.TUNNEL_HAS_GENEVE) === 0) return true;
  const length = readContainer(bytes, key + T.TUNNEL_OPTIONS_LENGTH, 2, false);
  return isGeneveExact(bytes, key + T.TUNNEL_OPTIONS, mask + T.TUNNEL_OPTIONS, length);
}
