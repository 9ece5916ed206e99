import { Batch } from "../../src/netlink/batch.ts";
import { Transactor } from "../../src/netlink/transactor.ts";
import type { DatapathHandle } from "../../src/ovs/datapath.ts";
import { dumpFlows } from "../../src/ovs/flow.ts";
import { NLM_F_REQUEST } from "../../src/uapi/netlink.ts";
import { OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";
import { PackedFile } from "../packed-file.ts";

// Installs pre-encoded flows, without the account of a load.

const BATCH = 4096;
const PACKING = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 1024,
  bytesPerDatagram: 256 << 10,
} as const;

type SendResult = { readonly seconds: number; readonly errors: number };

/**
 * Sends the messages of a packed file, with the commands and flags in it.
 * @returns the seconds from first send to last reply, without reading
 */
export function installPacked(
  datapath: DatapathHandle,
  path: string,
  transactor: Transactor = new Transactor(datapath.channel.openSocket(), PACKING),
): SendResult {
  const family = datapath.channel.family(OVS_FLOW_FAMILY).id;
  const batch = new Batch(BATCH, BATCH * 256);
  using packed = new PackedFile(path);
  let seconds = 0;
  let errors = 0;
  packed.rewind();
  while (packed.position < packed.flows) {
    const length = packed.read(BATCH);
    const { words } = packed;
    for (let at = 0; at < length; at += words[at]! >> 2) {
      const flags = words[at + 1]! >>> 16; // whole messages: the file checks them
      words[at + 1] = (family | ((flags | NLM_F_REQUEST) << 16)) >>> 0;
      words[at + 5] = datapath.index;
    }
    batch.clear();
    batch.memory.u32.set(words.subarray(0, length));
    batch.commitReady(length << 2, 0);
    const before = Bun.nanoseconds();
    transactor.execute(batch);
    seconds += (Bun.nanoseconds() - before) / 1e9;
    errors += batch.failures;
  }
  transactor.socket.close();
  return { seconds, errors };
}

/** Dumps a datapath without printing it. @returns how many flows came */
export function dumpAll(datapath: DatapathHandle): number {
  let flows = 0;
  for (const view of dumpFlows(datapath)) if (view.key.start >= 0) flows++;
  return flows;
}
