import { expect, test } from "bun:test";
import { sampleLine } from "../../src/format/sample.ts";
import { bytesSource } from "../../src/format/source.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import { FlowDigest } from "../../src/load/digest.ts";
import { DryRun } from "../../src/load/dry-run.ts";
import { loadSync } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";

function digestOf(lines: readonly string[], ufid = true): FlowDigest {
  const digest = new FlowDigest();
  const outlet = new DryRun(new Account(), (flow) => digest.add(flow));
  const source = bytesSource("test", new TextEncoder().encode(lines.join("\n")));
  loadSync(new TextFeed(source, { ufid }), outlet);
  return digest;
}

test("a digest tells sets of flows apart, and not their order or UFIDs", () => {
  const lines = Array.from({ length: 3000 }, (_, i) => sampleLine(i));
  const digest = digestOf(lines);
  expect(digest.flows).toBe(3000);
  expect(digest.equals(digestOf(lines.toReversed(), false))).toBe(true);
  expect(digest.equals(digestOf(lines.slice(1)))).toBe(false);
  expect(digest.equals(digestOf(lines.with(7, sampleLine(3001))))).toBe(false);
  expect(digest.equals(digestOf(lines.with(7, `${sampleLine(7)},1`)))).toBe(false);
});
