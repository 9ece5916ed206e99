import { expect, test } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import { FlowTemplate } from "../../src/flow/template.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { FlowsFeed } from "../../src/format/flows-feed.ts";
import { bytesSource, UnreadableInputError } from "../../src/format/source.ts";
import { TemplateFeed } from "../../src/format/template-feed.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import type { FlowRequests } from "../../src/ovs/flow-requests.ts";
import { DryRun } from "../../src/load/dry-run.ts";
import { load, loadSync } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import { ENOENT } from "../../src/sys/errno.ts";
import { MemoryKernel } from "../../src/testing/index.ts";
import { limit } from "../runner/limit.ts";

/** A sink whose flows take `slices` calls to be settled, or no end of them until it is given up. */
class SlowSink extends DryRun {
  abandoned = false;
  #slicesLeft: number;

  constructor(slices: number) {
    super(new Account());
    this.#slicesLeft = slices;
  }

  override send(requests: FlowRequests, due: number = Number.POSITIVE_INFINITY): boolean {
    if (this.#slicesLeft > 0 && !this.abandoned) {
      this.#slicesLeft--;
      if (due === Number.POSITIVE_INFINITY) return super.send(requests);
      while (performance.now() < due);
      return false;
    }
    return super.send(requests);
  }

  override abandon(): void {
    this.abandoned = true;
  }
}

function flows(count: number): TextFeed {
  const text = Array.from({ length: count }, (_, i) => `${sampleLine(i)}\n`).join("");
  return new TextFeed(bytesSource("test", new TextEncoder().encode(text)), { ufid: true });
}

test("a load visits the event loop while its flows are settled in slices", async () => {
  let visits = 0;
  const timer = setInterval(() => visits++, 0);
  const sink = new SlowSink(4);
  const report = await load(flows(3000), sink);
  clearInterval(timer);
  expect(report).toMatchObject({ encoded: 3000, lines: 3000, ended: "complete" });
  expect(visits).toBeGreaterThan(2);
  expect(sink.abandoned).toBe(false);
  expect(loadSync(flows(3000), new SlowSink(4))).toMatchObject({ encoded: 3000, lines: 3000 });
});

test("a load that keeps to a rate rests, and loads every flow: yielding or not", async () => {
  const LINES = 2600; // two whole batches and a part: it rests twice at least
  const text = Array.from({ length: LINES }, (_, i) => sampleLine(i));
  const feed = (): FlowsFeed => new FlowsFeed("flows", text, { ufid: true });
  for (const maxRate of [20_000, 1e9]) {
    const whole = { encoded: LINES, lines: LINES, ended: "complete" };
    const startedAt = performance.now();
    const sync = loadSync(feed(), new DryRun(new Account()), { maxRate });
    expect(sync).toMatchObject(whole);
    expect(sync.wholeSeconds).toBeGreaterThan(0);
    expect(sync.wholeSeconds).toBeLessThanOrEqual((performance.now() - startedAt) / 1000);
    expect(await load(feed(), new DryRun(new Account()), { maxRate })).toMatchObject(whole);
    // Two batches of 1,024 flows are rested for, the third is the last.
    if (maxRate === 20_000) expect(sync.wholeSeconds).toBeGreaterThanOrEqual(2048 / maxRate);
  }
  expect(loadSync(feed(), new SlowSink(3), { maxRate: 1e9 })).toMatchObject({ encoded: LINES });
});

test("an abort does not wait for flows that are settled without end", async () => {
  const sink = new SlowSink(Number.POSITIVE_INFINITY);
  const startedAt = performance.now();
  const report = await load(flows(3000), sink, { signal: AbortSignal.timeout(20) });
  const elapsed = performance.now() - startedAt;
  expect(elapsed).toBeGreaterThan(15);
  expect(elapsed).toBeLessThan(limit(0.9));
  expect(sink.abandoned).toBe(true);
  // The batch that was sent is accounted for, the rest was not read.
  expect(report).toMatchObject({ encoded: 1024, lines: 1024, ended: "interrupted" });
});

const TEMPLATE = FlowTemplate.compile("in_port(1),eth(),eth_type({type}) 2");

function* rowsThatThrow(count: number, cause: unknown): Generator<readonly [number]> {
  for (let i = 0; i < count; i++) yield [0x9000 + i];
  throw cause;
}

