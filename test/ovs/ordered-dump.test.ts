import { describe, expect, test } from "bun:test";
import { DumpCheck, type DumpDoubt } from "../../src/ovs/dump-check.ts";
import { dumpToLoad } from "../../src/ovs/ordered-dump.ts";
import { loadInto } from "../load/scripted-load.ts";
import { ScriptedDatapath } from "./scripted-datapath.ts";

/** A datapath that holds so many flows, of two masks: it is dumped twice, for the masks first. */
function holding(count: number, ufid: boolean): ScriptedDatapath {
  const dp = new ScriptedDatapath();
  const lines = Array.from({ length: count - 1 }, (_, i) => `in_port(${i + 1}),eth() 1`);
  const other = "in_port(60000),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/8,frag=no) 1";
  expect(loadInto(dp, [...lines, other], { ufid, flowsPerBatch: 512 }).report.applied).toBe(count);
  return dp;
}

/** The flows that a dump gives, and its doubts. */
function dump(dp: ScriptedDatapath): [flows: number, doubt: DumpDoubt | undefined] {
  const check = DumpCheck.of(dp.handle);
  let count = 0;
  for (const _ of dumpToLoad(dp.handle, { check })) count++;
  return [count, check.doubt()];
}

describe.each([true, false])("a dump in an order to load, by UFID: %p", (ufid) => {
  test("is whole where nothing changes, and where flows come or go meanwhile", () => {
    using dp = holding(100, ufid);
    expect(dump(dp)).toEqual([100, undefined]);
    const last = dp.table.flows.shift();
    let dumps = 0;
    dp.onDump = (flows) => {
      if (last !== undefined && ++dumps === 2) dp.table.flows.push(last);
      return flows;
    };
    expect(dump(dp)).toEqual([99, undefined]);
    dp.onDump = (flows) => {
      dp.table.flows.shift();
      return flows.slice(1);
    };
    expect(dump(dp)).toEqual([98, undefined]);
  });

  test("is doubtful where flows come twice, as while a table grows, or too few", () => {
    using dp = holding(100, ufid);
    // As many as there are: every one of the first 30 again, and none of the last 30.
    dp.onDump = (flows) => [...flows.slice(0, 70), ...flows.slice(0, 30)];
    const [count, doubt] = dump(dp);
    expect(count).toBe(100);
    expect(doubt).toEqual({ dumped: 70, repeated: 30, before: 100, after: 100 });
    dp.onDump = (flows) => flows.slice(1);
    expect(dump(dp)[1]).toEqual({ dumped: 99, repeated: 0, before: 100, after: 100 });
  });
});
