import type { Packing, Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { limit, ours, packingId, packingName, sweepRounds } from "./programs.ts";

/** The same flows in every packing: sizes, transports, acks. */
export function sweep(size: Size, files: Files, peers: Peers): Variant[] {
  const found: Variant[] = [];
  for (const ack of ["errors", "each"] as const) {
    for (const perDatagram of size.sweepSizes) {
      for (const transport of ["send", "writev", "sendmmsg"] as const) {
        // A writev takes at most max_iovs, and a sendmmsg of one datagram is a send.
        if (transport === "writev" && perDatagram > 1024) continue;
        if (transport === "sendmmsg" && perDatagram > 2048) continue;
        const perCall = transport === "sendmmsg" ? Math.min(1024, 4096 / perDatagram) : 1;
        const packing: Packing = { perDatagram, perCall, transport, ack };
        // About a thousand calls suffice for a latency, so small batches send fewer flows.
        const flows = Math.min(size.sweepFlows, perDatagram * perCall * 2000);
        const packed = { part: "sweep", file: files.packed(flows), flows, packing } as const;
        const name = `millrace, encoded before, ${packingName(packing)}`;
        found.push(ours(`packed-${packingId(packing)}`, name, packed));
        if (transport !== "writev") found.push(...limit(peers, packed));
      }
    }
  }
  const rounds = sweepRounds(size);
  return found.map((variant) => ({ ...variant, rounds }));
}
