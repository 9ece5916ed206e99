import { UFID_SIZE } from "../flow/key/ufid.ts";
import type { AttributeWriter } from "../netlink/attribute-writer.ts";
import type { Batch } from "../netlink/batch.ts";
import { NLMSG_HEADER, putGenericHeader, putWord } from "../netlink/message.ts";
import { assert } from "../sys/errors.ts";
import { NLM_F_REQUEST } from "../uapi/netlink.ts";
import {
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_FAMILY,
  OVS_FLOW_VERSION,
} from "../uapi/openvswitch.ts";
import type { DatapathHandle } from "./datapath.ts";
import {
  ATTRIBUTES_AT,
  attributeAt,
  attributeWords,
  COMMANDS,
  DATAPATH_AT,
  type FlowVerb,
  GENERIC_AT,
  nameAt,
  TYPE_AT,
} from "./flow-request.ts";
import { OVS_PREFIX } from "./message.ts";

/**
 * What identifies the flow in a copied request: the request's own identity, its key, or a given
 * UFID.
 */
export type FlowName = "own" | "key" | Uint8Array;

/**
 * Flow requests in a batch, framed for one family of one kernel and one datapath. It owns the
 * batch; the sender clears it.
 */
export class FlowRequests {
  readonly batch: Batch;
  readonly #family: number;
  readonly #datapath: number;

  /** @param family number of ovs_flow; @param datapath its dp_ifindex */
  constructor(family: number, datapath: number, batch: Batch) {
    this.#family = family;
    this.#datapath = datapath;
    this.batch = batch;
  }

  /** Requests to a datapath. @throws MillraceError `NO_MODULE` */
  static to(datapath: DatapathHandle, batch: Batch): FlowRequests {
    return new FlowRequests(datapath.channel.family(OVS_FLOW_FAMILY).id, datapath.index, batch);
  }

