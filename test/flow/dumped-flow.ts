import { FlowLineEncoder } from "../../src/flow/line.ts";
import type { FlowParts } from "../../src/flow/parts.ts";
import { AttributeReader } from "../../src/netlink/attribute-reader.ts";
import { AttributeWriter } from "../../src/netlink/attribute-writer.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import * as OVS from "../../src/uapi/openvswitch.ts";
import { encoder as utf8 } from "./harness.ts";

const memory = new PinnedMemory(1 << 16);
const writer = new AttributeWriter(memory);
const NONE = { start: -1, end: -1 };

/** A flow as in a dump, made from a line. */
export function flowOf(text: string, more: Partial<FlowParts> = {}): FlowParts {
  const line = utf8.encode(text);
  writer.reset(0, memory.size);
  new FlowLineEncoder({ ufid: true }).encode(line, 0, line.length, 1, writer);
  const bytes = memory.u8.slice(0, writer.position);
  const ranges = new Map<number, { start: number; end: number }>();
  const reader = new AttributeReader().reset(bytes, 0, bytes.length);
  while (reader.next()) {
    ranges.set(reader.type, { start: reader.start, end: reader.start + reader.length });
  }
  return {
    bytes,
    ufid: ranges.get(OVS.OVS_FLOW_ATTR_UFID) ?? NONE,
    key: ranges.get(OVS.OVS_FLOW_ATTR_KEY) ?? NONE,
    mask: ranges.get(OVS.OVS_FLOW_ATTR_MASK) ?? NONE,
    actions: ranges.get(OVS.OVS_FLOW_ATTR_ACTIONS) ?? NONE,
    packets: 0,
    byteCount: 0,
    usedMs: 0,
    tcpFlags: 0,
    ...more,
  };
}
