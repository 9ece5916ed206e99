import { AttributeReader } from "../netlink/attribute-reader.ts";
import { AttributeWriter } from "../netlink/attribute-writer.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { UFID_SIZE } from "./key/ufid.ts";
import { FlowLineEncoder } from "./line.ts";
import type { FlowIdentity } from "./parts.ts";
import type { PortNames } from "./ports.ts";
import { Cursor } from "./text/cursor.ts";
import { notOneFlow } from "./text/syntax-error.ts";
import { parseUfid, takeUfidWord } from "./text/ufid.ts";

/** The ports that names in a flow's text refer to, and the flow's owner. */
type NameOptions = { readonly ports?: PortNames; readonly owner?: string };

/** Enough for the longest key. */
const KEY_BYTES_MAX = 80 << 10;

/**
 * The possible identities of the flow in `text` (`ufid:UFID`, a key, or a whole line): its UFID,
 * then its key. The kernel finds a flow only by the identity with which it was put.
 * @throws FlowSyntaxError
 */
export function identitiesOf(text: string, options: NameOptions = {}): readonly FlowIdentity[] {
  const line = new TextEncoder().encode(text.trim());
  // A delete without an identity would be a flush.
  if (line.length === 0 || text.trimStart().startsWith("#"))
    throw notOneFlow(text, "a flow: ufid:UUID, or its key");
  const cursor = new Cursor().reset(line, 0, line.length, 1);
  if (takeUfidWord(cursor)) {
    const ufid = new Uint8Array(UFID_SIZE);
    const size = parseUfid(cursor, ufid);
    if (cursor.position === cursor.end) return [{ ufid: ufid.subarray(0, size) }];
  }
  return [{ ufid: payload(line, true, options) }, { key: payload(line, false, options) }];
}

// The attributes of a delete, which carries only the flow's identity.
function payload(line: Uint8Array, ufid: boolean, options: NameOptions): Uint8Array {
  const writer = new AttributeWriter(new PinnedMemory(KEY_BYTES_MAX));
  const encoder = new FlowLineEncoder({ ...options, ufid, mode: "delete" });
  encoder.encode(line, 0, line.length, 1, writer);
  const reader = new AttributeReader().reset(writer.memory.u8, 0, writer.position);
  reader.next();
  return writer.memory.u8.slice(reader.start, reader.start + reader.length);
}
