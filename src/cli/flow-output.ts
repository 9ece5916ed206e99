import type { FlowParts } from "../flow/parts.ts";
import type { PortNames } from "../flow/ports.ts";
import { FlowPrinter } from "../flow/shape/flow-printer.ts";
import { TextSink } from "../flow/text/sink.ts";
import type { FlowFormat } from "../format/detect.ts";
import { monotonicMs } from "../sys/clock.ts";
import { MillraceError } from "../sys/errors.ts";
import { UsageError } from "./exit.ts";
import { outputEnded, writeOut } from "./output.ts";

/** How flows are printed. */
type FlowOutputOptions = {
  readonly format: FlowFormat;
  /** Also prints UFIDs and wildcarded fields. */
  readonly more?: boolean | undefined;
  readonly stats: boolean;
};

/** Output is written in pieces of this size. */
const PIECE_BYTES = 256 << 10;

/**
 * Prints flows to standard output.
 * @returns how many
 * @throws MillraceError `MALFORMED` for one that cannot be decoded; UsageError for a flow set to a terminal
 */
export async function printFlows(
  flows: Iterable<FlowParts>,
  options: FlowOutputOptions,
  ports: PortNames | undefined,
): Promise<number> {
  const output = await openOutput(options, ports);
  let printed = 0;
  for (const view of flows) {
    if (!output.add(view)) {
      throw new MillraceError("MALFORMED", "the kernel sent a flow that cannot be decoded");
    }
    printed++;
    if (outputEnded()) return printed;
  }
  output.finish();
  return printed;
}

/** Writes flows to standard output. */
type FlowOutput = {
  /** @returns false if the flow cannot be decoded */
  readonly add: (view: FlowParts) => boolean;
  readonly finish: () => void;
};

async function openOutput(
  options: FlowOutputOptions,
  ports: PortNames | undefined,
): Promise<FlowOutput> {
  if (options.format === "msgpack") {
    if (process.stdout.isTTY) throw new UsageError("a flow set is not for a terminal");
    const { FlowSetDump } = await import("../format/flow-set/dump.ts");
    const { FlowSetWriter } = await import("../format/flow-set/writer.ts");
    const set = new FlowSetDump(new FlowSetWriter(writeOut), ports);
    return { add: (view) => set.add(view), finish: () => set.finish() };
  }
  const style = { verbose: options.more === true, statistics: options.stats, ports };
  const printer = new FlowPrinter(style);
  const out = new TextSink(PIECE_BYTES * 2);
  let nowMs = monotonicMs();
  const finish = (): void => {
    writeOut(out.bytes.subarray(0, out.length));
    out.clear();
    // A long dump takes time, so the clock is read again.
    nowMs = monotonicMs();
  };
  const endLine = (): true => {
    out.byte(NEWLINE);
    if (out.length >= PIECE_BYTES) finish();
    return true;
  };
  if (options.format === "text") {
    return { add: (view) => printer.print(view, out, nowMs) && endLine(), finish };
  }
  const { printedLineToJson } = await import("../flow/json.ts");
  const line = new TextSink(4096);
  const add = (view: FlowParts): boolean => {
    line.clear();
    if (!printer.print(view, line, nowMs)) return false;
    out.unicode(JSON.stringify(printedLineToJson(line.toString())));
    return endLine();
  };
  return { add, finish };
}

const NEWLINE = 10;
