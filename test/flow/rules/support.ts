import { parseActions } from "../../../src/flow/action/parse.ts";
import { normalize } from "../../../src/flow/key/normal-form.ts";
import { parseKey } from "../../../src/flow/key/parse.ts";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { ALL_FEATURES, type KernelFeatures } from "../../../src/flow/rules/features.ts";
import type { Refusal } from "../../../src/flow/rules/refusal.ts";
import { validateFlow } from "../../../src/flow/rules/validate.ts";
import { Cursor } from "../../../src/flow/text/cursor.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";

const WRITER = new AttributeWriter(new PinnedMemory(1 << 17));
const RECORD = new KeyRecord();

/** The verdict on a flow of the text `KEY ACTIONS`. */
export function verdict(
  line: string,
  features: KernelFeatures = ALL_FEATURES,
): Refusal | undefined {
  const bytes = new TextEncoder().encode(line);
  const cursor = new Cursor().reset(bytes, 0, bytes.length, 1);
  parseKey(cursor, RECORD.clear());
  normalize(RECORD);
  WRITER.reset(0, WRITER.memory.size);
  parseActions(cursor, WRITER);
  const actions = { start: 0, end: WRITER.position };
  return validateFlow(RECORD, { bytes: WRITER.memory.u8, actions }, features);
}