  /** Requests of the same family and datapath in another batch. */
  in(batch: Batch): FlowRequests {
    return new FlowRequests(this.#family, this.#datapath, batch);
  }

  /**
   * Begins a request. The batch must not be full.
   * @returns the batch's writer, to which the caller appends UFID, KEY, MASK and ACTIONS
   */
  begin(): AttributeWriter {
    const { batch } = this;
    batch.begin(this.#family, NLM_F_REQUEST);
    putGenericHeader(batch.writer, OVS_FLOW_CMD_NEW, OVS_FLOW_VERSION);
    putWord(batch.writer, this.#datapath);
    return batch.writer;
  }

  /**
   * Ends the current request, with `verb`, which is known only after the line was read.
   * @param tag 1-based line of the input, or number of the flow if there are no lines
   * @returns false if the arena has no room: nothing is kept, and the flow must be encoded again
   * after the batch was sent
   * @throws AssertionError for a delete that identifies no flow: the kernel would flush the
   * datapath
   */
  commit(verb: FlowVerb, tag: number): boolean {
    const { batch } = this;
    if (batch.writer.failed) return false;
    if (verb === "delete") {
      assert(namesOneFlow(batch), "a delete without a key and without a UFID would flush");
    }
    this.#stamp(verb);
    return batch.commit(tag);
  }

  /**
   * Keeps complete requests at the end of the batch, back to back, as {@link commit} makes them for
   * family 0 and datapath 0; each must identify one flow. They are stamped in place.
   * @param bytes the bytes of all of them; the batch has room for as many
   * @param verb the verb of those that put
   * @param tag added to their sequence numbers to give their tags
   */
  commitReady(bytes: number, verb: FlowVerb, tag: number): void {
    const { batch } = this;
    const first = batch.count;
    batch.commitReady(bytes, tag);
    const [command, flags] = COMMANDS[verb];
    stampReady(batch, first, {
      type: (this.#family | (flags << 16)) >>> 0,
      generic: command | (OVS_FLOW_VERSION << 8),
      family: this.#family,
      datapath: this.#datapath,
      tag,
    });
  }

  /** Keeps a copy of request `index` of another batch. @returns false if there is no room */
  commitCopy(source: Batch, index: number, tag: number): boolean {
    const { batch } = this;
    if (batch.full) return false;
    const start = (source.starts[index] ?? 0) >> 2;
    this.begin();
    this.#append(source, start + ATTRIBUTES_AT, (source.starts[index + 1] ?? 0) >> 2);
    if (batch.writer.failed) return false;
    const at = batch.bytes >> 2;
    const { u32 } = batch.memory;
    u32[at + TYPE_AT] = source.memory.u32[start + TYPE_AT] ?? 0;
    u32[at + GENERIC_AT] = source.memory.u32[start + GENERIC_AT] ?? 0;
    return batch.commit(tag);
  }

  /**
   * Keeps a SET or a DEL of the flow of request `index` of another batch.
   * @param name how it identifies the flow
   * @returns false if there is no room
   */
  commitChange(
    source: Batch,
    index: number,
    verb: "modify" | "delete",
    name: FlowName,
    tag: number,
  ): boolean {
    const { batch } = this;
    if (batch.full) return false;
    const { u32 } = source.memory;
    const key = attributeAt(source, index, OVS_FLOW_ATTR_KEY);
    // Without a key, a delete may be a flush.
    assert(key >= 0, "a request has a key");
    const first = nameAt(source, index);
    const hasUfid = first !== key;
    const writer = this.begin();
    if (typeof name !== "string") {
      assert(name.length === UFID_SIZE, "a UFID names one flow");
      writer.bytes(OVS_FLOW_ATTR_UFID, name);
    } else if (name === "own" && hasUfid) {
      this.#append(source, first, first + attributeWords(u32, first));
    }
    // Even with a UFID, the kernel requires the key of a SET to check the actions; a DEL has only
    // its identity.
    if (verb === "modify") this.#append(source, key, (source.starts[index + 1] ?? 0) >> 2);
    else if (name === "key" || (name === "own" && !hasUfid)) {
      this.#append(source, key, key + attributeWords(u32, key));
    }
    if (batch.writer.failed) return false;
    this.#stamp(verb);
    return batch.commit(tag);
  }

  #stamp(verb: FlowVerb): void {
    const [command, flags] = COMMANDS[verb];
    const start = this.batch.bytes >> 2;
    const { u32 } = this.batch.memory;
    u32[start + TYPE_AT] = (this.#family | (flags << 16)) >>> 0;
    u32[start + GENERIC_AT] = command | (OVS_FLOW_VERSION << 8);
  }

  // Appends words `from` to `end` of another batch to the current request.
  #append({ memory }: Batch, from: number, end: number): void {
    const { writer } = this.batch;
    if (writer.failed || writer.position + (end - from) * 4 > writer.limit) {
      writer.failed = true;
      return;
    }
    const target = writer.memory.i32;
    const source = memory.i32;
    let to = writer.position >> 2;
    for (let at = from; at < end; at++) target[to++] = source[at]!; // both ends are in bounds
    writer.position = to << 2;
  }
}

const [PUT_COMMAND, PUT_FLAGS] = COMMANDS.put;
const PUT_TYPE = PUT_FLAGS << 16;
const PUT_GENERIC = PUT_COMMAND | (OVS_FLOW_VERSION << 8);

/** The values written into complete requests. */
type Stamp = {
  /** The words of a request that puts. */
  readonly type: number;
  readonly generic: number;
  readonly family: number;
  readonly datapath: number;
  readonly tag: number;
};

// A free function with only numbers in its loop, for speed: all compiled flows pass through it.
function stampReady(
  { memory: { u32 }, starts, tags, count: end }: Batch,
  first: number,
  { type, generic, family, datapath, tag }: Stamp,
): void {
  for (let i = first; i < end; i++) {
    const at = starts[i]! >> 2; // i < count <= capacity
    if (u32[at + TYPE_AT] === PUT_TYPE && u32[at + GENERIC_AT] === PUT_GENERIC) {
      u32[at + TYPE_AT] = type;
      u32[at + GENERIC_AT] = generic;
    } else {
      u32[at + TYPE_AT] = u32[at + TYPE_AT]! | family;
    }
    tags[i] = tag + u32[at + 2]!;
    u32[at + 3] = 0;
    u32[at + DATAPATH_AT] = datapath;
  }
}

const UFID_BYTES_MAX = 16;

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

/** Sends one flow and waits for its ack; `write` appends its attributes. @throws NetlinkError */
export function sendFlow(
  datapath: DatapathHandle,
  verb: FlowVerb,
  write: (writer: AttributeWriter) => void,
): void {
  const [command, flags] = COMMANDS[verb];
  datapath.channel.transact({
    family: OVS_FLOW_FAMILY,
    version: OVS_FLOW_VERSION,
    command,
    flags,
    datapath: datapath.index,
    doing: `loading a flow into ${datapath.name}`,
    write,
  });
}
