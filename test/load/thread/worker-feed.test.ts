import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { writeSample } from "../../../src/format/sample.ts";
import { fileSource } from "../../../src/format/source.ts";
import { TextFeed } from "../../../src/format/text-feed.ts";
import { temporaryFolder } from "../../../src/lab/trust.ts";
import { Account } from "../../../src/load/account.ts";
import { DryRun } from "../../../src/load/dry-run.ts";
import { load } from "../../../src/load/load.ts";
import { type LoadReport, verdictOf } from "../../../src/load/report.ts";
import { WorkerFeed } from "../../../src/load/thread/worker-feed.ts";
import { limit } from "../../runner/limit.ts";

setDefaultTimeout(limit(60));

const FLOWS = 10_000;
const folder = temporaryFolder("millrace-test-");
const path = join(folder, "flows.txt");
writeSample(path, FLOWS);
afterAll(() => rmSync(folder, { recursive: true }));

const line = { ufid: true, mode: "put" } as const;

/** A dry run of the file, whose lines another thread parses. */
function loadByThread(script?: URL, openHere = () => new TextFeed(fileSource(path), line)) {
  const sink = new DryRun(new Account());
  const { capacity, memory } = sink.requests.batch;
  const feed = new WorkerFeed(
    { path, line, ports: [], family: 0, datapath: 0 },
    statSync(path).size,
    { messages: capacity, bytes: memory.size },
    { openHere, ...(script === undefined ? {} : { script }) },
  );
  return load(feed, sink);
}

/** What a load of the whole file comes to. */
const WHOLE: Partial<LoadReport> = { encoded: FLOWS, refused: 0, lines: FLOWS, ended: "complete" };

test("a thread parses the flows of a file", async () => {
  const report = await loadByThread(undefined, () => {
    throw new Error("the thread has not started");
  });
  expect(report).toMatchObject({ ...WHOLE, withoutThreads: [] });
});

test("where the thread cannot start the load parses itself, and says so", async () => {
  const report = await loadByThread(new URL("nowhere.ts", import.meta.url));
  expect(report).toMatchObject(WHOLE);
  expect(report.withoutThreads).toEqual([
    expect.stringMatching(/^the thread that parses did not start, .* ModuleNotFound .*nowhere/),
  ]);
});

test("a thread that breaks once it has begun ends the load, with a report", async () => {
  const report = await loadByThread(new URL("breaking-thread.ts", import.meta.url));
  expect(report).toMatchObject({ encoded: 0, lines: 0, ended: "failed" });
  expect(report.endReason).toContain("the parsing thread failed: error: broken on purpose");
  expect(verdictOf(report)).toBe("unknown");
});

test("a load that ends before its thread could start opens nothing any more", async () => {
  let opened = 0;
  const sink = new DryRun(new Account());
  const feed = new WorkerFeed(
    { path, line, ports: [], family: 0, datapath: 0 },
    undefined,
    { messages: 16, bytes: 1 << 16 },
    {
      openHere: () => {
        opened++;
        return new TextFeed(fileSource(path), line);
      },
      script: new URL("nowhere.ts", import.meta.url),
    },
  );
  const { ended } = await load(feed, sink, { signal: AbortSignal.abort() });
  await Bun.sleep(100);
  expect([ended, opened]).toEqual(["interrupted", 0]);
});