async function* laterRowsThatThrow(
  count: number,
  cause: unknown,
): AsyncGenerator<readonly [number]> {
  for (const row of rowsThatThrow(count, cause)) {
    await Bun.sleep(0);
    yield row;
  }
}

test("rows that throw midway: those before are loaded, and the report says why it ended", async () => {
  const cause = new RangeError("the database is gone");
  const feed = (rows: Parameters<typeof TEMPLATE.fill>[0]): TemplateFeed =>
    new TemplateFeed(TEMPLATE.fill(rows).reader());
  const sink = (): DryRun => new DryRun(new Account());
  const broken = (row: number): object => ({
    encoded: row - 1,
    lines: row - 1,
    ended: "unreadable",
    endReason: `cannot read row ${row} of the template: the database is gone`,
    endCause: cause,
  });
  for (const rows of [1, 1023, 1024, 1500]) {
    expect(await load(feed(rowsThatThrow(rows, cause)), sink())).toMatchObject(broken(rows + 1));
    expect(loadSync(feed(rowsThatThrow(rows, cause)), sink())).toMatchObject(broken(rows + 1));
  }
  expect(await load(feed(laterRowsThatThrow(3, cause)), sink())).toMatchObject(broken(4));
  for (const rows of [rowsThatThrow(0, cause), laterRowsThatThrow(0, cause)]) {
    const error = await load(feed(rows), sink()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreadableInputError);
    expect(error).toHaveProperty("cause", cause);
  }
});

function* linesThatThrow(count: number, cause: unknown): Generator<string> {
  for (let i = 0; i < count; i++) yield i === 1 ? "nonsense" : sampleLine(i);
  throw cause;
}

async function* laterLinesThatThrow(count: number, cause: unknown): AsyncGenerator<string> {
  for (const line of linesThatThrow(count, cause)) {
    await Bun.sleep(0);
    yield line;
  }
}

test("lines of a script that throws midway: those before are loaded, and the report says why it ended", async () => {
  const cause = new RangeError("the database is gone");
  const feed = (lines: Iterable<string> | AsyncIterable<string>): FlowsFeed =>
    new FlowsFeed("flows", lines, { ufid: true });
  const sink = (): DryRun => new DryRun(new Account());
  const broken = (lines: number): object => ({
    encoded: lines - (lines > 1 ? 1 : 0),
    refused: lines > 1 ? 1 : 0,
    lines,
    ended: "unreadable",
    endReason: `cannot read line ${lines + 1} of flows: the database is gone`,
    endCause: cause,
  });
  // 2,500 lines are more than the buffer that they are read through.
  for (const lines of [1, 3, 1024, 2500]) {
    expect(await load(feed(linesThatThrow(lines, cause)), sink())).toMatchObject(broken(lines));
    expect(loadSync(feed(linesThatThrow(lines, cause)), sink())).toMatchObject(broken(lines));
  }
  expect(await load(feed(laterLinesThatThrow(3, cause)), sink())).toMatchObject(broken(3));
  for (const lines of [linesThatThrow(0, cause), laterLinesThatThrow(0, cause)]) {
    const error = await load(feed(lines), sink()).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UnreadableInputError);
    expect(error).toHaveProperty("cause", cause);
  }
});

test("a row whose value throws ends the load as rows that throw, and its iterator is closed", () => {
  let closed = false;
  function* rows(): Generator<{ readonly type: number }> {
    try {
      yield { type: 0x9000 };
      yield {
        get type(): number {
          throw new Error("no such row");
        },
      };
    } finally {
      closed = true;
    }
  }
  const report = loadSync(
    new TemplateFeed(TEMPLATE.fill(rows()).reader()),
    new DryRun(new Account()),
  );
  expect(report).toMatchObject({ encoded: 1, ended: "unreadable" });
  expect(closed).toBe(true);
});

test("a tolerated errno is one that there is, by its name or its number", () => {
  using dp = Datapath.create("tolerating", { kernel: new MemoryKernel() });
  const absent = [`delete ${sampleLine(0)}`];
  for (const tolerate of [["ENOENT"], [ENOENT]] as const) {
    expect(dp.loadSync(absent, { tolerate })).toMatchObject({ rejected: 0 });
  }
  expect(dp.loadSync(absent, { tolerate: ["EEXIST"] })).toMatchObject({ rejected: 1 });
  expect(() => dp.loadSync(absent, { tolerate: ["ENOSUCH"] })).toThrow(
    expect.objectContaining({ code: "USAGE", message: expect.stringContaining('"ENOSUCH"') }),
  );
});
