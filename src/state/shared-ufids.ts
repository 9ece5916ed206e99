import { Flow } from "../flow/flow.ts";
import { ufidSeed } from "../flow/key/ufid.ts";
import { hasGivenUfid, haveSameUfid, newFlowParts } from "../flow/parts.ts";
import { MillraceError } from "../sys/errors.ts";
import type { FlowTable } from "./flow-table.ts";
import { ufidHash } from "./obstacles.ts";

// A kernel holds one flow for a UFID, so a set that gives one to two flows cannot be reached.

/** @throws MillraceError `FLOW_REFUSED` if two flows of a set have the same UFID */
export function refuseSharedUfids(wanted: FlowTable, owner = ""): void {
  const seed = ufidSeed(owner);
  const byHash = new Map<number, number[]>();
  const flow = newFlowParts();
  const other = newFlowParts();
  for (let index = 0; index < wanted.size; index++) {
    wanted.read(index, flow);
    // A hash of the match is no other flow's, unless that one was given it.
    if (flow.ufid.start < 0 || wanted.isNobodys(index, flow) || !hasGivenUfid(flow, seed)) continue;
    const hash = ufidHash(flow);
    const known = byHash.get(hash);
    const twin = known?.find((at) => haveSameUfid(wanted.read(at, other), flow));
    if (twin !== undefined) {
      const texts = [twin, index].map((at) => Flow.fromParts(wanted.read(at, other)).toString());
      throw new MillraceError(
        "FLOW_REFUSED",
        `two flows of the wanted set have the same UFID, and the kernel holds one of them: ${texts.join("; ")}; nothing was sent`,
      );
    }
    if (known === undefined) byHash.set(hash, [index]);
    else known.push(index);
  }
}
