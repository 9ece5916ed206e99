import type { PinnedMemory } from "../sys/memory.ts";
import {
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLMSGERR_ATTR_MISS_TYPE,
  NLMSGERR_ATTR_MSG,
  NLMSGERR_ATTR_OFFS,
} from "../uapi/netlink.ts";
import { align } from "./align.ts";
import { AttributeReader, decodeString } from "./attribute-reader.ts";
import type { ExtendedAck } from "./errors.ts";
import { type MessageReader, NLMSG_HEADER } from "./message.ts";

/**
 * struct nlmsgerr { int error; struct nlmsghdr msg; }, then the request's payload unless
 * NLM_F_CAPPED is set, then attributes if NLM_F_ACK_TLVS is set (netlink_ack in af_netlink.c).
 */
const ERRNO_SIZE = 4;

/**
 * The errno in the NLMSG_ERROR at which `message` stands, positive; 0 is an ack.
 * @returns -1 if the message is too short to hold one.
 */
export function ackErrno(memory: PinnedMemory, message: MessageReader): number {
  if (message.payload + ERRNO_SIZE > message.end) return -1;
  return Math.abs(memory.i32[message.payload >> 2] ?? 0);
}

/**
 * Decodes what the kernel reported besides the errno; undefined if it reported nothing. Allocates.
 */
export function decodeExtendedAck(
  memory: PinnedMemory,
  message: MessageReader,
): ExtendedAck | undefined {
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return undefined;
  const request = message.payload + ERRNO_SIZE;
  if (request + NLMSG_HEADER > message.end) return undefined;
  const echoed =
    (message.flags & NLM_F_CAPPED) === 0 ? (memory.u32[request >> 2] ?? 0) : NLMSG_HEADER;
  const reader = new AttributeReader().reset(memory.u8, request + align(echoed), message.end);
  const said: { message?: string; offset?: number; missingType?: number } = {};
  while (reader.next()) {
    if (reader.type === NLMSGERR_ATTR_MSG) {
      said.message = decodeString(memory.u8, reader.start, reader.start + reader.length);
    } else if (reader.type === NLMSGERR_ATTR_OFFS && reader.length === 4) {
      said.offset = memory.view.getUint32(reader.start, true);
    } else if (reader.type === NLMSGERR_ATTR_MISS_TYPE && reader.length === 4) {
      said.missingType = memory.view.getUint32(reader.start, true);
    }
  }
  return Object.keys(said).length > 0 ? said : undefined;
}
