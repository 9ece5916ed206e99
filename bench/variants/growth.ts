import type { Packing, Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { BEST, fromFile, fromTemplate, limit, ours, packingName } from "./programs.ts";

/** Many flows, by every way in which millrace takes them, beside the kernel's limit. */
export function growth(size: Size, files: Files, peers: Peers): Variant[] {
  const { flows, textFlows, seed } = size;
  const packed = { part: "growth", file: files.packed(flows), flows, packing: BEST } as const;
  const single: Packing = { ...BEST, perCall: 1, transport: "send" };
  const text = { part: "growth", file: files.text, flows: textFlows } as const;
  const found = [
    // The best size of a batch differs from kernel to kernel: the limit is given its own.
    ...[128, 512, 1024].flatMap((perDatagram) =>
      limit(peers, { ...packed, packing: { ...single, perDatagram } }),
    ),
    ...limit(peers, packed),
    ours("packed", `millrace, encoded before, ${packingName(BEST)}`, packed),
    fromTemplate("growth", flows, seed),
    fromFile("load-compiled", "millrace load, compiled file", { ...text, file: files.compiled }),
    fromFile("load-text", "millrace load, from text", text),
    {
      ...fromFile("load-text-watched", "garbage collection of millrace load, from text", text),
      watched: true as const,
      rounds: 1,
    },
  ];
  // Names are unique in a plan: these stand beside those of the peers.
  return found.map((variant) => ({ ...variant, name: `${variant.name}, ${variant.flows} flows` }));
}
