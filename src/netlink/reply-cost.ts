import { NLM_F_ACK, NLM_F_REQUEST, NLMSG_NOOP } from "../uapi/netlink.ts";
import { Batch } from "./batch.ts";
import { Receiver } from "./receiver.ts";
import { setSequence } from "./message.ts";
import type { NetlinkSocket } from "./socket.ts";

/**
 * The assumed cost of a waiting reply in `sk_rcvbuf`, in bytes, with NETLINK_CAP_ACK. The truesize
 * of its skb is 768 on Linux 6.1 and 896 on 6.12.
 */
export const REPLY_COST_BYTES = 1024;

const SAMPLE = 8;

/** A measured cost is trusted only within these bounds. */
const COST_MIN = 512;

/**
 * Measures what a waiting reply costs, in bytes: sends messages that do nothing but ask for an ack,
 * looks how much of the receive buffer their acks take, and discards them. The socket must be idle.
 */
export function measureReplyCost(socket: NetlinkSocket): number {
  const batch = new Batch(SAMPLE, 4096);
  const first = socket.takeSequences(SAMPLE);
  for (let i = 0; i < SAMPLE; i++) {
    const start = batch.bytes;
    // A type below NLMSG_MIN_TYPE is only acked (netlink_rcv_skb in af_netlink.c).
    batch.begin(NLMSG_NOOP, NLM_F_REQUEST | NLM_F_ACK);
    batch.commit(0);
    setSequence(batch.memory, start, (first + i) >>> 0);
  }
  if (socket.send(batch.memory.address, batch.bytes) < 0) return REPLY_COST_BYTES;
  const used = socket.receiveBufferUsed();
  const receiver = new Receiver();
  for (let i = 0; i < SAMPLE; i++) receiver.next(socket, 1000);
  const cost = Math.ceil(used / SAMPLE);
  return cost < COST_MIN ? REPLY_COST_BYTES : cost;
}
