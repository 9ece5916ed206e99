import { colours as pc } from "../colour.ts";
import { beginningOf } from "../columns.ts";
import { bytes, count, counted } from "../output.ts";
import type { TopSample, TopSort } from "./sampler.ts";

/** What the screen shows besides the sample. */
type ScreenState = {
  readonly sort: TopSort;
  readonly filter: string;
  /** The filter that is being typed; undefined while none is. */
  readonly typed: string | undefined;
  /** Whether it is not yet known which flows pass the filter. */
  readonly isJudging: boolean;
  readonly width: number;
  /** Rows for flows. */
  readonly rows: number;
};

/** Rows that are not flows. */
export const HEADER_ROWS = 4;

const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/** The sequences for the terminal's alternate screen, which preserves the main one. */
export const SCREEN: { readonly enter: string; readonly leave: string } = {
  enter: ENTER,
  leave: LEAVE,
};

/** A complete screen, written over the last one so that nothing flickers. */
export function screenText(sample: TopSample, state: ScreenState): string {
  const lines = sampleLines(sample, state);
  return `${HOME}${lines.map((line) => line + CLEAR_LINE).join("\n")}${CLEAR_BELOW}`;
}

/** The same as plain lines. */
export function sampleLines(sample: TopSample, state: ScreenState): string[] {
  const { sort, filter, typed, isJudging, width, rows } = state;
  const head =
    `${sample.datapath}  ${counted(sample.flows, "flow")}, ${count(sample.activeFlows)} busy  ` +
    `${rate(sample.packetsPerSecond)} packets/s  ${bytes(Math.round(sample.bytesPerSecond))}/s`;
  const keys =
    typed === undefined
      ? `p packets  b bytes  f filter  q quit${filterText(filter, isJudging)}`
      : `filter: ${typed}_   (Enter: apply, Esc: cancel)`;
  const mark = (column: TopSort, title: string): string =>
    (column === sort ? `${title}↓` : title).padStart(12);
  const lines = [
    pc.bold(beginningOf(head, width)),
    pc.dim(beginningOf(keys, width)),
    "",
    pc.bold(beginningOf(`${mark("packets", "packets/s")}${mark("bytes", "bytes/s")}  flow`, width)),
  ];
  if (sample.busiest.length === 0) {
    lines.push(pc.dim(beginningOf("no flow had packets in the last interval", width)));
  }
  for (const { packetsPerSecond, bytesPerSecond, flow } of sample.busiest.slice(0, rows)) {
    const rates = `${rate(packetsPerSecond).padStart(12)}${bytes(Math.round(bytesPerSecond)).padStart(12)}`;
    lines.push(beginningOf(`${rates}  ${flow}`, width));
  }
  return lines;
}

function rate(value: number): string {
  return value >= 100 ? count(Math.round(value)) : value.toFixed(1);
}

function filterText(filter: string, isJudging: boolean): string {
  if (filter === "") return "";
  return `   filter: ${filter}${isJudging ? " (looking for its flows)" : ""}`;
}
