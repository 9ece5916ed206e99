import { UFID_SIZE, type UfidSeed } from "../../flow/key/ufid.ts";
import { hashMatch, newFlowParts } from "../../flow/parts.ts";
import type { Batch } from "../../netlink/batch.ts";
import type { Transactor } from "../../netlink/transactor.ts";
import { decodeRequest } from "../../ovs/flow-request.ts";
import type { FlowName, FlowRequests } from "../../ovs/flow-requests.ts";
import { assert } from "../../sys/errors.ts";
import { FoundBy } from "./held-flows.ts";

/**
 * Requests made from those of a batch, once it is known what the kernel holds: a second batch,
 * whose outcomes become those of the original messages.
 */
export class FollowUps {
  readonly #requests: FlowRequests;
  readonly #transactor: Transactor;
  readonly #seed: UfidSeed;
  readonly #sent = newFlowParts();
  readonly #hash = new Int32Array(UFID_SIZE / 4);
  readonly #hashBytes = new Uint8Array(this.#hash.buffer);

  /** @param seed the seed of the flows' owner */
  constructor(requests: FlowRequests, transactor: Transactor, seed: UfidSeed) {
    this.#seed = seed;
    this.#requests = requests;
    this.#transactor = transactor;
  }

  /**
   * Adds message `index` of `source` unchanged; if there is no room, sends the messages added
   * before.
   */
  send(source: Batch, index: number): void {
    if (this.#requests.commitCopy(source, index, index)) return;
    this.flush(source);
    assert(this.#requests.commitCopy(source, index, index), "a request fits the arena");
  }

  /**
   * Adds a SET or a DEL of the flow of message `index` of `source`, with the identity by which it
   * was found.
   */
  act(source: Batch, index: number, verb: "modify" | "delete", by: number): void {
    const name = this.#nameOf(source, index, by);
    if (this.#requests.commitChange(source, index, verb, name, index)) return;
    this.flush(source);
    assert(
      this.#requests.commitChange(source, index, verb, name, index),
      "a request fits the arena",
    );
  }

  /** Sends the added messages, and assigns their outcomes to the messages of `to`. */
  flush(to: Batch): void {
    const { batch } = this.#requests;
    if (batch.count === 0) return;
    this.#transactor.execute(batch);
    for (let i = 0; i < batch.count; i++) {
      const index = batch.tags[i] ?? 0;
      to.states[index] = batch.states[i] ?? 0;
      to.errnos[index] = batch.errnos[i] ?? 0;
    }
    batch.clear();
  }

  #nameOf(source: Batch, index: number, by: number): FlowName {
    if (by === FoundBy.own) return "own";
    if (by === FoundBy.key) return "key";
    hashMatch(decodeRequest(source, index, this.#sent), this.#hash, 0, this.#seed);
    return this.#hashBytes;
  }
}
