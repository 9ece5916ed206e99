import { describe, expect, test } from "bun:test";
import { Datapath, type DumpDoubt, MillraceError } from "../../src/index.ts";
import { failure, TestDatapath } from "./lab.ts";
import { loadText, sample } from "./loading.ts";

/** More than a dump's first read takes, and a few less than the 8,192 that the kernel makes its table anew at. */
const FLOWS = 8_000;
const LATER = 400;

describe("a dump beside which flows change", () => {
  test("of a table that is hashed anew says that flows came twice, and may be missing", async () => {
    using made = new TestDatapath("dumps0");
    using dp = Datapath.open(made.name);
    for (const terse of [false, true]) {
      dp.flush();
      await loadText(made, sample(FLOWS));
      const seen = new Set<string | undefined>();
      let times = 0;
      const doubts: DumpDoubt[] = [];
      const onDoubt = (doubt: DumpDoubt): void => void doubts.push(doubt);
      for (const { ufid } of terse ? dp.flows({ terse, onDoubt }) : dp.flows({ onDoubt })) {
        if (times++ === 0) await loadText(made, sample(LATER, FLOWS));
        seen.add(ufid);
      }
      const [doubt] = doubts;
      expect(doubts.length).toBe(1);
      expect(doubt).toMatchObject({ dumped: seen.size, before: FLOWS, after: FLOWS + LATER });
      expect(doubt?.repeated).toBe(times - seen.size);
      expect(times).toBeGreaterThan(seen.size);
    }
  });

  test("fails in the library where nobody asks for its doubts; one that is left early does not", async () => {
    using made = new TestDatapath("dumps1");
    using dp = Datapath.open(made.name);
    await loadText(made, sample(FLOWS));
    for (const _ of dp.flows()) break;
    const dump = dp.flows();
    dump.next();
    await loadText(made, sample(LATER, FLOWS));
    const error = failure(() => [...dump]);
    expect(error).toBeInstanceOf(MillraceError);
    expect(error).toMatchObject({ code: "UNSOUND_DUMP" });
  });

  test("is sound where flows only go, or only come to the same table", async () => {
    using made = new TestDatapath("dumps2");
    using dp = Datapath.open(made.name);
    await loadText(made, sample(FLOWS));
    expect([...dp.flows()].length).toBe(FLOWS);
    let times = 0;
    for (const _ of dp.flows()) if (times++ === 0) await loadText(made, sample(10, FLOWS));
    expect(times).toBeGreaterThanOrEqual(FLOWS);
    times = 0;
    // A loop over a datapath that is flushed: what was sent before ends it.
    for (const _ of dp.flows()) if (times++ === 0) dp.flush();
    expect(times).toBeGreaterThan(0);
    expect(times).toBeLessThan(FLOWS);
  });
});
