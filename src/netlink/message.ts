import type { PinnedMemory } from "../sys/memory.ts";
import type { AttributeWriter } from "./attribute-writer.ts";

/*
 * The headers of a message:
 * struct nlmsghdr { u32 len; u16 type; u16 flags; u32 seq; u32 pid; }
 * struct genlmsghdr { u8 cmd; u8 version; u16 reserved; }
 */

/** Bytes of a `struct nlmsghdr`. */
export const NLMSG_HEADER = 16;

/** Bytes of a `struct genlmsghdr`. */
export const GENL_HEADER = 4;

/**
 * Writes a netlink header at the writer's position. The length is set when the message is complete,
 * the sequence number when it is sent.
 * @returns the offset of the message, or -1 if it does not fit.
 */
export function putHeader(writer: AttributeWriter, type: number, flags: number): number {
  const start = writer.position;
  if (writer.failed || start + NLMSG_HEADER > writer.limit) {
    writer.failed = true;
    return -1;
  }
  const { u32 } = writer.memory;
  const at = start >> 2;
  u32[at] = NLMSG_HEADER;
  u32[at + 1] = (type | (flags << 16)) >>> 0;
  u32[at + 2] = 0;
  u32[at + 3] = 0;
  writer.position = start + NLMSG_HEADER;
  return start;
}

/** Writes a generic netlink header. */
export function putGenericHeader(writer: AttributeWriter, command: number, version: number): void {
  putWord(writer, command | (version << 8));
}

/**
 * Writes 32 bits in host order outside any attribute: a user header such as `struct ovs_header`.
 */
export function putWord(writer: AttributeWriter, value: number): void {
  const start = writer.position;
  if (writer.failed || start + 4 > writer.limit) {
    writer.failed = true;
    return;
  }
  writer.memory.u32[start >> 2] = value >>> 0;
  writer.position = start + 4;
}

/** Sets the length of the message at `start`, which ends at `end`. */
export function setLength(memory: PinnedMemory, start: number, end: number): void {
  memory.u32[start >> 2] = end - start;
}

/** Adds flags to the message at `start`. */
export function addFlags(memory: PinnedMemory, start: number, flags: number): void {
  const at = (start >> 1) + 3;
  memory.u16[at] = (memory.u16[at] ?? 0) | flags;
}

/** Sets the sequence number of the message at `start`. */
export function setSequence(memory: PinnedMemory, start: number, sequence: number): void {
  memory.u32[(start >> 2) + 2] = sequence;
}

/**
 * Walks the messages in one received datagram without allocating. Input is not trusted: an
 * impossible length ends the walk and sets {@link malformed}.
 */
export class MessageReader {
  type = 0;
  flags = 0;
  sequence = 0;
  /** Offset of the header. */
  start = 0;
  /** Offset of the payload. */
  payload = 0;
  /** Offset of the first byte after the message. */
  end = 0;
  malformed = false;

  readonly #memory: PinnedMemory;
  #position = 0;
  #limit = 0;

  constructor(memory: PinnedMemory) {
    this.#memory = memory;
  }

  /** Restarts the walk at `start` (a multiple of four); it ends before `start + length`. */
  reset(start: number, length: number): this {
    this.#position = start;
    this.#limit = start + length;
    this.malformed = false;
    return this;
  }

  /** Moves to the next message. @returns false at the end, or if the bytes are malformed. */
  next(): boolean {
    const start = this.#position;
    const left = this.#limit - start;
    if (left < NLMSG_HEADER) {
      if (left > 0) this.malformed = true;
      return false;
    }
    const { u32 } = this.#memory;
    const at = start >> 2;
    // Bounds are checked above: a complete header follows `start`.
    const length = u32[at]!;
    if (length < NLMSG_HEADER || length > left) {
      this.malformed = true;
      this.#position = this.#limit;
      return false;
    }
    const typeAndFlags = u32[at + 1]!;
    this.type = typeAndFlags & 0xffff;
    this.flags = typeAndFlags >>> 16;
    this.sequence = u32[at + 2]!;
    this.start = start;
    this.payload = start + NLMSG_HEADER;
    this.end = start + length;
    this.#position = start + ((length + 3) & ~3);
    return true;
  }
}
