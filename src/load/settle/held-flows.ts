import { printKey } from "../../flow/key/print.ts";
import { KeyRecord } from "../../flow/key/record.ts";
import { type FlowParts, hashMatch, newFlowParts, readMatch } from "../../flow/parts.ts";
import { UFID_SIZE, type UfidSeed } from "../../flow/key/ufid.ts";
import { TextSink } from "../../flow/text/sink.ts";
import { printUfid } from "../../flow/text/ufid.ts";
import type { Batch } from "../../netlink/batch.ts";
import type { FlowReads, ReadResult } from "../../ovs/flow-reads.ts";
import { decodeRequest, nameAt } from "../../ovs/flow-request.ts";
import { MillraceError } from "../../sys/errors.ts";
import { OVS_FLOW_ATTR_KEY, OVS_FLOW_ATTR_UFID } from "../../uapi/openvswitch.ts";
import { sameDeeds, sameMatch } from "./same-flow.ts";

/** What the kernel holds under the identity of a request's flow. */
export const Held = {
  /** It could not be read. */
  unknown: 0,
  /** There is no flow. */
  none: 1,
  /** A flow that matches other packets: the request must not touch it. */
  other: 2,
  /** The intended flow, with other actions. */
  match: 3,
  /** The intended flow, with the actions of the request. */
  same: 4,
} as const;

/** How a flow was found. */
export const FoundBy = {
  /** By the request's identity: its UFID, or its key if it has none. */
  own: 0,
  /** By its key although the request has a UFID: another tool put it, or `--no-ufid`. */
  key: 1,
  /** By the hash of its key and mask, although the request has no UFID. */
  hash: 2,
} as const;

/**
 * Looks up what the kernel holds for the requests of a batch.
 *
 * A look-up by UFID ignores the key, and one by key ignores the mask (`ovs_flow_tbl_lookup_ufid`,
 * `ovs_flow_tbl_lookup_exact` in net/openvswitch/flow_table.c). So the flow that the kernel would
 * change is read first, and compared here.
 */
export class HeldFlows {
  /** A {@link Held} for each message that was looked up. */
  readonly states: Uint8Array;
  /** A {@link FoundBy} for each message. */
  readonly foundBy: Uint8Array;
  /** For each message that is {@link Held.other}, a description of the flow that is there. */
  readonly others: Map<number, string> = new Map<number, string>();
  /** The number of flows read. */
  asked = 0;

  readonly #readsOf: () => FlowReads;
  readonly #seed: UfidSeed;
  readonly #sent = newFlowParts();
  readonly #hash = new Int32Array(UFID_SIZE / 4);
  #batch: Batch | undefined;

  /**
   * @param readsOf returns what reads; it may have to open a socket, and throw
   * @param capacity the most messages of a batch
   * @param seed the seed of the flows' owner
   */
  constructor(readsOf: () => FlowReads, capacity: number, seed: UfidSeed) {
    this.#readsOf = readsOf;
    this.#seed = seed;
    this.states = new Uint8Array(capacity);
    this.foundBy = new Uint8Array(capacity);
  }

  /**
   * Looks up the flows of some messages of a batch. If the kernel cannot be asked, each is unknown:
   * nothing is thrown, since the batch may have been sent.
   * @param elsewhere whether a flow not found by the message's identity is looked up by its key, or
   * by the hash of its key and mask; never for a message with a given UFID
   */
  look(batch: Batch, messages: readonly number[], elsewhere: boolean): void {
    this.#batch = batch;
    let reads: FlowReads;
    try {
      reads = this.#readsOf();
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      for (const index of messages) this.states[index] = Held.unknown;
      return;
    }
    for (const index of messages) {
      this.foundBy[index] = FoundBy.own;
      const { u8, u32 } = batch.memory;
      const at = nameAt(batch, index);
      const header = u32[at] ?? 0;
      this.#ask(reads, index, header >>> 16, u8, at * 4 + 4, at * 4 + (header & 0xffff));
    }
    reads.execute(this.#onFlow, this.#onEnd);
    if (elsewhere) this.#lookElsewhere(reads, batch, messages);
  }

  #lookElsewhere(reads: FlowReads, batch: Batch, messages: readonly number[]): void {
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
        this.#ask(reads, index, OVS_FLOW_ATTR_UFID, hash, 0, UFID_SIZE);
      } else if (hash.every((byte, i) => byte === bytes[ufid.start + i]) && key.end > key.start) {
        this.foundBy[index] = FoundBy.key;
        this.#ask(reads, index, OVS_FLOW_ATTR_KEY, bytes, key.start, key.end);
      }
    }
    reads.execute(this.#onFlow, this.#onEnd);
  }

  #ask(
    reads: FlowReads,
    index: number,
    type: number,
    bytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    this.asked++;
    if (reads.add(type, bytes, start, end, index)) return;
    reads.execute(this.#onFlow, this.#onEnd);
    reads.add(type, bytes, start, end, index);
  }

  readonly #onFlow = (index: number, held: FlowParts): void => {
    const batch = this.#batch;
    if (batch === undefined) return;
    const sent = decodeRequest(batch, index, this.#sent);
    if (sent.key.start >= 0 && !sameMatch(sent, held)) {
      // Another flow has its identity. A flow found by an alternative identity may also be another
      // one.
      if (this.foundBy[index] !== FoundBy.own) return;
      this.states[index] = Held.other;
      this.others.set(index, describe(held));
      return;
    }
    this.states[index] = sameDeeds(sent, held) ? Held.same : Held.match;
    // It may have been found in place of another flow that has its identity.
    if (this.others.size > 0) this.others.delete(index);
  };

  readonly #onEnd = (index: number, result: ReadResult): void => {
    if (result === "found") return;
    // If the alternative identity finds nothing, the known state stays; if that look-up failed, the
    // flow may be there.
    if (this.foundBy[index] !== FoundBy.own && result === "none") return;
    this.states[index] = result === "none" ? Held.none : Held.unknown;
  };
}

/**
 * Why a request is not carried out: another flow has its identity.
 * @param byUfid whether the identity is a UFID
 */
export function otherFlowReason(byUfid: boolean, name: string): string {
  return byUfid
    ? `its UFID is that of another flow: ${name}`
    : `a flow with this key is there under another mask: ${name}`;
}

/** Why a request is not carried out: its flow is there under another identity. */
export function otherNameReason(name: string): string {
  return `the flow is there, and named otherwise: ${name}`;
}

/** A flow's identity, key and mask in text. */
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
