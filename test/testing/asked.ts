import { AttributeReader } from "../../src/netlink/attribute-reader.ts";
import { Batch } from "../../src/netlink/batch.ts";
import {
  MessageReader,
  putGenericHeader,
  putWord,
  setSequence,
} from "../../src/netlink/message.ts";
import type { NetlinkSocket } from "../../src/netlink/socket.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { deleteCtLimits } from "../../src/ovs/ct-limit.ts";
import { createDatapath, deleteDatapath, listDatapaths } from "../../src/ovs/datapath.ts";
import { MSG_DONTWAIT } from "../../src/sys/libc.ts";
import { PinnedMemory } from "../../src/sys/memory.ts";
import { MessageVector } from "../../src/sys/vectors.ts";
import type { NetlinkKernel } from "../../src/netlink/kernel.ts";
import * as N from "../../src/uapi/netlink.ts";
import * as A from "../../src/uapi/openvswitch.ts";
import { readExactKey } from "../../src/testing/flow-match.ts";
import type { MemoryKernel } from "../../src/testing/index.ts";
import { attributesOf } from "../../src/testing/wire.ts";
import type { Operation } from "./operations.ts";

/* What a kernel says to requests, in words that are the same for kernels that agree. */

const SLOT = 64 << 10;
const SLOTS = 32;
const MISSING = 0x7ff0;
const NAME = "model0";
const PADDING: Readonly<Record<string, number>> = {
  [A.OVS_DATAPATH_FAMILY]: A.OVS_DP_ATTR_PAD,
  [A.OVS_VPORT_FAMILY]: A.OVS_VPORT_ATTR_PAD,
  [A.OVS_FLOW_FAMILY]: A.OVS_FLOW_ATTR_PAD,
  [A.OVS_METER_FAMILY]: A.OVS_METER_ATTR_PAD,
};
const GROUPS = [A.OVS_FLOW_FAMILY, A.OVS_VPORT_FAMILY, A.OVS_DATAPATH_FAMILY];

/** A kernel that is asked, with a datapath of the test's own and a listener to all that changes. */
export class Asked implements Disposable {
  readonly #channel: OvsChannel;
  readonly #socket: NetlinkSocket;
  readonly #listener: NetlinkSocket;
  readonly #batch = new Batch(64, 1 << 20);
  readonly #memory = new PinnedMemory(SLOT * SLOTS);
  readonly #vector = new MessageVector(SLOTS);
  readonly #reader = new MessageReader(this.#memory);
  readonly #index: number;
  readonly #names = new Map<number, string>();

