import { join } from "node:path";
import type { Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { BEST, BUN, DATAPATH, limit, MILLRACE, ours, SWEEP_ROUNDS } from "./programs.ts";

/**
 * The same number of flows with increasing numbers of masks; flows of one mask before and after
 * those of others; and packets.
 */
export function masks(size: Size, files: Files, peers: Peers): Variant[] {
  const flows = size.sweepFlows;
  const rounds = Math.min(size.rounds, SWEEP_ROUNDS);
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
function packets({ packetMasks, cacheMasks, packetPasses, rounds }: Size): Variant {
  const script = join(import.meta.dir, "../lab/mask-packets.ts");
  const words = [String(packetPasses), packetMasks.join(","), cacheMasks.join(",")];
  return {
    part: "masks",
    id: "packets-all",
    name: "millrace, packets",
    program: "millrace",
    command: [BUN, script, DATAPATH, ...words],
    flows: 0,
    leaves: 0,
    reports: true,
    rounds: Math.min(rounds, SWEEP_ROUNDS),
  };
}

/** The same flows with those of the one mask first, last, and last in the file but compiled. */
function orders({ orderFlows, rounds: most }: Size, files: Files, count: number): Variant[] {
  const flows = orderFlows + count;
  const found = (["first", "last"] as const).map((order) => {
    const file = files.ordered(orderFlows, count, order);
    const name = `millrace, ${count} other masks, the many flows ${order}`;
    return ours(`order-${order}-${count}`, name, { part: "masks", file, flows, packing: BEST });
  });
  const compiled = files.orderedSet(orderFlows, count);
  const work = `${count} other masks, ${flows}`;
  // Behind thousands of masks one round takes a minute.
  const rest = { work, rounds: count > 1000 ? 1 : Math.min(most, SWEEP_ROUNDS) };
  return [
    ...found.map((variant) => ({ ...variant, ...rest })),
    {
      part: "masks",
      id: `order-compiled-${count}`,
      name: `millrace, ${count} other masks, the many flows last, compiled`,
      program: "millrace",
      command: [MILLRACE, "load", compiled, "--dp", DATAPATH, "--json"],
      warmUp: [MILLRACE, "load", compiled, "--dp", DATAPATH, "--json"],
      flows,
      leaves: flows,
      reports: true,
      ...rest,
    },
  ];
}
