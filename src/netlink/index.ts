/**
 * The netlink engine alone (`millrace/netlink`): for any protocol, with nothing specific to Open
 * vSwitch.
 */
export { AttributeReader, decodeString, NLA_TYPE_MASK } from "./attribute-reader.ts";
export { AttributeWriter, NLA_HEADER, NLA_PAYLOAD_MAX } from "./attribute-writer.ts";
export { Batch, MessageState } from "./batch.ts";
export { type GenericRequest, NetlinkChannel, type Reply } from "./channel.ts";
export { type ExtendedAck, NetlinkError } from "./errors.ts";
export { findFamily, type GenericFamily } from "./family.ts";
export { GENL_HEADER, MessageReader, NLMSG_HEADER, putGenericHeader, putWord } from "./message.ts";
export { SocketPool } from "./pool.ts";
export { type OnReply, type Request, Requester } from "./request.ts";
export { NetlinkSocket } from "./socket.ts";
export {
  type AckMode,
  type Packing,
  Transactor,
  type TransactorCounters,
  type Transport,
} from "./transactor.ts";
