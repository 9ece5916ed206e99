/** The micro-benchmarks: the cost of the parts of the path from text to the kernel, natively. */
import { Command } from "commander";
import { printTable } from "../../src/cli/output.ts";
import { writeWholeFile } from "../../src/cli/output-file.ts";
import { measureCase, microCases, type MicroResult } from "./suite.ts";

const program = new Command("micro")
  .description("Measure parsing, printing, templates, attributes, UFIDs and calls.")
  .option("--flows <N>", "flows, attributes or calls of one run", Number, 10_000)
  .option("--milliseconds <N>", "time for each case", Number, 300)
  .option("--only <TEXT>", "only cases whose group or name contains TEXT", "")
  .option("--json <FILE>", "write the results to FILE as one JSON document")
  .action(main);
await program.parseAsync();

async function main(options: {
  flows: number;
  milliseconds: number;
  only: string;
  json?: string;
}): Promise<void> {
  const { flows: count, milliseconds } = options;
  const results: MicroResult[] = [];
  for (const micro of microCases(count)) {
    if (!`${micro.group}: ${micro.name}`.includes(options.only)) continue;
    results.push(await measureCase(micro, { count, milliseconds, runsMin: 12 }));
  }
  printTable([
    ["what", "", "ns", "least", "p99", "a second"],
    ...results.map((result) => [
      result.group,
      result.name,
      result.median.toFixed(1),
      result.min.toFixed(1),
      result.p99 === null ? "-" : result.p99.toFixed(1),
      result.perSecond.toLocaleString("en-US"),
    ]),
  ]);
  if (options.json === undefined) return;
  const report = { version: 1, bun: Bun.version, count, milliseconds, results };
  writeWholeFile(options.json, "--json", `${JSON.stringify(report, null, 2)}\n`);
}
