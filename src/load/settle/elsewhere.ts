import { UFID_SIZE } from "../../flow/key/ufid.ts";
import { hashMatch, newFlowParts } from "../../flow/parts.ts";
import type { Batch } from "../../netlink/batch.ts";
import { DumpCheck, doubtInWords } from "../../ovs/dump-check.ts";
import { dumpFlows } from "../../ovs/flow.ts";
import { decodeRequest } from "../../ovs/flow-request.ts";
import { describe, otherNameReason } from "./held-flows.ts";
import type { LoadTarget } from "../send/connection.ts";

/** How often the datapath is dumped if its flows change during each dump. */
const DUMPS_MAX = 3;

/**
 * Finds flows by their match, whatever their identity. The kernel finds a flow only by its
 * identity, so the whole datapath is dumped once.
 * @param messages indices in the batch
 * @returns for each message whose flow is there, or may be, a description
 */
export function heldByMatch(
  { datapath }: LoadTarget,
  batch: Batch,
  messages: readonly number[],
): Map<number, string> {
  const hash = new Int32Array(UFID_SIZE / 4);
  const wanted = new Map<string, number[]>();
  const sent = newFlowParts();
  for (const index of messages) {
    if (!hashMatch(decodeRequest(batch, index, sent), hash, 0)) continue;
    const match = hash.join();
    const same = wanted.get(match);
    if (same === undefined) wanted.set(match, [index]);
    else same.push(index);
  }
  const found = new Map<number, string>();
  for (let dumps = 1; ; dumps++) {
    // What only a doubtful dump had may be gone.
    found.clear();
    const check = DumpCheck.of(datapath);
    for (const view of dumpFlows(datapath, { check })) {
      if (!hashMatch(view, hash, 0)) continue;
      // Only wanted flows are described, which are few of many.
      for (const index of wanted.get(hash.join()) ?? []) {
        found.set(index, otherNameReason(describe(view)));
      }
    }
    const doubt = check.doubt();
    if (doubt === undefined) return found;
    if (dumps < DUMPS_MAX) continue;
    const text = `whether the flow is there and named otherwise is not known: ${doubtInWords(doubt)}`;
    for (const index of messages) if (!found.has(index)) found.set(index, text);
    return found;
  }
}