  constructor(kernel?: NetlinkKernel) {
    this.#channel = new OvsChannel(undefined, kernel);
    for (const { name } of listDatapaths(this.#channel)) deleteDatapath(this.#channel, name);
    // They belong to no datapath, and outlive all.
    deleteCtLimits(this.#channel, ["default", 0]);
    this.#index = createDatapath(this.#channel, NAME).index;
    this.#socket = this.#channel.openSocket();
    this.#listener = this.#channel.openSocket();
    for (let i = 0; i < SLOTS; i++) this.#vector.set(i, this.#memory.address + i * SLOT, SLOT);
    for (const family of [...GROUPS, A.OVS_METER_FAMILY, A.OVS_CT_LIMIT_FAMILY]) {
      this.#names.set(this.#channel.family(family).id, family);
    }
    for (const family of GROUPS) {
      for (const group of this.#channel.family(family).groups.values()) this.#listener.join(group);
    }
  }

  /** Sends requests in one datagram. @returns what comes back, and what is told to all */
  ask(operations: readonly Operation[]): string[] {
    const batch = this.#batch;
    batch.clear();
    const sequence = this.#socket.takeSequences(operations.length);
    for (const [i, operation] of operations.entries()) {
      const { family, command, flags, datapath, attributes } = operation;
      const { id, version } = this.#channel.family(family);
      batch.begin(id, N.NLM_F_REQUEST | N.NLM_F_ACK | flags);
      putGenericHeader(batch.writer, command, version);
      putWord(batch.writer, datapath === "own" ? this.#index : datapath === "none" ? 0 : MISSING);
      const at = batch.writer.position;
      batch.memory.u8.set(attributes, at);
      batch.writer.position = at + attributes.length;
      batch.commit(i);
      setSequence(batch.memory, batch.starts[i] ?? 0, (sequence + i) >>> 0);
    }
    this.#socket.send(batch.memory.address, batch.bytes);
    const said: string[] = [];
    let open = operations.length;
    while (open > 0) {
      const read = this.#read(this.#socket, said, sequence);
      if (read < 0) break;
      open -= read;
    }
    const told: string[] = [];
    while (this.#read(this.#listener, told, 0) >= 0);
    // A dump has no order.
    return [...sortedDumps(said), "told:", ...told];
  }

  [Symbol.dispose](): void {
    this.#socket.close();
    this.#listener.close();
    for (const { name } of listDatapaths(this.#channel)) deleteDatapath(this.#channel, name);
    this.#channel[Symbol.dispose]();
  }

  // Returns how many requests were answered to their end; -1 where nothing was read.
  #read(socket: NetlinkSocket, into: string[], sequence: number): number {
    const received = socket.recvmmsg(this.#vector.addressOf(0), SLOTS, MSG_DONTWAIT);
    if (received <= 0) return -1;
    let ends = 0;
    for (let slot = 0; slot < received; slot++) {
      const reader = this.#reader.reset(slot * SLOT, this.#vector.lengthOf(slot));
      while (reader.next()) {
        const isEnd = reader.type === N.NLMSG_ERROR || reader.type === N.NLMSG_DONE;
        if (isEnd) ends++;
        const number = sequence === 0 ? "" : `${(reader.sequence - sequence) >>> 0} `;
        into.push(number + (isEnd ? this.#end(reader) : this.#message(reader)));
      }
    }
    return ends;
  }

  #end({ type, payload }: MessageReader): string {
    return `${type === N.NLMSG_DONE ? "done" : "error"} ${this.#memory.i32[payload >> 2]}`;
  }

  #message({ type, flags, payload, end }: MessageReader): string {
    const { u8, view } = this.#memory;
    const family = this.#names.get(type) ?? String(type);
    const index = view.getInt32(payload + 4, true);
    const words = [
      family,
      flags,
      u8[payload],
      u8[payload + 1],
      index === this.#index ? "own" : index === 0 ? "none" : "other",
    ];
    const reader = new AttributeReader().reset(u8, payload + 8, end);
    while (reader.next()) {
      const bytes = u8.slice(reader.start, reader.start + reader.length);
      // A kernel aligns counters where its processor wants them aligned.
      if (reader.type === PADDING[family]) continue;
      words.push(`${reader.type}=${mended(family, reader.type, bytes)}`);
    }
    return words.join(" ");
  }
}

/** What two kernels say differently that agree: numbers of interfaces, memory, times. */
function mended(family: string, type: number, bytes: Uint8Array): string {
  if (family === A.OVS_VPORT_FAMILY) {
    if (type === A.OVS_VPORT_ATTR_IFINDEX || type === A.OVS_VPORT_ATTR_STATS) return "-";
  } else if (family === A.OVS_METER_FAMILY) {
    if (type === A.OVS_METER_ATTR_USED || type === A.OVS_METER_ATTR_MAX_METERS) return "-";
  } else if (family === A.OVS_DATAPATH_FAMILY) {
    if (type === A.OVS_DP_ATTR_STATS) return bytes.subarray(24, 32).toHex();
    if (type === A.OVS_DP_ATTR_MEGAFLOW_STATS) return bytes.subarray(8, 12).toHex();
  }
  return bytes.toHex();
}

function sortedDumps(said: readonly string[]): string[] {
  const isOfDump = (line: string): boolean =>
    line.includes(`${A.OVS_FLOW_FAMILY} ${N.NLM_F_MULTI} `);
  const dumped = said.filter(isOfDump).sort();
  return said.map((line) => (isOfDump(line) ? (dumped.shift() ?? "") : line));
}

/**
 * Whether the answer to a request is the kernel's to choose: where a NEW that may change a flow finds several, the order
 * of its masks says which, and that changes as they are used (`ovs_flow_masks_rebalance`).
 */
export function isOpen(
  { datapaths }: MemoryKernel,
  { family, command, flags, attributes }: Operation,
): boolean {
  if (!mayChange({ family, command, flags })) return false;
  const key = attributesOf(attributes).get(A.OVS_FLOW_ATTR_KEY);
  const exact = key && readExactKey(key);
  const table = datapaths.byName(NAME)?.table;
  return exact !== undefined && table !== undefined && table.lookUpAll(exact).length > 1;
}

/** A NEW that changes what it finds. */
export function mayChange({
  family,
  command,
  flags,
}: Pick<Operation, "family" | "command" | "flags">): boolean {
  const creates = (flags & (N.NLM_F_CREATE | N.NLM_F_EXCL)) !== 0;
  return family === A.OVS_FLOW_FAMILY && command === A.OVS_FLOW_CMD_NEW && !creates;
}
