import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { FlowFilter } from "../../../src/flow/filter/filter.ts";
import { type FlowColumn, parseColumns } from "../../../src/flow/filter/columns.ts";
import { fieldCalled, fieldNames } from "../../../src/flow/filter/names.ts";
import { Subject } from "../../../src/flow/filter/subject.ts";
import type { FlowParts } from "../../../src/flow/parts.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";
import { actionList } from "../action/random.ts";
import { flowOf } from "../dumped-flow.ts";
import { PROPERTY } from "../harness.ts";
import { keyText } from "../key/arbitrary.ts";

/** Each run reads many filters. */
const FEWER = { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 10) };

function holds(filter: string, flow: FlowParts): boolean {
  return FlowFilter.parse(filter).passes(flow, 0);
}

/** The fields that have a value, at the first level that has them and after tags. */
const COLUMNS: readonly FlowColumn[] = ["", "encap.", "encap.encap."].flatMap((prefix) =>
  fieldNames()
    .map((name) => prefix + name)
    .filter((name) => fieldCalled(name)?.field !== undefined)
    .flatMap((name) => parseColumns(name, undefined)),
);

/** For each field, the condition that a flow matches it. */
const IS_MATCHED = new Map(COLUMNS.map(({ name }) => [name, FlowFilter.parse(name)]));

const flows: fc.Arbitrary<FlowParts> = fc
  .tuple(keyText, actionList)
  .map(([key, actions]) => flowOf(`${key} ${actions}`));

/** The fields that a flow matches, with their values as in its text. */
function valuesOf(flow: FlowParts): { matched: [string, string][]; others: string[] } {
  const subject = new Subject().set(flow, 0);
  const [matched, others]: [[string, string][], string[]] = [[], []];
  for (const { name, print } of COLUMNS) {
    const out = new TextSink();
    if (print(subject, out)) matched.push([name, out.toString()]);
    else others.push(name);
  }
  return { matched, others };
}

test("what a flow matches is true of it", () => {
  let seen = 0;
  fc.assert(
    fc.property(flows, (flow) => {
      const { matched, others } = valuesOf(flow);
      for (const [name, value] of matched) {
        expect([name, IS_MATCHED.get(name)?.passes(flow)]).toEqual([name, true]);
        for (const operator of ["=", "in", "meets"]) {
          const filter = `${name} ${operator} ${value}`;
          expect([filter, holds(filter, flow)]).toEqual([filter, true]);
        }
      }
      expect(others.filter((name) => IS_MATCHED.get(name)?.passes(flow) !== false)).toEqual([]);
      const all = matched.map(([name, value]) => `(${name} = ${value})`).join(" and ");
      if (matched.length > 0) expect(holds(all, flow)).toBe(true);
      seen += matched.length;
    }),
    { ...PROPERTY, numRuns: Math.ceil(PROPERTY.numRuns / 40) },
  );
  expect(seen).toBeGreaterThan(100);
});

test("fields that are matched whole have an order", () => {
  const order = fc.record({ flow: fc.nat({ max: 0xffff }), filter: fc.nat({ max: 0xffff }) });
  fc.assert(
    fc.property(order, ({ flow: value, filter: wanted }) => {
      const key = (port: string): FlowParts =>
        flowOf(`eth(),eth_type(0x0800),ipv4(proto=17,frag=no),udp(src=${port}) 1`);
      const address = flowOf(
        `eth(),eth_type(0x86dd),ipv6(src=fe80::${value.toString(16)},frag=no) 1`,
      );
      const of = (comparison: string): boolean[] => [
        holds(`udp.src ${comparison} ${wanted}`, key(`${value}`)),
        holds(`ipv6.src ${comparison} fe80::${wanted.toString(16)}`, address),
      ];
      expect(of("<")).toEqual([value < wanted, value < wanted]);
      expect(of("<=")).toEqual([value <= wanted, value <= wanted]);
      expect(of(">")).toEqual([value > wanted, value > wanted]);
      expect(of(">=")).toEqual([value >= wanted, value >= wanted]);
      expect(of("!=")).toEqual([value !== wanted, value !== wanted]);
      expect(of("=")).toEqual([value === wanted, value === wanted]);
      // Not all of its bits are matched: nothing is known of it.
      const part = key(`${value & 0xfff0}/0xfff0`);
      for (const comparison of ["<", "<=", ">", ">=", "!="]) {
        expect(holds(`udp.src ${comparison} ${wanted}`, part)).toBe(false);
      }
    }),
    FEWER,
  );
});

