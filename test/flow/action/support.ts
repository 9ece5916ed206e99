import { AttributeWriter } from "../../../src/netlink/attribute-writer.ts";
import { parseActions } from "../../../src/flow/action/parse.ts";
import { printActions } from "../../../src/flow/action/print.ts";
import type { PortNames } from "../../../src/flow/ports.ts";
import { Cursor } from "../../../src/flow/text/cursor.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";
import { PinnedMemory } from "../../../src/sys/memory.ts";

const WRITER = new AttributeWriter(new PinnedMemory(1 << 18));
const ENCODER = new TextEncoder();

/** The attributes of a list of actions. */
export function encodeActions(text: string, ports?: PortNames): Uint8Array {
  const bytes = ENCODER.encode(text);
  WRITER.reset(0, WRITER.memory.size);
  parseActions(new Cursor().reset(bytes, 0, bytes.length, 1), WRITER, ports);
  return WRITER.memory.u8.slice(0, WRITER.position);
}

/** The text of a list of actions. */
export function actionsText(bytes: Uint8Array, ports?: PortNames): string {
  const sink = new TextSink();
  printActions(sink, bytes, 0, bytes.length, ports);
  return sink.toString();
}

/** Hexadecimal digits of attributes, grouped in words of four bytes. */
export function hex(bytes: Uint8Array): string {
  return (bytes.toHex().match(/.{1,8}/g) ?? []).join(" ");
}

/** Bytes of hexadecimal digits, blanks between them. */
export function unhex(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replaceAll(" ", ""));
}

/** What `run` throws. */
export function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}
