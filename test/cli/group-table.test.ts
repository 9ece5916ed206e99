import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { GroupTable } from "../../src/cli/group-table.ts";
import { TextSink } from "../../src/flow/text/sink.ts";
import { PROPERTY } from "../flow/harness.ts";

function sinkOf(name: string): TextSink {
  const sink = new TextSink(1);
  sink.unicode(name);
  return sink;
}

/** Counts names as a table does, and as a Map does. */
function compare(names: readonly string[]): void {
  const table = new GroupTable();
  const wanted = new Map<string, number>();
  for (const name of names) {
    const group = table.indexOf(sinkOf(name));
    table.flows[group] = (table.flows[group] ?? 0) + 1;
    wanted.set(name, (wanted.get(name) ?? 0) + 1);
  }
  const found = Array.from({ length: table.size }, (_, group): [string, number] => [
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(table.nameOf(group)),
    table.flows[group] ?? 0,
  ]);
  expect(found).toEqual([...wanted]);
}

test("names are found again, each is a group", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 6 })), (names) => {
      compare([...names, ...names.toReversed()]);
    }),
    PROPERTY,
  );
});

test("there is room for as many as come", () => {
  const names = Array.from({ length: 20_000 }, (_, i) => `10.0.${i >> 8}.${i & 0xff}`);
  compare([...names, ...names]);
});
