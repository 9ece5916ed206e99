import type { Batch } from "../../netlink/batch.ts";
import { commandOf, hasUfid, verbOf } from "../../ovs/flow-request.ts";
import { OVS_FLOW_CMD_NEW } from "../../uapi/openvswitch.ts";
import { NamedFlows } from "../named-flows.ts";

/**
 * Whether the messages of a batch from `first` to before `end` all create flows: they can be sent
 * without looking up existing ones.
 */
export function onlyCreates(batch: Batch, first = 0, end: number = batch.count): boolean {
  for (let i = first; i < end; i++) {
    if (commandOf(batch, i) !== OVS_FLOW_CMD_NEW) return false;
  }
  return true;
}

/**
 * Cuts a batch where flows have to be looked up again. The flows of modifies and deletes are looked
 * up before any request of the segment is sent, so none of them may identify a flow that an earlier
 * request of the segment creates.
 */
export class Segments {
  readonly #named: NamedFlows;

  /** @param capacity the most messages of a batch */
  constructor(capacity: number) {
    this.#named = new NamedFlows(capacity);
  }

  /**
   * The end of the segment that begins with message `start`.
   * @param lookFirst whether puts are also looked up, so that they count like modifies
   */
  end(batch: Batch, start: number, lookFirst: boolean): number {
    if (!lookFirst && onlyCreates(batch)) return batch.count;
    const named = this.#named;
    named.clear();
    let givesUfid = false;
    for (let i = start; i < batch.count; i++) {
      const creates = commandOf(batch, i) === OVS_FLOW_CMD_NEW;
      const looks = !creates || (lookFirst && verbOf(batch, i) === "put");
      // A flow without a UFID in its request is also looked up by the hash of its match, which an
      // earlier request may give to another flow. A put that is looked up must not meet a flow that
      // an earlier delete finds by its other name, either.
      const isNamedOtherwise = lookFirst
        ? hasUfid(batch, i) !== hasUfid(batch, start)
        : looks && givesUfid && !hasUfid(batch, i);
      if (isNamedOtherwise) return i;
      givesUfid ||= creates && hasUfid(batch, i);
      if (looks && lookFirst) {
        if (named.hasOrAdd(batch, i)) return i;
      } else if (looks) {
        if (named.has(batch, i)) return i;
      } else {
        named.add(batch, i);
      }
    }
    return batch.count;
  }
}
