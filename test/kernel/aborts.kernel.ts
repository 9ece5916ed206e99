import { describe, expect, test } from "bun:test";
import { Datapath, readFlows, validate } from "../../src/index.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { loadReportSchema } from "../../src/load/report-schema.ts";
import { schemaCheck } from "../json-schema.ts";
import { TestDatapath } from "./lab.ts";

/**
 * The rule for signals: calls that change or judge flows return their account, calls that wait
 * throw the signal's reason.
 */

const REASON = new Error("enough");

/** What a promise is rejected with. */
async function thrown(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => ({ value }),
    (error: unknown) => error,
  );
}

/** Flows without an end, and an abort after the first thousand. */
function* endless(stop: AbortController): Generator<string, void> {
  for (let i = 0; ; i++) {
    if (i === 1000) stop.abort(REASON);
    yield sampleLine(i);
  }
}

/** Flows, and the end of the datapath in their midst. */
function* deleting(name: string): Generator<string, void> {
  for (let i = 0; i < 20_000; i++) {
    if (i === 10_000) Datapath.open(name).delete();
    yield sampleLine(i);
  }
}

const errorsOf = schemaCheck(loadReportSchema());

describe("what changes or judges flows", () => {
  test("sends nothing where it was aborted before", async () => {
    using made = new TestDatapath("ab1");
    using dp = Datapath.open(made.name);
    const signal = AbortSignal.abort(REASON);
    const { report } = await dp.load([sampleLine(0)], { signal });
    expect(report).toMatchObject({ applied: 0, ended: "interrupted", endReason: "" });
    expect(made.flows).toBe(0);
    expect(await validate([sampleLine(0)], { signal })).toMatchObject({ ended: "interrupted" });
    dp.put(sampleLine(0));
    expect(await dp.removeWhere("udp", { signal })).toMatchObject({
      removed: 0,
      ended: "interrupted",
    });
    for (const wanted of [[sampleLine(1)], await readFlows([sampleLine(1)])]) {
      expect(await dp.sync(wanted, { signal, maxChange: 100 })).toMatchObject({
        sent: 0,
        ended: "interrupted",
      });
    }
    expect(made.flows).toBe(1);
  });

  test("accounts for all that it sent", async () => {
    using made = new TestDatapath("ab2");
    using dp = Datapath.open(made.name);
    const stop = new AbortController();
    const result = await dp.load(endless(stop), { signal: stop.signal });
    expect(result.report.ended).toBe("interrupted");
    expect(result.applied).toBeGreaterThanOrEqual(1000);
    expect(result.applied).toBe(made.flows);
    expect(errorsOf(JSON.parse(JSON.stringify(result.report)))).toEqual([]);
    const judging = new AbortController();
    const judged = await validate(endless(judging), { signal: judging.signal });
    expect([judged.ended, judged.encoded >= 1000]).toEqual(["interrupted", true]);
  });

  test("its report fits the schema whatever became of the flows", async () => {
    using made = new TestDatapath("ab3");
    using dp = Datapath.open(made.name);
    const lines = [sampleLine(0), "in_port(1),eth(),eth_type(0x0800),ipv4(proto=6),tcp() 2", "x"];
    for (const mode of ["add", "add", "modify", "delete", "delete"] as const) {
      const { report } = await dp.load(lines, { mode });
      expect([mode, errorsOf(JSON.parse(JSON.stringify(report)))]).toEqual([mode, []]);
      expect(report.errors.length).toBeGreaterThan(0);
    }
    const { report } = await dp.load(deleting(made.name));
    expect(report.ended).toBe("fatal");
    expect(errorsOf(JSON.parse(JSON.stringify(report)))).toEqual([]);
  });
});

describe("what waits or reads", () => {
  test("has no part of a set of flows to give", async () => {
    const stop = new AbortController();
    expect(await thrown(readFlows(endless(stop), { signal: stop.signal }))).toBe(REASON);
    expect(await thrown(readFlows([], { signal: AbortSignal.abort(REASON) }))).toBe(REASON);
  });

  test("throws the reason, at once or meanwhile, and keeps what has come", async () => {
    using made = new TestDatapath("ab4");
    using dp = Datapath.open(made.name);
    using upcalls = dp.upcalls();
    using changes = dp.changes({ kinds: ["flow"] });
    for (const stream of [upcalls, changes]) {
      const aborted = { signal: AbortSignal.abort(REASON) };
      expect(await thrown(stream.wait(aborted))).toBe(REASON);
      expect(await thrown(stream.next(aborted))).toBe(REASON);
      for (const ask of ["wait", "next"] as const) {
        const stop = new AbortController();
        const waiting = thrown(stream[ask]({ signal: stop.signal }));
        setTimeout(() => stop.abort(REASON), 20);
        expect(await waiting).toBe(REASON);
      }
      expect(stream.closed).toBe(false);
    }
    dp.put(sampleLine(0));
    expect(await thrown(changes.next({ signal: AbortSignal.abort(REASON) }))).toBe(REASON);
    expect(await changes.next()).toMatchObject({ kind: "flow", change: "new" });
    // What was read ahead is no reason to go on, either.
    dp.put(sampleLine(1));
    dp.put(sampleLine(2));
    await changes.next();
    expect(await thrown(changes.wait({ signal: AbortSignal.abort(REASON) }))).toBe(REASON);
    expect(await changes.wait({ timeoutMs: 1000 })).toBe(true);
  });

  test("iteration throws the reason and closes what it reads", async () => {
    using changes = Datapath.changes();
    const iteration = changes.events({ signal: AbortSignal.timeout(20) });
    expect(await thrown(iteration.next())).toMatchObject({ name: "TimeoutError" });
    expect(changes.closed).toBe(true);
  });
});
