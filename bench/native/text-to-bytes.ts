import { FlowLineEncoder } from "../../src/flow/line.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";

/** The number of lines, the first of the sample. */
export const TEXT_FLOWS = 200_000;
/** Passes before the measured one, after which the code is compiled. */
const WARM_PASSES = 3;
const NEWLINE = 10;
const ROOM = 4096;

/** Encodes the sample's lines with UFIDs, on this thread, into memory that stays warm. */
function textToBytes(): { flows: number; seconds: number } {
  const text = new TextEncoder().encode(
    Array.from({ length: TEXT_FLOWS }, (_, i) => `${sampleLine(i)}\n`).join(""),
  );
  const encoder = new FlowLineEncoder({ ufid: true });
  const memory = new PinnedMemory(1 << 18);
  const writer = new AttributeWriter(memory);
  let seconds = 0;
  for (let pass = 0; pass <= WARM_PASSES; pass++) {
    const before = Bun.nanoseconds();
    encodeAll(text, encoder, writer, memory.size);
    seconds = (Bun.nanoseconds() - before) / 1e9;
  }
  return { flows: TEXT_FLOWS, seconds };
}

function encodeAll(
  bytes: Uint8Array,
  encoder: FlowLineEncoder,
  writer: AttributeWriter,
  size: number,
): void {
  writer.reset(0, size);
  for (let start = 0, line = 1; ; line++) {
    const end = bytes.indexOf(NEWLINE, start);
    if (end < 0) return;
    encoder.encode(bytes, start, end, line, writer);
    if (writer.position > size - ROOM) writer.reset(0, size);
    start = end + 1;
  }
}

// Run in a separate process, so that code compiled for other work has no influence.
if (import.meta.main) console.log(JSON.stringify(textToBytes()));
