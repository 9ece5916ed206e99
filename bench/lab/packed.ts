/**
 * Sends pre-encoded flows through millrace's engine. Prints one line of JSON.
 *
 *   bun bench/lab/packed.ts DATAPATH FILE PER_DATAGRAM BYTES_PER_DATAGRAM DATAGRAMS_PER_CALL
 * each|errors TRANSPORT
 */
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { flushFlows } from "../../src/ovs/flow.ts";
import { NLM_F_REQUEST } from "../../src/uapi/netlink.ts";
import { OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";
import { replay } from "../replay.ts";

const [name = "", file = "", ...words] = process.argv.slice(2);
using channel = new OvsChannel();
const datapath = openDatapath(channel, name);
using socket = channel.openSocket();
const report = replay({
  file,
  socket,
  type: (channel.family(OVS_FLOW_FAMILY).id | (NLM_F_REQUEST << 16)) >>> 0,
  datapath: datapath.index,
  reset: () => flushFlows(datapath),
  words,
});
console.log(JSON.stringify(report));
process.exitCode = report.errors === 0 ? 0 : 1;
