import { isZero } from "../bytes.ts";
import { readContainer, writeContainer } from "../text/field.ts";
import { keyOffset, type KeyRecord, maskOffset } from "./record.ts";
import { SLOT_TUNNEL } from "./slots.ts";
import * as T from "./tunnel-fields.ts";

/**
 * Turns the tunnel into what the kernel keeps (`ip_tun_from_nlattr`): values are masked, wildcarded
 * fields absent. The flag `key` follows from the tunnel id. The kernel requires a time to live and
 * a nonzero destination, so both stay even if wildcarded; a destination that masking made zero
 * becomes all the bits outside its mask.
 */
export function normalizeTunnel(record: KeyRecord): void {
  const key = keyOffset(0, SLOT_TUNNEL);
  const mask = maskOffset(0, SLOT_TUNNEL);
  const bytes = record.bytes;
  let present = readContainer(bytes, key + T.TUNNEL_PRESENT, 4, false);
  normalizeFlags(bytes, key, mask, present);
  for (let i = T.TUNNEL_FIELDS_START; i < T.TUNNEL_SIZE; i++) {
    bytes[key + i] = bytes[key + i]! & bytes[mask + i]!;
  }
  for (let index = 1; index < T.TUNNEL_FIELDS.length; index++) {
    const bit = 1 << index;
    if ((present & bit) === 0 || bit === T.TUNNEL_HAS_TTL) continue;
    const field = T.TUNNEL_FIELDS[index]!;
    if (bit === T.TUNNEL_HAS_DST || bit === T.TUNNEL_HAS_DST6) {
      fillDestination(bytes, key + field.offset, mask + field.offset, field.size);
    } else if (isZero(bytes, mask + field.offset, field.size)) {
      present &= ~bit;
    }
  }
  if (isZero(bytes, mask + T.TUNNEL_FLAGS, 1)) present &= ~T.TUNNEL_HAS_FLAGS;
  else present |= T.TUNNEL_HAS_FLAGS;
  if (isZero(bytes, mask + T.TUNNEL_GBP, 4)) present &= ~T.TUNNEL_HAS_VXLAN;
  writeContainer(bytes, key + T.TUNNEL_PRESENT, 4, false, present & ~T.TUNNEL_PLAIN_FLAGS);
}

function normalizeFlags(bytes: Uint8Array, key: number, mask: number, present: number): void {
  const value = bytes[key + T.TUNNEL_FLAGS]!;
  const bits = bytes[mask + T.TUNNEL_FLAGS]!;
  // Only `-key` adds information: there is no tunnel id.
  const signed = (present & T.TUNNEL_PLAIN_FLAGS) === 0;
  if (signed && (present & T.TUNNEL_HAS_ID) === 0 && (value & T.TUNNEL_F_KEY) === 0) return;
  bytes[key + T.TUNNEL_FLAGS] = value & ~T.TUNNEL_F_KEY;
  bytes[mask + T.TUNNEL_FLAGS] = bits & ~T.TUNNEL_F_KEY;
}

function fillDestination(bytes: Uint8Array, key: number, mask: number, size: number): void {
  if (!isZero(bytes, key, size)) return;
  for (let i = 0; i < size; i++) bytes[key + i] = ~bytes[mask + i]! & 0xff;
}
