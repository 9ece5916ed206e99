import { KeyRecord } from "../../../src/flow/key/record.ts";
import { decodeFlow, type FlowParts, newFlowParts } from "../../../src/flow/parts.ts";
import { type FlowPrintStyle, printFlow } from "../../../src/flow/print.ts";
import { FlowPrinter } from "../../../src/flow/shape/flow-printer.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { encodeLines, type MicroCase } from "./case.ts";

// Netlink bytes to text: flows that share a form, as in dumps, and flows printed individually.

const STYLES: readonly (readonly [string, FlowPrintStyle])[] = [
  ["dump line", { verbose: false, statistics: true }],
  ["dump line of -m", { verbose: true, statistics: true }],
];

/** Netlink bytes to text. */
export function printCases(count: number): MicroCase[] {
  const flows = dumpedFlows(count);
  return STYLES.flatMap(([name, style]) => {
    const printer = new FlowPrinter(style);
    const record = new KeyRecord();
    return [
      printCase(name, flows, (flow, out) => printer.print(flow, out, 0)),
      printCase(`${name}, each on its own`, flows, (flow, out) =>
        printFlow(flow, record, out, style, 0),
      ),
    ];
  });
}

/** Flows in one buffer, as a dump receives them. */
function dumpedFlows(count: number): FlowParts[] {
  const lines = Array.from({ length: count }, (_, i) => sampleLine(i * 7919));
  const { bytes, starts } = encodeLines(lines, { ufid: true });
  const view = new DataView(bytes.buffer);
  return lines.map((_, i) => {
    const parts = newFlowParts();
    decodeFlow({ bytes, view, start: starts[i] ?? 0, end: starts[i + 1] ?? 0 }, parts);
    return parts;
  });
}

function printCase(
  name: string,
  flows: readonly FlowParts[],
  print: (flow: FlowParts, out: TextSink) => boolean,
): MicroCase {
  const out = new TextSink(1024);
  const run = (): number => {
    let bytes = 0;
    for (const flow of flows) {
      out.clear();
      print(flow, out);
      bytes += out.length;
    }
    return bytes;
  };
  return { group: "print", name, unit: "flow", count: flows.length, run };
}
