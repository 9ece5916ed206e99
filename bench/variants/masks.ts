import type { Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { BEST, installs, limit, load, ours, scripted, sweepRounds } from "./programs.ts";

/**
 * The same number of flows with increasing numbers of masks; flows of one mask before and after
 * those of others; and packets.
 */
export function masks(size: Size, files: Files, peers: Peers): Variant[] {
  const flows = size.sweepFlows;
  const rounds = sweepRounds(size);
  const mixed = size.masks.flatMap((count) => {
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
  const ordered = size.otherMasks.flatMap((count) => orders(size, files, count));
  return [...mixed, ...ordered, packets(size)];
}

/** Packets that are looked up in increasing numbers of masks. */
function packets(size: Size): Variant {
  const words = [size.packetPasses, size.packetMasks.join(), size.cacheMasks.join()];
  const what = { part: "masks", id: "packets-all", name: "millrace, packets", flows: 0 } as const;
  return { ...scripted(what, "bench/lab/mask-packets.ts", ...words), rounds: sweepRounds(size) };
}

/** The same flows with those of the one mask first, last, and last in the file but compiled. */
function orders(size: Size, files: Files, count: number): Variant[] {
  const { orderFlows } = size;
  const flows = orderFlows + count;
  const found = (["first", "last"] as const).map((order) => {
    const file = files.ordered(orderFlows, count, order);
    const name = `millrace, ${count} other masks, the many flows ${order}`;
    return ours(`order-${order}-${count}`, name, { part: "masks", file, flows, packing: BEST });
  });
  const compiled = files.orderedSet(orderFlows, count);
  const command = load(compiled);
  const work = `${count} other masks, ${flows}`;
  // Behind thousands of masks one round takes a minute.
  const rest = { work, rounds: count > 1000 ? 1 : sweepRounds(size) };
  return [
    ...found.map((variant) => ({ ...variant, ...rest })),
    {
      ...installs("masks", flows),
      id: `order-compiled-${count}`,
      name: `millrace, ${count} other masks, the many flows last, compiled`,
      program: "millrace",
      command,
      warmUp: command,
      ...rest,
    },
  ];
}
