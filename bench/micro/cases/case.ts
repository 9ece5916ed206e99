import { FlowLineEncoder, type FlowLineOptions } from "../../../src/flow/line.ts";
import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";

/** One measured case. */
export type MicroCase = {
  readonly group: string;
  readonly name: string;
  /** The name of a unit of work: a flow, an attribute, a call. */
  readonly unit: string;
  /** How many units a run does. */
  readonly count: number;
  /** Does the work. @returns a value that depends on all of it, as a proof */
  readonly run: () => number;
};

/** Bytes of the reused memory: an arena that stays in the cache. */
const ARENA = 1 << 18;
const FLOW_MAX = 4096;

/** Attributes of flows, back to back in one arena; writing restarts when the arena is full. */
export class Arena {
  readonly writer: AttributeWriter = new AttributeWriter(new PinnedMemory(ARENA));
  /** Bytes written in total. */
  bytes = 0;

  /** Counts the written bytes and makes room for a flow. */
  next(): void {
    if (this.writer.position < ARENA - FLOW_MAX) return;
    this.bytes += this.writer.position;
    this.writer.reset(0, ARENA);
  }

  /** @returns bytes written since the last time */
  take(): number {
    const all = this.bytes + this.writer.position;
    this.bytes = 0;
    this.writer.reset(0, ARENA);
    return all;
  }
}

/** The attributes of lines, and the beginning of each; the last number is the end. */
export function encodeLines(
  lines: readonly string[],
  options: FlowLineOptions,
): { bytes: Uint8Array; starts: Int32Array } {
  const writer = new AttributeWriter(new PinnedMemory(lines.length * FLOW_MAX));
  const encoder = new FlowLineEncoder(options);
  const starts = new Int32Array(lines.length + 1);
  for (const [i, line] of lines.entries()) {
    const bytes = new TextEncoder().encode(line);
    encoder.encode(bytes, 0, bytes.length, i + 1, writer);
    starts[i + 1] = writer.position;
  }
  return { bytes: writer.memory.u8.slice(0, writer.position), starts };
}
