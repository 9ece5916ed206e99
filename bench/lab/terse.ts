/**
 * A terse dump through the library: counters by UFID, without printing flows. Prints one line of
 * JSON.
 *
 *   bun bench/lab/terse.ts DATAPATH
 */
import { Datapath } from "../../src/datapath.ts";

using dp = Datapath.open(process.argv[2] ?? "");

function dump(): { flows: number; seconds: number } {
  const startedAt = performance.now();
  let flows = 0;
  for (const { ufid } of dp.flows({ terse: true })) if (ufid !== undefined) flows++;
  return { flows, seconds: (performance.now() - startedAt) / 1000 };
}

dump();
console.log(JSON.stringify(dump()));
