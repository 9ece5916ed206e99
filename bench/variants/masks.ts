import type { Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { BEST, limit, ours, SWEEP_ROUNDS } from "./programs.ts";

/** As many flows, with more and more masks among them. */
export function masks(size: Size, files: Files, peers: Peers): Variant[] {
  const flows = size.sweepFlows;
  const rounds = Math.min(size.rounds, SWEEP_ROUNDS);
  return size.masks.flatMap((count) => {
    const file = files.masked(flows, count);
    const packed = { part: "masks", file, flows, packing: BEST } as const;
    const found = [
      ours(`packed-${count}-masks`, `millrace, ${count} masks`, packed),
      ...limit(peers, packed).map((variant): Variant => {
        return { ...variant, id: `limit-${count}-masks`, name: `C, ${count} masks` };
      }),
    ];
    const work = `${count} masks, ${flows}`;
    return found.map((variant) => ({ ...variant, masks: count, work, rounds }));
  });
}
