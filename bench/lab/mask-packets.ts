/**
 * What packets pay for masks: packets a second by number of masks, and by size of the kernel's mask
 * cache. Prints one line of JSON with a step for each; leaves nothing in the datapath.
 *
 *   bun bench/lab/mask-packets.ts DATAPATH PASSES MASKS,MASKS,… MASKS,MASKS,…      (the second list
 * is measured with caches of several sizes)
 *
 * Packets are executed (OVS_PACKET_CMD_EXECUTE), 1,024 connections in turn, many requests a system
 * call. Their one action is `recirc`: the datapath looks each packet up as one that has arrived, by
 * its cache and then its masks, and the flow that it finds drops it. So neither a driver nor a
 * socket is measured; what a request costs without a look-up is a step of its own.
 */
import { Datapath } from "../../src/datapath.ts";
import { Batch } from "../../src/netlink/batch.ts";
import { putGenericHeader, putWord } from "../../src/netlink/message.ts";
import { Transactor } from "../../src/netlink/transactor.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { NLM_F_REQUEST } from "../../src/uapi/netlink.ts";
import * as A from "../../src/uapi/openvswitch.ts";
import type { Step } from "../model.ts";
import { lookedUpLine } from "../work.ts";

const [name = "", passes = "", all = "", cached = ""] = process.argv.slice(2);
/** Connections; more than the kernel's cache has slots by default, which is 256. */
const PACKETS = 1024;
/** Slots of the cache; the kernel refuses more than 4,096, since they are memory of each CPU. */
const CACHE_SIZES = [0, 256, 1024, 4096] as const;
/** Walking so many masks takes about as long as the rest of a packet. */
const MASKS_OF_A_REQUEST = 64;
const RECIRCULATION = 1;
const IN_PORT = 1;

using dp = Datapath.open(name);
using installer = dp.batch();
using channel = new OvsChannel();
const datapath = openDatapath(channel, name);
using socket = channel.openSocket();
const transactor = new Transactor(socket, {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 64,
  bytesPerDatagram: 1 << 20,
});

/** An Ethernet frame with IPv4 and UDP, from 11.0.x.y, where x.y is `source`, to 10.9.0.0. */
function frameFrom(source: number): Uint8Array {
  const frame = new Uint8Array(60);
  const view = new DataView(frame.buffer);
  frame.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
  view.setUint16(12, 0x0800);
  frame.set([0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17, 0, 0], 14);
  view.setUint32(26, 0x0b000000 | source);
  view.setUint32(30, 0x0a090000);
  view.setUint16(34, 1024);
  view.setUint16(36, 53);
  view.setUint16(38, 26);
  return frame;
}

/** The flow that packet `packet` is to find: the packets are spread over all masks. */
function flowOf(packet: number, masks: number): number {
  return masks <= PACKETS ? packet : Math.floor((packet * masks) / PACKETS);
}

function requests(masks: number, recirculates: boolean): Batch {
  const batch = new Batch(PACKETS, PACKETS * 256);
  const { id } = channel.family(A.OVS_PACKET_FAMILY);
  for (let i = 0; i < PACKETS; i++) {
    batch.begin(id, NLM_F_REQUEST);
    const { writer } = batch;
    putGenericHeader(writer, A.OVS_PACKET_CMD_EXECUTE, A.OVS_PACKET_VERSION);
    putWord(writer, datapath.index);
    writer.bytes(A.OVS_PACKET_ATTR_PACKET, frameFrom(flowOf(i, masks)));
    const key = writer.nest(A.OVS_PACKET_ATTR_KEY);
    writer.u32(A.OVS_KEY_ATTR_IN_PORT, IN_PORT);
    writer.endNest(key);
    const actions = writer.nest(A.OVS_PACKET_ATTR_ACTIONS);
    if (recirculates) writer.u32(A.OVS_ACTION_ATTR_RECIRC, RECIRCULATION);
    writer.endNest(actions);
    if (!batch.commit(i)) throw new Error("the requests do not fit");
  }
  return batch;
}

function install(masks: number): void {
  dp.flush();
  for (let flow = 0; flow < Math.max(PACKETS, masks); flow++)
    installer.add(lookedUpLine(flow, masks));
  const [failure] = installer.flush().exceptions;
  if (failure !== undefined) throw new Error(`a flow failed: ${failure.reason}`);
  const { megaflow } = dp.info();
  if (megaflow.masks !== masks) throw new Error(`${megaflow.masks} masks, not ${masks}`);
}

/** A number of packets, and the seconds that they took. */
type Measured = Pick<Step, "flows" | "seconds">;

/** Executes all packets some times: the fewer the masks, the more often. */
function execute(batch: Batch, masks: number): Measured {
  const times = Math.ceil((Number(passes) * MASKS_OF_A_REQUEST) / (MASKS_OF_A_REQUEST + masks));
  const pass = (): void => {
    batch.adopt(PACKETS);
    transactor.execute(batch);
    if (batch.failures > 0) throw new Error(`${batch.failures} packets were refused`);
  };
  pass();
  const startedAt = performance.now();
  for (let i = 0; i < times; i++) pass();
  return { flows: times * PACKETS, seconds: (performance.now() - startedAt) / 1000 };
}

function lookUp(masks: number): Measured {
  const batch = requests(masks, true);
  const { hit } = dp.info().stats;
  const found = execute(batch, masks);
  const hits = dp.info().stats.hit - hit;
  // One pass is not timed.
  if (hits !== found.flows + PACKETS)
    throw new Error(`${hits} of ${found.flows} packets found a flow`);
  return found;
}

function step(id: string, what: string, measured: Measured): Step {
  return { id: `packets-${id}`, name: `millrace, packets ${what}`, ...measured };
}

function masksOf(count: number): string {
  return count === 1 ? "1 mask" : `${count} masks`;
}

function* steps(): Generator<Step> {
  yield step("0", "executed, not looked up", execute(requests(1, false), 1));
  for (const masks of all.split(",").map(Number)) {
    install(masks);
    yield step(`${masks}`, `through ${masksOf(masks)}`, lookUp(masks));
  }
  const { masksCacheSize: usual } = dp.info();
  // Kernels before 5.10 have a cache of fixed size.
  if (usual === undefined) return;
  for (const masks of cached.split(",").map(Number)) {
    install(masks);
    for (const masksCacheSize of CACHE_SIZES) {
      dp.set({ masksCacheSize });
      const what = `through ${masksOf(masks)}, a cache of ${masksCacheSize}`;
      yield step(`${masks}-cache-${masksCacheSize}`, what, lookUp(masks));
    }
    dp.set({ masksCacheSize: usual });
  }
}

const found = [...steps()];
dp.flush();
console.log(JSON.stringify({ seconds: 0, steps: found }));
