import type { Packing, Variant } from "../model.ts";
import type { Peers } from "../peers.ts";
import type { Size } from "../size.ts";
import type { Files } from "./files.ts";
import { BEST, fromFile, fromTemplate, limit, ours, packingName } from "./programs.ts";

/** Many flows, in every way in which millrace takes them, compared with the kernel's limit. */
export function growth(size: Size, files: Files, peers: Peers): Variant[] {
  const { flows, textFlows, seed } = size;
  const packed = { part: "growth", file: files.packed(flows), flows, packing: BEST } as const;
  const single: Packing = { ...BEST, perCall: 1, transport: "send" };
  const text = { part: "growth", file: files.text, flows: textFlows } as const;
  const found = [
    // The best batch size differs between kernels, so the limit is measured with several.
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
  // Names must be unique in a plan, and the part `peers` has the same ones.
  return found.map((variant) => ({ ...variant, name: `${variant.name}, ${variant.flows} flows` }));
}
