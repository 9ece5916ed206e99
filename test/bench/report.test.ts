import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { barsOf } from "../../bench/bars.ts";
import { figuresOf } from "../../bench/figures.ts";
import type { Latency, Run } from "../../bench/model.ts";
import { chartsOf } from "../../bench/report/charts.ts";
import { writeReport } from "../../bench/report/page.ts";
import { lacks, testUnless } from "../runner/skip.ts";
import { results, run } from "./support.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-report-"));
afterAll(() => rmSync(folder, { recursive: true }));

const latency: Latency = { p50: 10, p90: 20, p99: 30, p999: 40, max: 50 };

function sweep(perDatagram: number, program: "millrace" | "C"): Run {
  const packing = { perDatagram, perCall: 1, transport: "send", ack: "errors" } as const;
  const more = { part: "sweep", program, packing, batchLatencyMicroseconds: latency } as const;
  const id = `${program === "C" ? "limit" : "packed"}-${perDatagram}` as const;
  return run(id, 0, 1 / perDatagram, more);
}

const found = results(
  ...[1, 16, 1024].flatMap((size) => [sweep(size, "millrace"), sweep(size, "C")]),
  run("packed", 0, 2, {
    name: "millrace, encoded before </script><b>",
    tenths: Array.from({ length: 10 }, () => 1),
  }),
  run("packed-4-masks", 0, 1, { part: "masks", masks: 4 }),
  run("packets-64", 0, 3e-3, { part: "masks", name: "packets, 64 masks" }),
  run("packets-64-cache-1024", 0, 2e-3, { part: "masks", name: "packets, cached" }),
  run("packets-0", 0, 1e-3, { part: "masks", name: "packets, not looked up" }),
  run("churn-packets", 0, 1, { part: "churn", name: "packets <that stay>", lost: 3 }),
  run("churn-operations", 0, 1, { part: "churn", name: "operations", missed: 1200 }),
  run("load-text-watched", 0, 1, {
    name: "watched",
    collectorPausesMs: [1.25, 0.5],
    peakResidentBytes: 64e6,
  }),
);
const file = join(folder, "report.html");
const figures = figuresOf(found);
writeReport(file, found, figures, barsOf(found, figures));

test("the report needs nothing but itself, and says what was measured", () => {
  const html = readFileSync(file, "utf8");
  expect(html).not.toMatch(/(src|href)="(?!data:)/);
  expect(html).not.toContain("</script><b>");
  expect(html).toContain("a &lt;CPU&gt;");
  const memory = ["watched", "1,000", "64", "2", "1.8", "1.3"];
  expect(html).toContain(memory.map((cell) => `<td>${cell}</td>`).join(""));
});

test("the report has the masks of packets by cache, and what became of packets", () => {
  const html = readFileSync(file, "utf8");
  expect(html).toContain("<li>packets &lt;that stay&gt;: 3 lost</li>");
  expect(html).toContain("<li>operations: 1,200 packets found no flow</li>");
  const chart = chartsOf(figures).find(({ id }) => id === "mask-packets");
  expect(chart?.x.values).toEqual([64]);
  expect(chart?.series.map(({ label, values }) => [label, ...values])).toEqual([
    ["the usual cache", 3],
    ["a cache of 1024", 2],
  ]);
  // What has no number of masks is no point of the other plot.
  expect(chartsOf(figures).find(({ id }) => id === "masks")?.x.values).toEqual([4]);
});

testUnless(lacks("chromium"))("a browser draws every plot, without an error", () => {
  const options = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--enable-logging=stderr",
    "--virtual-time-budget=3000",
    `--user-data-dir=${join(folder, "profile")}`,
  ];
  const child = Bun.spawnSync(["chromium", ...options, "--dump-dom", `file://${file}`], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const page = child.stdout.toString();
  const charts = chartsOf(figures);
  expect(charts.length).toBeGreaterThan(3);
  expect(page.match(/<canvas/g)?.length).toBe(charts.length);
  expect(child.stderr.toString()).not.toMatch(/CONSOLE/);
});
