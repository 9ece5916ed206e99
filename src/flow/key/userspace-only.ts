import type { Cursor } from "../text/cursor.ts";
import { readContainer } from "../text/field.ts";
import { failUserspaceOnly } from "../userspace-only.ts";
import { keyOffset, type KeyRecord } from "./record.ts";
import { SLOT_ETHERNET, SLOT_PACKET_TYPE } from "./slots.ts";

/**
 * Refuses what no kernel matches: nd_ext, gtpu, and a packet type that an Ethernet type cannot
 * express.
 * @param record the key parsed from the cursor's line
 * @throws UserspaceOnlyError
 */
export function failUserspaceKey(record: KeyRecord, cursor: Cursor): void {
  if (record.userspace.length === 0) return;
  for (const { name, kind, level, at } of record.userspace) {
    if (name === "packet_type" && isPlainType(record, level)) continue;
    failUserspaceOnly(cursor, name, kind, at);
  }
}

/**
 * Whether the packet type is Ethernet (0,0), or the Ethernet type (1,type) of a packet without an
 * Ethernet header.
 */
function isPlainType(record: KeyRecord, level: number): boolean {
  const at = keyOffset(level, SLOT_PACKET_TYPE);
  const space = readContainer(record.bytes, at, 2, true);
  if (space === 0) return readContainer(record.bytes, at + 2, 2, true) === 0;
  return space === 1 && !record.has(level, SLOT_ETHERNET);
}
