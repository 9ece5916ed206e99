import { FlowLineEncoder, type FlowLineOptions } from "../../../src/flow/line.ts";
import type { LineVerb } from "../../../src/flow/line.ts";
import type { TemplateFill } from "../../../src/flow/template.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";
import { encoder as utf8 } from "../harness.ts";

const memory = new PinnedMemory(1 << 16);
const writer = new AttributeWriter(memory);

function written(): string {
  return Buffer.from(memory.u8.subarray(64, writer.position)).toString("hex");
}

/** What a line becomes, encoded on its own. */
export function lineBytes(text: string, options: FlowLineOptions): string {
  const bytes = utf8.encode(text);
  writer.reset(64, memory.size);
  const encoder = new FlowLineEncoder({ ...options, shapes: false });
  encoder.encode(bytes, 0, bytes.length, 1, writer);
  return `${encoder.verb} ${written()}`;
}

/** What each row becomes: its bytes, or why it is refused. */
export function rowBytes(
  fill: TemplateFill,
  options: { ufid?: boolean; mode?: LineVerb; owner?: string } = {},
): string[] {
  const reader = fill.reader(options);
  const all: string[] = [];
  while (reader.fill() === true) {
    while (reader.next()) {
      writer.reset(64, memory.size);
      const good = reader.encode(writer);
      all.push(good ? `${reader.verb} ${written()}` : reader.refusal.reason);
    }
  }
  return all;
}
