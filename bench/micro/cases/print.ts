import { Flow } from "../../../src/flow/flow.ts";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { type FlowPrintStyle, printFlow } from "../../../src/flow/print.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import type { MicroCase } from "./case.ts";

// Netlink bytes to text.

const STYLES: readonly (readonly [string, FlowPrintStyle])[] = [
  ["dump line", { verbose: false, statistics: true }],
  ["dump line of -m", { verbose: true, statistics: true }],
];

/** Netlink bytes to text. */
export function printCases(count: number): MicroCase[] {
  const flows = Array.from({ length: count }, (_, i) => Flow.parse(sampleLine(i * 7919)).parts);
  return STYLES.map(([name, style]) => {
    const record = new KeyRecord();
    const out = new TextSink(1024);
    const run = (): number => {
      let bytes = 0;
      for (const flow of flows) {
        out.clear();
        printFlow(flow, record, out, style, 0);
        bytes += out.length;
      }
      return bytes;
    };
    return { group: "print", name, unit: "flow", count, run };
  });
}
