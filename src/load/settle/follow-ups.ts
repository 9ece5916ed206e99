import { UFID_SIZE } from "../../flow/key/ufid.ts";
import { hashMatch } from "../../flow/parts.ts";
import { align } from "../../netlink/align.ts";
import type { Batch } from "../../netlink/batch.ts";
import { NLMSG_HEADER, putWord } from "../../netlink/message.ts";
import type { Transactor } from "../../netlink/transactor.ts";
import { OVS_PREFIX } from "../../ovs/message.ts";
import { newFlowView } from "../../ovs/flow-view.ts";
import { assert } from "../../sys/errors.ts";
import { NLM_F_REQUEST } from "../../uapi/netlink.ts";
import {
  OVS_FLOW_ATTR_KEY,
  OVS_FLOW_ATTR_UFID,
  OVS_FLOW_CMD_DEL,
  OVS_FLOW_CMD_SET,
  OVS_FLOW_VERSION,
} from "../../uapi/openvswitch.ts";
import { FoundBy } from "./held-flows.ts";
import { findAttribute } from "../named-flows.ts";
import type { Rig } from "../send/connection.ts";
import { decodeSent } from "../request-text.ts";

const PREFIX_WORDS = (NLMSG_HEADER + OVS_PREFIX) >> 2;

/**
 * Requests that are made of those of a batch, once it is known what the kernel holds: a second batch, whose
 * outcomes are those of the messages that it is made of.
 */
export class FollowUps {
  readonly #batch: Batch;
  readonly #transactor: Transactor;
  readonly #sent = newFlowView();
  readonly #hash = new Int32Array(UFID_SIZE / 4);

  constructor(rig: Rig) {
    this.#batch = rig.followUps;
    this.#transactor = rig.transactor;
  }

  /** Adds message `index` of `of` as it is. */
  send(of: Batch, index: number): void {
    const { u32 } = of.memory;
    const start = (of.starts[index] ?? 0) >> 2;
    const end = (of.starts[index + 1] ?? 0) >> 2;
    this.#add(of, index, () => {
      this.#begin(of, index, u32[start + 1] ?? 0, u32[start + 4] ?? 0);
      this.#copy(of, start + PREFIX_WORDS, end);
    });
  }

  /** Adds a SET or a DEL of the flow of message `index` of `of`, named by what it was found by. */
  act(of: Batch, index: number, verb: "modify" | "delete", by: number): void {
    const { u32 } = of.memory;
    const start = (of.starts[index] ?? 0) >> 2;
    const end = (of.starts[index + 1] ?? 0) >> 2;
    const type = ((u32[start + 1] ?? 0) & 0xffff) | (NLM_F_REQUEST << 16);
    const command = verb === "delete" ? OVS_FLOW_CMD_DEL : OVS_FLOW_CMD_SET;
    const ufid = findAttribute(u32, start, end, OVS_FLOW_ATTR_UFID);
    const key = findAttribute(u32, start, end, OVS_FLOW_ATTR_KEY);
    // Without one a delete may be a flush.
    assert(key >= 0, "a request has a key");
    this.#add(of, index, () => {
      this.#begin(of, index, type, command | (OVS_FLOW_VERSION << 8));
      if (by === FoundBy.hash) this.#putHash(of, index);
      else if (by === FoundBy.own && ufid >= 0)
        this.#copy(of, ufid, ufid + attributeWords(u32, ufid));
      // By UFID the kernel wants the key of a SET, to judge the actions by; a DEL has no more than its name.
      const named = by === FoundBy.hash || (by === FoundBy.own && ufid >= 0);
      if (verb === "modify") this.#copy(of, key, end);
      else if (!named) this.#copy(of, key, key + attributeWords(u32, key));
    });
  }

  /** Sends what was added, and gives its outcomes to the messages of `to`. */
  flush(to: Batch): void {
    const batch = this.#batch;
    if (batch.count === 0) return;
    this.#transactor.execute(batch);
    for (let i = 0; i < batch.count; i++) {
      const index = batch.tags[i] ?? 0;
      to.states[index] = batch.states[i] ?? 0;
      to.errnos[index] = batch.errnos[i] ?? 0;
    }
    batch.clear();
  }

  // Adds one message; what is there is sent where there is no room for it.
  #add(of: Batch, index: number, write: () => void): void {
    const batch = this.#batch;
    write();
    if (batch.commit(index)) return;
    this.flush(of);
    write();
    assert(batch.commit(index), "a request fits the arena");
  }

  #begin(of: Batch, index: number, typeAndFlags: number, generic: number): void {
    const { writer } = this.#batch;
    this.#batch.begin(typeAndFlags & 0xffff, typeAndFlags >>> 16);
    const datapath = of.memory.u32[((of.starts[index] ?? 0) >> 2) + 5] ?? 0;
    putWord(writer, generic);
    putWord(writer, datapath);
  }

  // Words `from` to `end` of the other batch.
  #copy(of: Batch, from: number, end: number): void {
    const { writer } = this.#batch;
    if (writer.failed || writer.position + (end - from) * 4 > writer.limit) {
      writer.failed = true;
      return;
    }
    const target = writer.memory.i32;
    const source = of.memory.i32;
    let to = writer.position >> 2;
    for (let at = from; at < end; at++) target[to++] = source[at]!; // both ends are in bounds
    writer.position = to << 2;
  }

  #putHash(of: Batch, index: number): void {
    hashMatch(decodeSent(of, index, this.#sent), this.#hash, 0);
    this.#batch.writer.bytes(OVS_FLOW_ATTR_UFID, new Uint8Array(this.#hash.buffer));
  }
}

// Words of the attribute at a word, its padding with it.
function attributeWords(u32: Uint32Array, at: number): number {
  return align((u32[at] ?? 0) & 0xffff) >> 2;
}
