import { count, printTable, writeOut } from "../src/cli/output.ts";
import type { Bar } from "./bars.ts";
import type { Figure, Figures } from "./figures.ts";
import { MEMORY_HEADS, memoryRows } from "./memory.ts";
import { type Environment, PARTS } from "./model.ts";

/** Prints the results of the suite as text. */
export function printResults(
  environment: Environment,
  figures: Figures,
  bars: readonly Bar[],
): void {
  const { lab, labKernel, labCpus, hostKernel, cpu, cpus, bun, millrace, commit } = environment;
  writeOut(`millrace ${millrace} ${commit}, Bun ${bun}, ${cpus} × ${cpu}, host ${hostKernel}\n`);
  const own = labCpus === undefined ? "" : `, CPUs ${labCpus}`;
  writeOut(`lab: ${lab}${labKernel === "" ? "" : `, kernel ${labKernel}`}${own}\n`);
  if (environment.unfinished) writeOut("the run did not come to its end: what it had measured\n");
  for (const part of PARTS) {
    const found = figures.all.filter((figure) => figure.part === part && !isStart(figure));
    if (found.length === 0) continue;
    writeOut(`\n${part}\n`);
    printTable([
      [
        "PROGRAM",
        "FLOWS",
        "µs A FLOW",
        "±",
        "FLOWS A SECOND",
        "CALLS A FLOW",
        "BYTES A FLOW",
        "p50",
        "p99",
        "max µs",
      ],
      ...found.map(row),
    ]);
  }
  printPackets(figures);
  const memory = memoryRows(figures);
  if (memory.length > 0) {
    writeOut("\nmemory, and pauses of the garbage collector\n");
    printTable([MEMORY_HEADS.map((head) => head.toUpperCase()), ...memory]);
  }
  writeOut("\nthe bars\n");
  printTable([
    ["WHAT", "MEASURED", "BAR", ""],
    ...bars.map(({ what, value, bar, met }) => [what, value, bar, verdict(met)]),
  ]);
  for (const { work, hash, variants, differing } of figures.proofs) {
    if (differing.length === 0) {
      writeOut(`\nthe same flows by all ${variants} variants (${work}): ${hash}`);
    } else writeOut(`\nNOT the same flows (${work}): ${differing.join("; ")}`);
  }
  writeOut("\n");
  for (const { name, why } of figures.failures) writeOut(`does not count: ${name}: ${why}\n`);
  for (const line of environment.skipped) writeOut(`left out: ${line}\n`);
}

function printPackets(figures: Figures): void {
  const lines = packetLines(figures);
  if (lines.length > 0) writeOut(`\n${lines.join("\n")}\n`);
}

/** What became of packets, a line for each figure that has some. */
export function packetLines({ all }: Figures): string[] {
  return all.flatMap(({ name, lost, missed }) => [
    ...(lost === undefined ? [] : [`${name}: ${count(lost)} lost`]),
    ...(missed === undefined ? [] : [`${name}: ${count(missed)} packets found no flow`]),
  ]);
}

/** Whether a figure only serves to be subtracted. */
export function isStart(figure: Figure): boolean {
  return figure.flows === 0;
}

export function verdict(met: boolean | undefined): string {
  if (met === undefined) return "not measured";
  return met ? "met" : "MISSED";
}

function row(figure: Figure): string[] {
  const { latency, callsPerFlow, bytesPerFlow } = figure;
  const micro = (value: number | null | undefined): string =>
    value === undefined || value === null ? "-" : value.toFixed(0);
  return [
    figure.name,
    count(figure.flows),
    figure.each.toFixed(figure.each < 1 ? 4 : 2),
    figure.rounds > 1 ? `${(figure.spread * 100).toFixed(0)} %` : "–",
    count(Math.round(1e6 / figure.each)),
    callsPerFlow === undefined ? "-" : callsPerFlow.toFixed(4),
    bytesPerFlow === undefined ? "-" : bytesPerFlow.toFixed(0),
    micro(latency?.p50),
    micro(latency?.p99),
    micro(latency?.max),
  ];
}
