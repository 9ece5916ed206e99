import { printKey } from "../../flow/key/print.ts";
import { KeyRecord } from "../../flow/key/record.ts";
import { type FlowParts, hashMatch, newFlowParts, readMatch } from "../../flow/parts.ts";
import { UFID_SIZE, type UfidSeed } from "../../flow/key/ufid.ts";
import { TextSink } from "../../flow/text/sink.ts";
import { printUfid } from "../../flow/text/ufid.ts";
import type { Batch } from "../../netlink/batch.ts";
import type { FlowReads, ReadResult } from "../../ovs/flow-reads.ts";
import { decodeRequest, nameAt } from "../../ovs/flow-request.ts";
import { OVS_FLOW_ATTR_KEY, OVS_FLOW_ATTR_UFID } from "../../uapi/openvswitch.ts";
import { sameDeeds, sameMatch } from "./same-flow.ts";

/** What the kernel holds where a request looks for its flow. */
export const Held = {
  /** It could not be read. */
  unknown: 0,
  /** Nothing. */
  none: 1,
  /** A flow that matches other packets: the request must not touch it. */
  other: 2,
  /** The flow, with other actions. */
  match: 3,
  /** The flow, with the actions of the request. */
  same: 4,
} as const;

/** What a flow is found by. */
export const FoundBy = {
  /** What the request names it by: its UFID, or its key where it has none. */
  own: 0,
  /** Its key, where the request has a UFID: another tool put it, or `--no-ufid`. */
  key: 1,
  /** The hash of its key and mask, where the request has no UFID. */
  hash: 2,
} as const;

/**
 * Looks what the kernel holds of the flows that requests of a batch name.
 *
 * A kernel asked by UFID does not look at the key, and asked by key it does not look at the mask
 * (`ovs_flow_tbl_lookup_ufid`, `ovs_flow_tbl_lookup_exact` in net/openvswitch/flow_table.c). So what it
 * would change is read first, and compared here.
 */
export class HeldFlows {
  /** A {@link Held} for each message of the batch that was looked at. */
  readonly states: Uint8Array;
  /** A {@link FoundBy} for each. */
  readonly foundBy: Uint8Array;
  /** Of those that are {@link Held.other}: what is there, in words. */
  readonly others: Map<number, string> = new Map<number, string>();
  /** Flows that were asked for. */
  asked = 0;

  readonly #reads: FlowReads;
  readonly #seed: UfidSeed;
  readonly #sent = newFlowParts();
  readonly #hash = new Int32Array(UFID_SIZE / 4);
  #batch: Batch | undefined;

  /** @param capacity the most messages of a batch @param seed of the owner of their flows */
  constructor(reads: FlowReads, capacity: number, seed: UfidSeed) {
    this.#reads = reads;
    this.#seed = seed;
    this.states = new Uint8Array(capacity);
    this.foundBy = new Uint8Array(capacity);
  }

  /**
   * Looks for the flows of some messages of a batch.
   * @param elsewhere a flow that is not found by what the message names is looked for by its key, or by the
   *   hash of its key and mask; not where the message was given a UFID that is no such hash
   */
  look(batch: Batch, messages: readonly number[], elsewhere: boolean): void {
    this.#batch = batch;
    for (const index of messages) {
      this.foundBy[index] = FoundBy.own;
      const { u8, u32 } = batch.memory;
      const at = nameAt(batch, index);
      const header = u32[at] ?? 0;
      this.#ask(header >>> 16, u8, at * 4 + 4, at * 4 + (header & 0xffff), index);
    }
    this.#execute();
    if (elsewhere) this.#lookElsewhere(batch, messages);
  }

  #lookElsewhere(batch: Batch, messages: readonly number[]): void {
    for (const index of messages) {
      const state = this.states[index];
      if (state !== Held.none && state !== Held.other) continue;
      const sent = decodeRequest(batch, index, this.#sent);
      if (sent.key.start < 0 || sent.mask.start < 0) continue;
      if (!hashMatch(sent, this.#hash, 0, this.#seed)) continue;
      const hash = new Uint8Array(this.#hash.buffer);
      const { bytes, ufid, key } = sent;
      if (ufid.start < 0) {
        this.foundBy[index] = FoundBy.hash;
        this.#ask(OVS_FLOW_ATTR_UFID, hash, 0, UFID_SIZE, index);
      } else if (hash.every((byte, i) => byte === bytes[ufid.start + i]) && key.end > key.start) {
        this.foundBy[index] = FoundBy.key;
        this.#ask(OVS_FLOW_ATTR_KEY, bytes, key.start, key.end, index);
      }
    }
    this.#execute();
  }

  #ask(type: number, bytes: Uint8Array, start: number, end: number, index: number): void {
    this.asked++;
    if (this.#reads.add(type, bytes, start, end, index)) return;
    this.#execute();
    this.#reads.add(type, bytes, start, end, index);
  }

  #execute(): void {
    this.#reads.execute(this.#onFlow, this.#onEnd);
  }

  readonly #onFlow = (index: number, held: FlowParts): void => {
    const batch = this.#batch;
    if (batch === undefined) return;
    const sent = decodeRequest(batch, index, this.#sent);
    if (sent.key.start >= 0 && !sameMatch(sent, held)) {
      // What it names is another flow; what it might be found by as well may be one, too.
      if (this.foundBy[index] !== FoundBy.own) return;
      this.states[index] = Held.other;
      this.others.set(index, describe(held));
      return;
    }
    this.states[index] = sameDeeds(sent, held) ? Held.same : Held.match;
  };

  readonly #onEnd = (index: number, result: ReadResult): void => {
    if (result === "found") return;
    // Not found by another name leaves what is known; not told, it may be there.
    if (this.foundBy[index] !== FoundBy.own && result === "none") return;
    this.states[index] = result === "none" ? Held.none : Held.unknown;
  };
}

/** Why a request is not carried out: what it names is another flow. @param byUfid it names it by UFID */
export function otherFlowReason(byUfid: boolean, name: string): string {
  return byUfid
    ? `its UFID is that of another flow: ${name}`
    : `a flow with this key is there under another mask: ${name}`;
}

/** A flow's key and mask in text, and what it is identified by. */
export function describe(held: FlowParts): string {
  const record = new KeyRecord();
  const out = new TextSink(256);
  if (held.ufid.start >= 0) {
    printUfid(out, held.bytes, held.ufid.start, held.ufid.end);
    out.text(" ");
  }
  if (readMatch(held, record)) printKey(record, out, { verbose: false });
  return out.toString();
}
