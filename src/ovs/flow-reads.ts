import { Batch, MessageState } from "../netlink/batch.ts";
import { type MessageReader, NLMSG_HEADER, putGenericHeader, putWord } from "../netlink/message.ts";
import { type Packing, Transactor } from "../netlink/transactor.ts";
import { EINVAL, ENOENT } from "../sys/errno.ts";
import { assert, MillraceError } from "../sys/errors.ts";
import type { PinnedMemory } from "../sys/memory.ts";
import { NLM_F_REQUEST } from "../uapi/netlink.ts";
import {
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_GET,
  OVS_FLOW_FAMILY,
  OVS_FLOW_VERSION,
} from "../uapi/openvswitch.ts";
import { type OvsMessage, setMessage } from "./channel.ts";
import type { DatapathHandle } from "./datapath.ts";
import { getFlow } from "./flow.ts";
import { decodeFlow, type FlowParts, newFlowParts, type FlowIdentity } from "../flow/parts.ts";
import { OVS_PREFIX } from "./message.ts";

/** The most flows in one round of reads. */
const READS_MAX = 1024;

/** Room for the identities of plain flows; a longer round is split in two. */
const ARENA_BYTES = 256 << 10;

/** A plain flow is 320 bytes long; a flow with a longer reply is read again, alone. */
const REPLY_BYTES_MAX = 1024;

/**
 * The assumed cost of a waiting reply in the receive buffer. For a plain flow it is 1,328 bytes and
 * an ack's share. Replies of longer flows may be lost: these flows are read again, one at a time.
 */
const REPLY_COST_BYTES = 2560;

const PACKING: Packing = {
  ack: "errors",
  transport: "sendmmsg",
  messagesPerDatagram: 16,
  bytesPerDatagram: 32 << 10,
  replyCostBytes: REPLY_COST_BYTES,
};

/** The result of a read. */
export type ReadResult = "found" | "none" | "unknown";

/**
 * Reads many flows by their identities, in packed GET requests: add some, then execute. Owns a
 * socket and an arena; only one caller may use it at a time.
 */
export class FlowReads {
  readonly #datapath: DatapathHandle;
  readonly #family: number;
  readonly #batch = new Batch(READS_MAX, ARENA_BYTES);
  readonly #transactor: Transactor;
  readonly #view = newFlowParts();
  /** One object, reused for each reply; all are in the same memory. */
  #message: OvsMessage | undefined;
  /** 1 for each request whose complete data was received. */
  readonly #found = new Uint8Array(READS_MAX);
  #onFlow: (tag: number, view: FlowParts) => void = () => {};

  constructor(datapath: DatapathHandle) {
    this.#datapath = datapath;
    this.#family = datapath.channel.family(OVS_FLOW_FAMILY).id;
    const onData = this.#take.bind(this);
    const socket = datapath.channel.openSocket();
    this.#transactor = new Transactor(socket, PACKING, { bytesMax: REPLY_BYTES_MAX, onData });
  }

  get systemCalls(): number {
    return this.#transactor.counters.systemCalls;
  }

  /**
   * Adds a request for the flow that an attribute identifies, OVS_FLOW_ATTR_UFID or
   * OVS_FLOW_ATTR_KEY.
   * @param start @param end the range of the attribute's payload in `bytes`
   * @returns false if there is no room: execute first
   */
  add(type: number, bytes: Uint8Array, start: number, end: number, tag: number): boolean {
    const batch = this.#batch;
    if (batch.full) return false;
    batch.begin(this.#family, NLM_F_REQUEST);
    putGenericHeader(batch.writer, OVS_FLOW_CMD_GET, OVS_FLOW_VERSION);
    putWord(batch.writer, this.#datapath.index);
    batch.writer.bytes(type, bytes, start, end);
    assert(end > start, "a flow is named by something");
    const room = batch.commit(tag);
    assert(room || batch.count > 0, "an identity fits the arena");
    return room;
  }

  /**
   * Sends the added requests.
   * @param onFlow is called for each existing flow, with the tag of its request; the flow is valid
   * until it returns
   * @param onEnd is called with the result of each request, in order
   */
  execute(
    onFlow: (tag: number, view: FlowParts) => void,
    onEnd: (tag: number, result: ReadResult) => void,
  ): void {
    const batch = this.#batch;
    this.#onFlow = onFlow;
    this.#found.fill(0, 0, batch.count);
    this.#transactor.execute(batch);
    const isNone = this.#isFlowMissing();
    for (let i = 0; i < batch.count; i++) {
      const tag = batch.tags[i] ?? 0;
      const errno = batch.states[i] === MessageState.rejected ? batch.errnos[i] : 0;
      if (this.#found[i] === 1) onEnd(tag, "found");
      else if (errno === ENOENT) onEnd(tag, isNone ? "none" : "unknown");
      // No flow has a key that the kernel refuses.
      else if (errno === EINVAL) onEnd(tag, "none");
      else onEnd(tag, this.#readAlone(i, tag));
    }
    batch.clear();
  }

  // Whether ENOENT means that the flow is missing, rather than the family; not if that cannot be
  // asked.
  #isFlowMissing(): boolean {
    const { errnos, count } = this.#batch;
    if (!errnos.subarray(0, count).includes(ENOENT)) return true;
    try {
      return !this.#datapath.channel.familyMoved(OVS_FLOW_FAMILY, this.#family);
    } catch (error) {
      if (error instanceof MillraceError) return false;
      throw error;
    }
  }

  close(): void {
    this.#transactor.socket.close();
  }

  #take(index: number, memory: PinnedMemory, message: MessageReader, cut: boolean): void {
    if (cut) return;
    const { u8, view } = memory;
    const flow = (this.#message ??= { bytes: u8, view, datapath: 0, start: 0, end: 0 });
    setMessage(flow, message);
    decodeFlow(flow, this.#view);
    this.#found[index] = 1;
    this.#onFlow(this.#batch.tags[index] ?? 0, this.#view);
  }

  // Its reply was too long, or was lost.
  #readAlone(index: number, tag: number): ReadResult {
    const { memory, starts } = this.#batch;
    const attribute = (starts[index] ?? 0) + NLMSG_HEADER + OVS_PREFIX;
    const header = memory.u32[attribute >> 2] ?? 0;
    const payload = memory.u8.slice(attribute + 4, attribute + (header & 0xffff));
    const identity: FlowIdentity =
      header >>> 16 === OVS_FLOW_ATTR_UFID ? { ufid: payload } : { key: payload };
    try {
      const found = getFlow(this.#datapath, identity, (view) => {
        this.#onFlow(tag, view);
      });
      return found ? "found" : "none";
    } catch (error) {
      if (error instanceof MillraceError) return "unknown";
      throw error;
    }
  }
}
