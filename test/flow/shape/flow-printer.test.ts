import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Flow } from "../../../src/flow/flow.ts";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { copyFlow, type FlowParts } from "../../../src/flow/parts.ts";
import { portNamesOf } from "../../../src/flow/ports.ts";
import { type FlowPrintStyle, printFlow } from "../../../src/flow/print.ts";
import { FlowPrinter } from "../../../src/flow/shape/flow-printer.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";

import { PROPERTY } from "../harness.ts";

const NOW_MS = 123_456;
const PORTS = portNamesOf([
  { name: "veth1", number: 1 },
  { name: "veth2", number: 2 },
  { name: "grün", number: 4 },
]);
const STYLES: readonly FlowPrintStyle[] = [true, false].flatMap((verbose) =>
  [true, false].flatMap((statistics) =>
    [undefined, PORTS].map((ports) => ({ verbose, statistics, ports })),
  ),
);

const CORPUS: readonly FlowParts[] = readFileSync(
  join(import.meta.dir, "../corpus/flows.txt"),
  "utf8",
)
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => Flow.parse(line).parts);

function slow(flow: FlowParts, style: FlowPrintStyle): string {
  const out = new TextSink();
  return `${printFlow(flow, new KeyRecord(), out, style, NOW_MS)} ${out.toString()}`;
}

/** Flows as they are printed by one printer, one after the other. */
function fast(flows: readonly FlowParts[], style: FlowPrintStyle): string[] {
  const printer = new FlowPrinter(style);
  const out = new TextSink();
  return flows.map((flow) => {
    out.clear();
    return `${printer.print(flow, out, NOW_MS)} ${out.toString()}`;
  });
}

test.each(STYLES)("flows are printed as one by one, %p", (style) => {
  const flows = [...CORPUS, ...CORPUS.toReversed(), ...CORPUS];
  expect(fast(flows, style)).toEqual(flows.map((flow) => slow(flow, style)));
});

test("so are flows with any bytes in them", () => {
  const change = fc.record({
    flow: fc.integer({ min: 0, max: CORPUS.length - 1 }),
    // Most go into the values of a key.
    range: fc.constantFrom("key", "key", "key", "key", "mask", "actions", "ufid"),
    at: fc.double({ min: 0, max: 0.999, noNaN: true }),
    byte: fc.integer({ min: 0, max: 255 }),
    packets: fc.integer({ min: 0, max: 1000 }),
  } as const);
  fc.assert(
    fc.property(fc.array(change, { minLength: 20, maxLength: 200 }), (changes) => {
      const flows = changes.map(({ flow, range, at, byte, packets }) => {
        const copy = copyFlow(CORPUS[flow] ?? expect.unreachable());
        const { start, end } = copy[range];
        if (start >= 0) copy.bytes[start + Math.floor(at * (end - start))] = byte;
        return { ...copy, packets };
      });
      for (const style of STYLES) {
        expect(fast(flows, style)).toEqual(flows.map((flow) => slow(flow, style)));
      }
    }),
    { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 10) },
  );
});

test("flows of one pattern are printed by it, and others are not", () => {
  const flow = (last: number, rest = ""): FlowParts =>
    Flow.parse(
      `in_port(${last}),eth(),eth_type(0x0800),ipv4(src=10.0.0.${last},proto=17,frag=no),udp(dst=${last})${rest} 2`,
    ).parts;
  const many = Array.from({ length: 300 }, (_, i) => flow(i % 256));
  for (const style of STYLES) {
    const wanted = many.map((one) => slow(one, style));
    expect(fast(many, style)).toEqual(wanted);
  }
});
