import { AttributeReader, decodeString } from "../netlink/attribute-reader.ts";
import { AttributeWriter } from "../netlink/attribute-writer.ts";
import {
  NLMSG_HEADER,
  putGenericHeader,
  putHeader,
  putWord,
  setLength,
} from "../netlink/message.ts";
import { PinnedMemory } from "../sys/memory.ts";
import { NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from "../uapi/netlink.ts";

// Messages as a kernel reads and writes them.

/** A message that came to the kernel. */
export type Request = {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port id of the socket that it came from. */
  readonly portId: number;
  /** The whole message, a copy. */
  readonly bytes: Uint8Array;
};

/** Payloads of attributes by type; of one that comes twice the last one counts, as in `nla_parse`. */
export type Attributes = ReadonlyMap<number, Uint8Array>;

/** The longest message that is written here: a flow's key, mask and actions, 64 KiB each. */
const MESSAGE_MAX = 256 << 10;
const WRITER = new AttributeWriter(new PinnedMemory(MESSAGE_MAX));

const PART_WRITER = new AttributeWriter(new PinnedMemory(MESSAGE_MAX));

/** Bytes that are written as attributes. `write` must not ask for others meanwhile. */
export function written(write: (writer: AttributeWriter) => void): Uint8Array {
  const writer = PART_WRITER;
  writer.reset(0, MESSAGE_MAX);
  write(writer);
  return writer.memory.u8.slice(0, writer.position);
}

/** What a message of a generic netlink family has before its attributes. */
type GenericHead = {
  readonly type: number;
  readonly flags?: number;
  readonly sequence: number;
  readonly portId: number;
  readonly command: number;
  readonly version: number;
  /** `dp_ifindex` of struct ovs_header, for a family that has it. */
  readonly datapath?: number;
};

/** A message of a generic netlink family. `write` must not make another message meanwhile. */
export function genericMessage(
  { type, flags = 0, sequence, portId, command, version, datapath }: GenericHead,
  write: (writer: AttributeWriter) => void,
): Uint8Array {
  const writer = WRITER;
  writer.reset(0, MESSAGE_MAX);
  putHeader(writer, type, flags);
  putGenericHeader(writer, command, version);
  if (datapath !== undefined) putWord(writer, datapath);
  write(writer);
  const { memory, position } = writer;
  setLength(memory, 0, position);
  memory.u32[2] = sequence;
  memory.u32[3] = portId;
  return memory.u8.slice(0, position);
}

/** NLMSG_ERROR, capped; `errno` 0 is an ack. */
export function errorMessage(request: Request, errno: number): Uint8Array {
  const bytes = new Uint8Array(NLMSG_HEADER + 4 + NLMSG_HEADER);
  putPlainHeader(bytes, NLMSG_ERROR, NLM_F_CAPPED, request);
  new DataView(bytes.buffer).setInt32(NLMSG_HEADER, -errno, true);
  bytes.set(request.bytes.subarray(0, NLMSG_HEADER), NLMSG_HEADER + 4);
  return bytes;
}

/** NLMSG_DONE, which ends a dump. */
export function doneMessage(request: Request, errno: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(NLMSG_HEADER + 4);
  putPlainHeader(bytes, NLMSG_DONE, flags, request);
  new DataView(bytes.buffer).setInt32(NLMSG_HEADER, -errno, true);
  return bytes;
}

/** Marks the first message of a piece of a dump, as `nl_dump_check_consistent` does behind a change. */
export function markInterrupted(piece: Uint8Array): void {
  const view = new DataView(piece.buffer, piece.byteOffset);
  view.setUint16(6, view.getUint16(6, true) | NLM_F_DUMP_INTR, true);
}

function putPlainHeader(bytes: Uint8Array, type: number, flags: number, to: Request): void {
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, flags, true);
  view.setUint32(8, to.sequence, true);
  view.setUint32(12, to.portId, true);
}

const READER = new AttributeReader();

/** The attributes from `start` on; undefined where the bytes are no list of them. */
export function attributesOf(bytes: Uint8Array, start = 0): Attributes {
  const found = new Map<number, Uint8Array>();
  const reader = READER.reset(bytes, start, bytes.length);
  while (reader.next()) {
    found.set(reader.type, bytes.subarray(reader.start, reader.start + reader.length));
  }
  return found;
}

/** A number of 32 bits; undefined where the attribute is not there or too short. */
export function u32Of(attributes: Attributes, type: number): number | undefined {
  const bytes = attributes.get(type);
  if (bytes === undefined || bytes.length < 4) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
}

/** Numbers of 32 bits, one behind the other. */
export function u32List(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length >> 2 }, (_, i) => view.getUint32(i * 4, true));
}

/** Text; undefined where the attribute is not there. */
export function textOf(attributes: Attributes, type: number): string | undefined {
  const bytes = attributes.get(type);
  return bytes === undefined ? undefined : decodeString(bytes, 0, bytes.length);
}
