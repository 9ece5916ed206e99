import { UFID_SIZE } from "../flow/key/ufid.ts";
import { hashMatch } from "../flow/parts.ts";
import type { Batch } from "../netlink/batch.ts";
import { dumpFlows } from "../ovs/flow.ts";
import { newFlowView } from "../ovs/flow-view.ts";
import { describe } from "./held.ts";
import { decodeSent } from "./sent.ts";
import type { LoadTarget } from "./sender.ts";

/**
 * Finds flows by what they match, whatever they are named by: the kernel finds a flow by its name alone, so
 * all of a datapath are looked at, once.
 * @param messages of the batch
 * @returns for each of them whose flow is there, what that is in text
 */
export function heldByMatch(
  { channel, datapath }: LoadTarget,
  batch: Batch,
  messages: readonly number[],
): Map<number, string> {
  const hash = new Int32Array(UFID_SIZE / 4);
  const wanted = new Map<string, number[]>();
  const sent = newFlowView();
  for (const index of messages) {
    if (!hashMatch(decodeSent(batch, index, sent), hash, 0)) continue;
    const match = hash.join();
    const same = wanted.get(match);
    if (same === undefined) wanted.set(match, [index]);
    else same.push(index);
  }
  const found = new Map<number, string>();
  for (const view of dumpFlows(channel, datapath)) {
    if (!hashMatch(view, hash, 0)) continue;
    for (const index of wanted.get(hash.join()) ?? []) found.set(index, describe(view));
  }
  return found;
}
