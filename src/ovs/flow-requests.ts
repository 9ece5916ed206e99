import type { LineVerb } from "../flow/line.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import type { Batch } from "../netlink/batch.ts";
import { NLMSG_HEADER, putGenericHeader, putWord } from "../netlink/message.ts";
import { assert } from "../sys/errors.ts";
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST } from "../uapi/netlink.ts";
import {
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
  OVS_FLOW_FAMILY,
  OVS_FLOW_VERSION,
} from "../uapi/openvswitch.ts";
import type { OvsChannel } from "./channel.ts";
import { OVS_PREFIX } from "./message.ts";
import type { DatapathInfo } from "./datapath.ts";

/**
 * What is done with a flow. `put` creates it or replaces its actions, `add` only creates it, `modify`
 * and `delete` want it there.
 *
 * A put is NEW with NLM_F_CREATE: where a flow is in the way it is EEXIST, and whoever sends it looks
 * which flow that is. Without NLM_F_CREATE the kernel would replace the actions of a flow with a wider
 * mask (`ovs_flow_cmd_new` compares the new key with the masked one that it holds, and no masks). To the
 * kernel `add` is the same request; NLM_F_EXCL tells the two apart here.
 */
export type FlowVerb = LineVerb;

const COMMANDS: Readonly<Record<FlowVerb, readonly [command: number, flags: number]>> = {
  put: [OVS_FLOW_CMD_NEW, NLM_F_REQUEST | NLM_F_CREATE],
  add: [OVS_FLOW_CMD_NEW, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL],
  modify: [OVS_FLOW_CMD_SET, NLM_F_REQUEST],
  delete: [OVS_FLOW_CMD_DEL, NLM_F_REQUEST],
};

const UFID_BYTES_MAX = 16;

/** Frames the requests of one load: to one family of one kernel, for one datapath. */
export class FlowMessages {
  readonly #family: number;
  readonly #datapath: number;

  /** @param family number of ovs_flow; @param datapath its dp_ifindex */
  constructor(family: number, datapath: number) {
    this.#family = family;
    this.#datapath = datapath;
  }

  /** Begins a message in `batch`; the caller appends UFID, KEY, MASK and ACTIONS to its writer. */
  begin(batch: Batch): void {
    batch.begin(this.#family, NLM_F_REQUEST);
    putGenericHeader(batch.writer, OVS_FLOW_CMD_NEW, OVS_FLOW_VERSION);
    putWord(batch.writer, this.#datapath);
  }

  /**
   * Ends the message begun last, as the request for `verb`: a line names its verb only when it is read.
   * @returns false where it did not fit; see {@link Batch.commit}
   * @throws AssertionError for a delete that names no flow: the kernel would flush the datapath
   */
  commit(batch: Batch, verb: FlowVerb, tag: number): boolean {
    if (batch.writer.failed) return false;
    if (verb === "delete") {
      assert(namesOneFlow(batch), "a delete without a key and without a UFID would flush");
    }
    const [command, flags] = COMMANDS[verb];
    const start = batch.bytes >> 2;
    const { u32 } = batch.memory;
    u32[start + 1] = (this.#family | (flags << 16)) >>> 0;
    u32[start + 4] = command | (OVS_FLOW_VERSION << 8);
    return batch.commit(tag);
  }

  /**
   * Keeps messages that were put ready-made at the end of `batch`, back to back: as {@link commit} makes
   * them for family 0 and datapath 0, each of which names one flow. They are stamped where they lie.
   * @param bytes of all of them; the batch has room for as many
   * @param verb of those that put
   * @param tag what their sequence numbers are added to, to become their tags
   */
  commitReady(batch: Batch, bytes: number, verb: FlowVerb, tag: number): void {
    const first = batch.count;
    batch.commitReady(bytes, tag);
    const [command, flags] = COMMANDS[verb];
    const { memory, starts, tags } = batch;
    stampReady(
      memory.u32,
      starts,
      tags,
      first,
      batch.count,
      (this.#family | (flags << 16)) >>> 0,
      command | (OVS_FLOW_VERSION << 8),
      this.#family,
      this.#datapath,
      tag,
    );
  }
}

const [PUT_COMMAND, PUT_FLAGS] = COMMANDS.put;
const PUT_TYPE = PUT_FLAGS << 16;
const PUT_GENERIC = PUT_COMMAND | (OVS_FLOW_VERSION << 8);

// Free, and of numbers alone: the path of compiled flows goes through here.
function stampReady(
  u32: Uint32Array,
  starts: Uint32Array,
  tags: Float64Array,
  first: number,
  end: number,
  type: number,
  generic: number,
  family: number,
  datapath: number,
  tag: number,
): void {
  for (let i = first; i < end; i++) {
    const at = starts[i]! >> 2; // i < count <= capacity
    if (u32[at + 1] === PUT_TYPE && u32[at + 4] === PUT_GENERIC) {
      u32[at + 1] = type;
      u32[at + 4] = generic;
    } else {
      u32[at + 1] = u32[at + 1]! | family;
    }
    tags[i] = tag + u32[at + 2]!;
    u32[at + 3] = 0;
    u32[at + 5] = datapath;
  }
}

/**
 * Whether the message being written begins with a UFID of 1 to 16 bytes, or with a key. A longer
 * UFID counts as none (ovs_nla_get_ufid in flow_netlink.c), and a DEL without both is a flush
 * (ovs_flow_cmd_del in datapath.c).
 */
function namesOneFlow(batch: Batch): boolean {
  const { memory, writer } = batch;
  const start = batch.bytes + NLMSG_HEADER + OVS_PREFIX;
  if (writer.position < start + 8) return false;
  const header = memory.u32[start >> 2] ?? 0;
  const type = header >>> 16;
  const length = (header & 0xffff) - 4;
  if (type === OVS_FLOW_ATTR_UFID) return length >= 1 && length <= UFID_BYTES_MAX;
  return type === OVS_FLOW_ATTR_KEY && length > 0;
}

/** The family number that the messages of a batch were stamped with. */
export function familyOf(batch: Batch): number {
  return (batch.memory.u32[((batch.starts[0] ?? 0) >> 2) + 1] ?? 0) & 0xffff;
}

/** The command of message `index` of a batch, OVS_FLOW_CMD_NEW and so on. */
export function commandOf(batch: Batch, index: number): number {
  return (batch.memory.u32[((batch.starts[index] ?? 0) >> 2) + 4] ?? 0) & 0xff;
}

/** The verb of message `index` of a batch that {@link FlowMessages} framed. */
export function verbOf(batch: Batch, index: number): FlowVerb {
  const command = commandOf(batch, index);
  const flags = (batch.memory.u32[((batch.starts[index] ?? 0) >> 2) + 1] ?? 0) >>> 16;
  if (command === OVS_FLOW_CMD_DEL) return "delete";
  if (command === OVS_FLOW_CMD_SET) return "modify";
  return (flags & NLM_F_EXCL) === 0 ? "put" : "add";
}

/** Sends one flow and waits for its ack; `write` appends its attributes. @throws NetlinkError */
export function sendFlow(
  channel: OvsChannel,
  datapath: DatapathInfo,
  verb: FlowVerb,
  write: (writer: AttributeWriter) => void,
): void {
  const [command, flags] = COMMANDS[verb];
  channel.transact({
    family: OVS_FLOW_FAMILY,
    version: OVS_FLOW_VERSION,
    command,
    flags,
    datapath: datapath.index,
    doing: `loading a flow into ${datapath.name}`,
    write,
  });
}
