import type { Figures } from "./figures.ts";

/** A table of what {@link memoryRows} gives. */
export const MEMORY_HEADS: readonly string[] = [
  "program",
  "flows",
  "peak MB",
  "pauses",
  "ms in all",
  "worst ms",
];

/** What memory the programs came to hold whose garbage collector was watched, and how long it held them up. */
export function memoryRows(figures: Figures): string[][] {
  return figures.all.flatMap(({ name, flows, peakBytes, pausesMs }) => {
    if (pausesMs === undefined) return [];
    const all = pausesMs.reduce((sum, pause) => sum + pause, 0);
    return [
      [
        name,
        flows.toLocaleString("en-US"),
        peakBytes === undefined ? "–" : (peakBytes / 1e6).toFixed(0),
        String(pausesMs.length),
        all.toFixed(1),
        Math.max(0, ...pausesMs).toFixed(1),
      ],
    ];
  });
}
