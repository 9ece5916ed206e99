import { failUserspaceOnly } from "../action/userspace-only.ts";
import type { Cursor } from "../text/cursor.ts";
import { readContainer } from "../text/field.ts";
import type { KeyRecord } from "./record.ts";
import { keyOffset } from "./record.ts";
import {
  LEVELS,
  SLOT_ETHERNET,
  SLOT_ND_EXTENSIONS,
  SLOT_PACKET_TYPE,
  SLOT_TUNNEL,
} from "./slots.ts";
import { TUNNEL_HAS_GTPU, TUNNEL_PRESENT } from "./tunnel-fields.ts";

const USERSPACE_SLOTS = (1 << SLOT_ND_EXTENSIONS) | (1 << SLOT_PACKET_TYPE);

/**
 * Refuses what no kernel matches: nd_ext, gtpu, and a packet type that an Ethernet type cannot say.
 * @param start where the key begins in the line
 * @throws UserspaceOnlyError
 */
export function failUserspaceKey(record: KeyRecord, cursor: Cursor, start: number): void {
  for (let level = 0; level < LEVELS; level++) {
    const present = record.present[level]!;
    if ((present & USERSPACE_SLOTS) === 0) continue;
    if (record.has(level, SLOT_ND_EXTENSIONS)) refuse(cursor, "nd_ext", start);
    if (record.has(level, SLOT_PACKET_TYPE) && !isPlainType(record, level)) {
      refuse(cursor, "packet_type", start);
    }
  }
  if (!record.has(0, SLOT_TUNNEL)) return;
  const tunnel = readContainer(record.bytes, keyOffset(0, SLOT_TUNNEL) + TUNNEL_PRESENT, 4, false);
  if ((tunnel & TUNNEL_HAS_GTPU) !== 0) refuse(cursor, "gtpu", start);
}

/** Ethernet (0,0), or an Ethernet type (1,type) of a packet without Ethernet header. */
function isPlainType(record: KeyRecord, level: number): boolean {
  const at = keyOffset(level, SLOT_PACKET_TYPE);
  const space = readContainer(record.bytes, at, 2, true);
  if (space === 0) return readContainer(record.bytes, at + 2, 2, true) === 0;
  return space === 1 && !record.has(level, SLOT_ETHERNET);
}

function refuse(cursor: Cursor, name: string, start: number): never {
  const text = cursor.slice(start, cursor.end);
  const at = new TextEncoder().encode(text.slice(0, Math.max(0, text.indexOf(`${name}(`)))).length;
  failUserspaceOnly(cursor, name, start + at);
}
