import { isStart } from "../print.ts";
import { type Figure, type Figures, isLimit } from "../figures.ts";
import type { Environment, Program, VariantId } from "../model.ts";
import { PROGRAM_COLOURS } from "./palette.ts";

/** A bar: a name, and microseconds per flow. */
type Row = { readonly name: string; readonly program: Program; readonly each: number };

const WIDTH = 860;
const LABEL_WIDTH = 372;
const VALUE_WIDTH = 150;
const ROW_HEIGHT = 26;
const TOP = 66;
const BOTTOM = 56;

/**
 * The cost of a flow with each program, as bars on a logarithmic scale: the plot of the README.
 * Readable on light and dark pages.
 */
export function peersSvg(environment: Environment, figures: Figures): string {
  const rows = peerRows(figures);
  const height = TOP + rows.length * ROW_HEIGHT + BOTTOM;
  const most = Math.max(...rows.map(({ each }) => each), 10);
  const decades = Math.floor(Math.log10(most));
  const span = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
  const x = (each: number): number =>
    LABEL_WIDTH + (Math.log10(Math.max(1, each)) / Math.log10(most)) * span;
  const end = TOP + rows.length * ROW_HEIGHT;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-labelledby="title description">`,
    `<title id="title">What installing a flow costs, by program</title>`,
    `<desc id="description">${rows.map(({ name, each }) => `${escapeXml(name)}: ${micro(each)} µs`).join("; ")}</desc>`,
    `<style>${styles()}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>`,
    `<text class="head" x="16" y="28">µs a flow, logarithmic scale: shorter is faster</text>`,
    `<text class="small" x="16" y="48">${escapeXml(where(environment))}</text>`,
  ];
  for (let decade = 0; decade <= decades; decade++) {
    const at = x(10 ** decade).toFixed(1);
    parts.push(
      `<line class="grid" x1="${at}" y1="${TOP - 4}" x2="${at}" y2="${end}"/>`,
      `<text class="small" x="${at}" y="${end + 18}" text-anchor="middle">${10 ** decade}</text>`,
    );
  }
  rows.forEach(({ name, program, each }, i) => {
    const y = TOP + i * ROW_HEIGHT;
    const width = Math.max(2, x(each) - LABEL_WIDTH).toFixed(1);
    parts.push(
      `<text class="name${program === "millrace" ? " own" : ""}" x="${LABEL_WIDTH - 10}" y="${y + 17}" text-anchor="end">${escapeXml(name)}</text>`,
      `<rect class="${programClass(program)}" x="${LABEL_WIDTH}" y="${y + 4}" width="${width}" height="${ROW_HEIGHT - 8}" rx="2"/>`,
      `<text class="value" x="${(x(each) + 8).toFixed(1)}" y="${y + 17}">${micro(each)} µs</text>`,
    );
  });
  const foot = "first send to last reply; 'whole process' counts start, reading and parsing too";
  parts.push(`<text class="small" x="16" y="${height - 14}">${foot}</text>`, "</svg>");
  return `${parts.join("\n")}\n`;
}

/** The bars, the fastest first. */
export function peerRows(figures: Figures): Row[] {
  const figuresOf = (part: string): Figure[] =>
    figures.all.filter((figure) => figure.part === part && !isStart(figure));
  const start = figures.all.find(({ id }) => id === "dpctl-start");
  const rows: Row[] = [];
  const add = (name: string, figure: Figure | undefined, each?: number): void => {
    if (figure === undefined) return;
    rows.push({ name, program: figure.program, each: each ?? figure.each });
  };
  const both = [...figuresOf("growth"), ...figuresOf("peers")];
  const limits = both.filter(isLimit);
  const large = limits.filter(({ flows }) => flows === limits[0]?.flows);
  const fastest = large.toSorted((a, b) => a.each - b.each)[0];
  add("the kernel's limit: C, encoded before", fastest);
  const own = (wanted: VariantId): Figure | undefined => both.find(({ id }) => id === wanted);
  add("millrace, encoded before", own("packed"));
  add("millrace, from a template", own("template"));
  add("millrace load, compiled file", own("load-compiled"));
  const text = own("load-text");
  if (text !== undefined) {
    const elapsed = (text.wholeSeconds * 1e6) / text.flows;
    add("millrace load, text file, whole process", text, elapsed);
  }
  for (const figure of figuresOf("peers")) {
    if (figure.program === "millrace" || isLimit(figure)) continue;
    if (figure.program !== "ovs-dpctl") add(figure.name, figure);
    else if (start !== undefined) {
      const elapsed = ((figure.wholeSeconds - start.wholeSeconds) * 1e6) / figure.flows;
      add("ovs-dpctl add-flows, text file, less its start", figure, elapsed);
    }
  }
  return rows.toSorted((a, b) => a.each - b.each);
}

/** Where it was measured, in one line. */
export function where(environment: Environment): string {
  const { lab, labKernel, labCpus, cpu, cpus, flows } = environment;
  const kernel = labKernel === "" ? "" : ` ${labKernel}`;
  const names: Readonly<Record<string, string>> = {
    uml: "User Mode Linux",
    qemu: "QEMU",
    host: "Linux",
  };
  // A guest may have fewer CPUs; User Mode Linux has only one.
  const own = labCpus === undefined ? "" : ` (${labCpus} CPU${labCpus === 1 ? "" : "s"})`;
  return `${names[lab] ?? lab}${kernel}${own}, ${cpus} × ${cpu}, ${flows.toLocaleString("en-US")} flows`;
}

function micro(each: number): string {
  return each < 100 ? each.toFixed(each < 10 ? 2 : 1) : each.toFixed(0);
}

function programClass(program: Program): string {
  return `bar-${program}`;
}

function styles(): string {
  const fills = (which: 0 | 1): string =>
    Object.entries(PROGRAM_COLOURS)
      .map(([program, colours]) => `.bar-${program}{fill:${colours[which]}}`)
      .join("");
  return (
    "text{font:13px system-ui,-apple-system,'Segoe UI',sans-serif;fill:#1c2128}" +
    ".head{font-weight:600;font-size:15px}.small{font-size:12px;fill:#57606a}.own{font-weight:600}" +
    `.ground{fill:#fff}.grid{stroke:#d0d7de}${fills(0)}` +
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9aa4af}.ground{fill:#0d1117}" +
    `.grid{stroke:#30363d}${fills(1)}}`
  );
}

export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
