import { expect, test } from "bun:test";
import { FlowRejectedError } from "../../src/flow/rules/errors.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { bytesSource } from "../../src/format/source.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import { DryRun } from "../../src/load/dry-run.ts";
import { loadSync } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import { OutcomeTable } from "../../src/load/outcome-table.ts";
import { LoadResult } from "../../src/load/result.ts";
import { EEXIST, EINVAL } from "../../src/sys/errno.ts";
import { Flow } from "../../src/flow/flow.ts";
import { FlowSyntaxError } from "../../src/flow/text/syntax-error.ts";
import { syntaxError } from "../flow/harness.ts";
import { NotSupportedError } from "../../src/sys/errors.ts";

test("the error of a flow says its line, and what the kernel lacks where that is why", () => {
  const table = new OutcomeTable();
  const account = new Account(undefined, table);
  const text = `# a comment\n${sampleLine(0)}\n${sampleLine(1)}\n${sampleLine(2)}\nbad\n`;
  const bytes = new TextEncoder().encode(text);
  const feed = new TextFeed(bytesSource("test", bytes), { ufid: true });
  const report = loadSync(feed, new DryRun(account));
  account.exception(3, "rejected", EEXIST, () => ({ code: "EEXIST", reason: "why", text: "flow" }));
  account.exception(4, "rejected", EINVAL, () => ({
    code: "NOT_SUPPORTED",
    reason: "no drop",
    text: "flow",
    missing: { feature: "action drop", since: "6.7" },
  }));
  const result = new LoadResult(report, table);
  expect(result.errorOf(0)).toBeUndefined();
  expect(result.errorOf(1)).toBeInstanceOf(FlowRejectedError);
  expect(result.errorOf(1)).toMatchObject({ code: "EEXIST", message: "line 3: why: flow" });
  expect(result.errorOf(2)).toBeInstanceOf(NotSupportedError);
  expect(result.errorOf(2)).toMatchObject({
    code: "NOT_SUPPORTED",
    message: "line 4: this kernel has no action drop (needs Linux 6.7)",
    cause: { code: "EINVAL", errno: EINVAL, reason: "line 4: no drop", text: "flow" },
  });
  const wrong = result.errorOf(3);
  expect(wrong).toBeInstanceOf(FlowSyntaxError);
  expect(wrong).toMatchObject({
    code: "FLOW_SYNTAX",
    line: 5,
    column: 1,
    found: '"bad"',
    text: "bad",
  });
  expect(wrong?.message).toBe(
    syntaxError(() => Flow.parse("bad")).message.replace("line 1", "line 5"),
  );
});
