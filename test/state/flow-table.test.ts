import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { Flow } from "../../src/flow/flow.ts";
import { newFlowParts } from "../../src/flow/parts.ts";
import { FlowTable } from "../../src/state/flow-table.ts";
import { flowOf } from "../flow/dumped-flow.ts";
import { PROPERTY } from "../flow/harness.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { nameOf, partsOf, printed, rule } from "./matches.ts";

const textAt = (table: FlowTable, index: number): string =>
  Flow.fromParts(table.read(index, newFlowParts())).toString();

test("a table is a map from matches to flows: the flow that was put last is there, under its first number", () => {
  fc.assert(
    fc.property(fc.array(rule, { maxLength: 60 }), (rules) => {
      const table = new FlowTable();
      const model = new Map<string, string>();
      for (const one of rules) {
        const parts = partsOf(one);
        const number = table.put(parts);
        expect(number).toBe([...model.set(nameOf(one), printed(one)).keys()].indexOf(nameOf(one)));
        expect(table.find(parts)).toBe(number);
      }
      expect(table.size).toBe(model.size);
      const texts = [...model.values()];
      expect(texts.map((_, index) => textAt(table, index))).toEqual(texts);
      const absent = partsOf({ key: [3, 3, 3], mask: [3, 3, 3], to: 1 });
      expect(table.find(absent) < 0).toBe(!model.has("3,3,3/3,3,3"));
    }),
    PROPERTY,
  );
});

test("many flows are found again, each by its match", () => {
  const table = new FlowTable();
  const flow = partsOf({ key: [1, 1, 1], mask: [3, 3, 3], to: 1 });
  const bytes = flow.bytes.slice();
  const address = bytes.indexOf(1, flow.key.start + 24);
  const flowAt = (index: number) => {
    bytes[address] = index;
    bytes[address + 1] = index >> 8;
    return { ...flow, bytes, mask: flow.key };
  };
  for (let i = 0; i < 20_000; i++) table.put(flowAt(i));
  expect(table.size).toBeGreaterThan(4000);
  const { size } = table;
  for (let i = 0; i < 20_000; i++) expect(table.put(flowAt(i))).toBe(table.find(flowAt(i)));
  expect(table.size).toBe(size);
});

test("a flow keeps what names it: a short UFID, or a key with bits that are not matched", () => {
  const table = new FlowTable();
  const given = flowOf(`ufid:0x0102, ${sampleLine(1)}`);
  const keyed = { ...flowOf(sampleLine(2)), ufid: { start: -1, end: -1 } };
  table.put(given);
  table.put(keyed);
  const view = newFlowParts();
  const { bytes, ufid } = table.read(0, view);
  expect([...bytes.subarray(ufid.start, ufid.end)]).toEqual([1, 2]);
  expect(table.read(1, view).ufid.start).toBe(-1);
  const key = keyed.bytes.slice(keyed.key.start, keyed.key.end);
  // Bits of the address that no mask asks for.
  const source = key.length - 20;
  const wild = flowOf("in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/8,frag=no) 1");
  const raw = wild.bytes.slice();
  expect(raw.subarray(wild.key.start, wild.key.end).length).toBeGreaterThan(source);
  raw[raw.indexOf(10, wild.key.start) + 1] = 77;
  const number = table.put({ ...wild, bytes: raw, ufid: { start: -1, end: -1 } });
  expect(table.find(wild)).toBe(number);
  const kept = table.read(number, view);
  expect(kept.bytes[kept.bytes.indexOf(10, kept.key.start) + 1]).toBe(77);
});

test("what cannot be read is not put", () => {
  const table = new FlowTable();
  const flow = flowOf(sampleLine(1));
  expect(table.put({ ...flow, key: { start: flow.key.start, end: flow.key.end - 2 } })).toBe(-1);
  expect(table.size).toBe(0);
});

test("the order of the hashes does not rest on the order in which flows were put", () => {
  const lines = Array.from({ length: 50 }, (_, i) => sampleLine(i));
  const sorted = (from: readonly string[]): string[] => {
    const table = new FlowTable();
    for (const line of from) table.put(flowOf(line));
    return [...table.sorted()].map((number) => textAt(table, number));
  };
  expect(sorted(lines)).toEqual(sorted(lines.toReversed()));
});