test("in is of every packet of a flow, meets of some: tried with all values of a byte", () => {
  const byte = fc.nat({ max: 255 });
  fc.assert(
    fc.property(byte, byte, byte, byte, (value, mask, wanted, bits) => {
      const flow = flowOf(`eth(),eth_type(0x0800),ipv4(ttl=${value}/${mask},frag=no) 1`);
      const packets = Array.from({ length: 256 }, (_, ttl) => ttl).filter(
        (ttl) => ((ttl ^ value) & mask) === 0,
      );
      const has = (ttl: number): boolean => ((ttl ^ wanted) & bits) === 0;
      expect(holds(`ipv4.ttl in ${wanted}/${bits}`, flow)).toBe(packets.every(has));
      expect(holds(`ipv4.ttl meets ${wanted}/${bits}`, flow)).toBe(packets.some(has));
    }),
    PROPERTY,
  );
});

/** Conditions that are each true for some flows and false for others. */
const condition: fc.Arbitrary<string> = fc.constantFrom(
  "eth",
  "vlan",
  "ipv4",
  "ipv6.proto",
  "ipv4.src",
  "tcp",
  "udp.src",
  "in_port",
  "tunnel",
  "ct_state",
  "mpls.label",
  "eth_type = 0x0800",
  "eth_type meets 0x86dd",
  "ipv4.dst meets 10.0.0.0/8",
  "actions has ct",
  "actions has set",
  "actions has output",
  "actions has clone",
  "output = 1",
);

const filter: fc.Arbitrary<string> = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    condition,
    fc.tuple(tie("any"), tie("any")).map(([a, b]) => `(${a}) and (${b})`),
    fc.tuple(tie("any"), tie("any")).map(([a, b]) => `(${a}) or (${b})`),
    tie("any").map((a) => `not (${a})`),
  ),
})).any;

test("not, and and or are those of logic, and bind in this order", () => {
  const answers = new Set<boolean>();
  fc.assert(
    fc.property(filter, filter, filter, flows, (a, b, c, flow) => {
      const [isA, isB, isC] = [a, b, c].map((one) => holds(one, flow));
      answers.add(isA ?? false);
      expect(holds(`not (${a})`, flow)).toBe(!isA);
      expect(holds(`not not (${a})`, flow)).toBe(isA ?? false);
      expect(holds(`(${a}) and (${b})`, flow)).toBe(Boolean(isA && isB));
      expect(holds(`(${a}) or (${b})`, flow)).toBe(Boolean(isA || isB));
      expect(holds(`(${a}) or (${b}) and (${c})`, flow)).toBe(Boolean(isA || (isB && isC)));
      expect(holds(`(${a}) and (${b}) or (${c})`, flow)).toBe(Boolean((isA && isB) || isC));
      expect(holds(`not (${a}) and (${b})`, flow)).toBe(Boolean(!isA && isB));
      expect(holds(`not ((${a}) or (${b}))`, flow)).toBe(holds(`not (${a}) and not (${b})`, flow));
    }),
    FEWER,
  );
  expect(answers.size).toBe(2);
});

test("any text is a filter, or has an error with its place", () => {
  const word = fc.constantFrom(
    ..."tcp.dst ipv4.src in_port ct_state packets used never ufid actions has output ct and or not ( ) = != < > in meets 1 10.0.0.0/8 +est 0x /".split(
      " ",
    ),
  );
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(word, { maxLength: 8 }).map((words) => words.join(" ")),
  );
  fc.assert(
    fc.property(text, (words) => {
      try {
        FlowFilter.parse(words);
      } catch (error) {
        expect(error).toMatchObject({ name: "FlowSyntaxError", line: 1 });
      }
    }),
    PROPERTY,
  );
});
