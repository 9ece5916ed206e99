import { expect, test } from "bun:test";
import { sampleLine } from "../../src/format/sample.ts";
import { FlowsFeed } from "../../src/format/flows-feed.ts";
import { openFeed } from "../../src/format/open-feed.ts";
import { bytesSource, streamSource, UnreadableInputError } from "../../src/format/source.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import { DryRun } from "../../src/load/dry-run.ts";
import { load, loadSync } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import { limit } from "../runner/limit.ts";

function feed(text: string): TextFeed {
  return new TextFeed(bytesSource("test", new TextEncoder().encode(text)), { ufid: true });
}

test("a dry run judges every line and sends nothing", async () => {
  const text = [
    sampleLine(1),
    "",
    "# comment",
    "in_port(1),eth(),eth_type(0x0800),ipv4(proto=6),tcp() 2",
    "in_port(1) nonsense(",
    `${sampleLine(2)} # why`,
  ].join("\r\n");
  const report = await load(feed(text), new DryRun(new Account()));
  expect(report).toMatchObject({ encoded: 2, applied: 0, refused: 2, lines: 6, systemCalls: 0 });
  expect(report.errors.map(({ line, code }) => [line, code])).toEqual([
    [4, "FLOW_REFUSED"],
    [5, "FLOW_SYNTAX"],
  ]);
  expect(report.errors[0]?.reason).toContain("tcp_flags()");
});

test("an empty input is a load of nothing", () => {
  expect(loadSync(feed(""), new DryRun(new Account()))).toMatchObject({
    encoded: 0,
    refused: 0,
    lines: 0,
    ended: "complete",
    flowsPerSecond: 0,
  });
});

test("input that breaks off is reported with what came before", async () => {
  async function* broken(): AsyncGenerator<string> {
    yield sampleLine(1);
    await Bun.sleep(1);
    throw new UnreadableInputError("the disk is gone");
  }
  const script = new FlowsFeed("script", broken(), { ufid: true });
  const report = await load(script, new DryRun(new Account()));
  expect(report).toMatchObject({ encoded: 1, ended: "unreadable", endReason: "the disk is gone" });
});

test("an abort ends the wait for the first byte, by which the format is told", async () => {
  const silent = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => undefined) });
  const input = { source: streamSource("silent", () => silent), format: "auto" } as const;
  const report = await load(openFeed(input, { ufid: true }), new DryRun(new Account()), {
    signal: AbortSignal.timeout(30),
  });
  expect(report).toMatchObject({ encoded: 0, lines: 0, ended: "interrupted" });
});

test("an abort ends the wait for an input that stalls", async () => {
  const controller = new AbortController();
  async function* stalled(): AsyncGenerator<string> {
    yield sampleLine(1);
    await new Promise(() => undefined);
  }
  setTimeout(() => controller.abort(), limit(0.03));
  const script = new FlowsFeed("script", stalled(), { ufid: true });
  const report = await load(script, new DryRun(new Account()), {
    signal: controller.signal,
  });
  expect(report).toMatchObject({ encoded: 1, ended: "interrupted" });
});

test("a synchronous load says that it cannot wait", () => {
  async function* later(): AsyncGenerator<string> {
    yield sampleLine(1);
  }
  const waiting = new FlowsFeed("script", later(), { ufid: true });
  expect(() => loadSync(waiting, new DryRun(new Account()))).toThrow("must be waited for");
});

test("stops at a refused line where asked, with all before it taken", async () => {
  const text = `${sampleLine(1)}\nbad\n${sampleLine(2)}\n`;
  const report = await load(feed(text), new DryRun(new Account()), { onError: "stop" });
  expect(report).toMatchObject({ encoded: 1, refused: 1, lines: 2, ended: "stopped" });
});
