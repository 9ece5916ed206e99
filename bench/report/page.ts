import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWholeFile } from "../../src/cli/output-file.ts";
import type { Bar } from "../bars.ts";
import type { Figure, Figures } from "../figures.ts";
import { MEMORY_HEADS, memoryRows } from "../memory.ts";
import { type Environment, PARTS, type Results } from "../model.ts";
import { isStart, packetLines, verdict } from "../print.ts";
import { type Chart, chartsOf } from "./charts.ts";
import { escapeXml as text, peerRows, peersSvg, where } from "./svg.ts";

/**
 * Writes a self-contained page: plots drawn by uPlot, which is inlined, with every number also in a
 * table.
 * @throws Error if uPlot is not installed
 */
export function writeReport(
  file: string,
  results: Results,
  figures: Figures,
  bars: readonly Bar[],
): void {
  const library = (name: string): string =>
    readFileSync(Bun.resolveSync(`uplot/dist/${name}`, import.meta.dir), "utf8");
  const own = (name: string): string => readFileSync(join(import.meta.dir, name), "utf8");
  const charts = chartsOf(figures);
  const { environment } = results;
  const body = [
    `<h1>millrace: the benchmark</h1>`,
    `<p class="soft">${text(where(environment))}; millrace ${text(environment.millrace)} ${text(environment.commit)}, Bun ${text(environment.bun)}; ${text(environment.date.slice(0, 16).replace("T", " "))} UTC</p>`,
    barsSection(bars),
    peersSection(environment, figures),
    ...charts.map(chartSection),
    memorySection(figures),
    packetsSection(figures),
    figuresSection(figures),
    proofSection(figures),
    environmentSection(environment),
  ];
  // The page's data must not end its script element.
  const data = JSON.stringify(charts).replaceAll("<", "\\u003c");
  writeWholeFile(
    file,
    "--report",
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>millrace: the benchmark</title>
<link rel="icon" href="data:,">
<style>${library("uPlot.min.css")}
${own("style.css")}</style>
</head>
<body>
${body.join("\n")}
<script type="application/json" id="charts">${data}</script>
<script>${library("uPlot.iife.min.js")}</script>
<script>${own("client.js")}</script>
</body>
</html>
`,
  );
}

function barsSection(bars: readonly Bar[]): string {
  const rows = bars.map(({ what, value, bar, met }) => {
    const mark = met === undefined ? "soft" : met ? "met" : "missed";
    return `<tr><td>${text(what)}</td><td>${text(value)}</td><td>${text(bar)}</td><td class="${mark}">${verdict(met)}</td></tr>`;
  });
  return `<h2>The bars</h2>
<p>Ratios of medians, taken in this run: what millrace promises to be, and what it was here.</p>
<div class="scroll"><table><thead><tr><th>what</th><th>measured</th><th>bar</th><th></th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table></div>`;
}

function peersSection(environment: Environment, figures: Figures): string {
  const rows = peerRows(figures);
  if (rows.length === 0) return "";
  // Embedded as an image, to keep the styles of the drawing and of the page separate.
  const image = Buffer.from(peersSvg(environment, figures)).toString("base64");
  return `<h2>What a flow costs, by program</h2>
<p>The same flows in the same kernel, each program a process of its own, after a warm-up load and flush.</p>
<img alt="Microseconds a flow by program; the table below holds the numbers" src="data:image/svg+xml;base64,${image}">
<details open><summary>numbers</summary>${table(
    ["program", "µs a flow", "flows a second"],
    rows.map(({ name, each }) => [name, each.toFixed(2), integerText(1e6 / each)]),
  )}</details>`;
}

function chartSection(chart: Chart): string {
  const { id, title, note, x, series } = chart;
  const rows = x.values.map((value, i) => [
    x.names?.[i] ?? integerText(value),
    ...series.map(({ values }) => number(values[i])),
  ]);
  return `<h2>${text(title)}</h2>
<p>${text(note)}</p>
<div class="plot"><div id="${id}"></div></div>
<details open><summary>numbers: ${text(chart.y.label)}</summary>${table(
    [x.label, ...series.map(({ label }) => label)],
    rows,
  )}</details>`;
}

function memorySection(figures: Figures): string {
  const rows = memoryRows(figures);
  if (rows.length === 0) return "";
  return `<h2>Memory, and pauses of the garbage collector</h2>
<p>Of long loads, in runs of their own: a collector that tells of its pauses takes longer.</p>
${table(MEMORY_HEADS, rows)}`;
}

function packetsSection(figures: Figures): string {
  const lines = packetLines(figures).map((line) => `<li>${text(line)}</li>`);
  if (lines.length === 0) return "";
  return `<h2>Packets while the table changes</h2>
<ul>${lines.join("")}</ul>`;
}

function figuresSection(figures: Figures): string {
  const parts = PARTS.map((part): string => {
    const found = figures.all.filter((figure) => figure.part === part && !isStart(figure));
    if (found.length === 0) return "";
    const heads = [
      "program",
      "flows",
      "µs a flow",
      "±",
      "flows a second",
      "calls a flow",
      "bytes a flow",
    ];
    const more = ["p50", "p90", "p99", "p99.9", "max µs", "peak MB"];
    return `<details${part === "sweep" ? "" : " open"}><summary>${part}</summary>${table([...heads, ...more], found.map(figureRow))}</details>`;
  });
  return `<h2>All figures</h2>
<p>Medians over rounds; ± is half the distance between the least and the greatest round.</p>${parts.join("")}`;
}

function figureRow(figure: Figure): string[] {
  const { latency, peakBytes } = figure;
  return [
    figure.name,
    integerText(figure.flows),
    figure.each.toFixed(figure.each < 1 ? 4 : 2),
    figure.rounds > 1 ? `${(figure.spread * 100).toFixed(0)} %` : "–",
    integerText(1e6 / figure.each),
    figure.callsPerFlow === undefined ? "–" : figure.callsPerFlow.toFixed(4),
    figure.bytesPerFlow === undefined ? "–" : figure.bytesPerFlow.toFixed(0),
    number(latency?.p50),
    number(latency?.p90),
    number(latency?.p99),
    number(latency?.p999),
    number(latency?.max),
    peakBytes === undefined || peakBytes === 0 ? "–" : (peakBytes / 1e6).toFixed(0),
  ];
}

function proofSection(figures: Figures): string {
  const rows = figures.proofs.map(({ work, hash, variants, differing }) => [
    work,
    integerText(variants),
    hash,
    differing.length === 0 ? "the same" : `other flows: ${differing.join("; ")}`,
  ]);
  const failed = figures.failures.map(({ name, why }) => `<li>${text(name)}: ${text(why)}</li>`);
  return `<h2>The same work</h2>
<p>The kernel's own dump after each variant, as a count and a hash that does not depend on the order.</p>
${table(["flows", "variants", "hash", ""], rows)}
${failed.length === 0 ? "" : `<p>These runs do not count:</p><ul>${failed.join("")}</ul>`}`;
}

function environmentSection(environment: Environment): string {
  const { skipped, ...facts } = environment;
  const rows = Object.entries(facts)
    .filter(([name]) => name !== "kind" && name !== "version")
    .map(([name, value]) => [name, Array.isArray(value) ? value.join(", ") : String(value)]);
  const left = skipped.map((line) => `<li>${text(line)}</li>`);
  return `<h2>Where it was measured</h2>${table(["", ""], rows)}
<p>Only ratios taken in one run carry over to another machine.</p>
${left.length === 0 ? "" : `<p>Left out:</p><ul>${left.join("")}</ul>`}`;
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = heads.map((cell) => `<th>${text(cell)}</th>`).join("");
  const body = rows.map(
    (row) => `<tr>${row.map((cell) => `<td>${text(cell)}</td>`).join("")}</tr>`,
  );
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body.join("\n")}</tbody></table></div>`;
}

function integerText(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return value >= 100 ? integerText(value) : value.toFixed(2);
}
