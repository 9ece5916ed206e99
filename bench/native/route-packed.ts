/**
 * Sends pre-encoded routes through millrace's engine. Prints one line of JSON; leaves no routes
 * behind.
 *
 *   bun bench/native/route-packed.ts FILE PER_DATAGRAM BYTES_PER_DATAGRAM DATAGRAMS_PER_CALL
 * each|errors TRANSPORT
 */
import { NetlinkSocket } from "../../src/netlink/socket.ts";
import { NLM_F_CREATE, NLM_F_REQUEST } from "../../src/uapi/netlink.ts";
import { replay } from "../replay.ts";
import { RTM_DELROUTE, RTM_NEWROUTE } from "./route-message.ts";

const NETLINK_ROUTE = 0;

const [file = "", ...words] = process.argv.slice(2);
using socket = new NetlinkSocket(NETLINK_ROUTE);
const flags = (NLM_F_REQUEST | NLM_F_CREATE) << 16;
const report = replay({
  file,
  socket,
  type: (RTM_NEWROUTE | flags) >>> 0,
  datapath: undefined,
  reset: (send) => send((RTM_DELROUTE | flags) >>> 0),
  words,
});
console.log(JSON.stringify(report));
process.exitCode = report.errors === 0 ? 0 : 1;
