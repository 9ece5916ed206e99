import type { Figures } from "./figures.ts";

/** The heading of the table of {@link memoryRows}. */
export const MEMORY_HEADS: readonly string[] = [
  "program",
  "flows",
  "peak MB",
  "pauses",
  "ms in all",
  "worst ms",
];

/** The peak memory of programs with a watched garbage collector, and its pauses. */
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
