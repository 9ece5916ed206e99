import type { FlowLineOptions } from "../../src/flow/line.ts";
import { sampleLine } from "../../src/format/sample.ts";
import { bytesSource } from "../../src/format/source.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import { load, type LoadOptions } from "../../src/load/load.ts";
import { Account } from "../../src/load/account.ts";
import type { OutcomeTable } from "../../src/load/outcome-table.ts";
import type { LoadReport } from "../../src/load/report.ts";
import { Sender } from "../../src/load/send/sender.ts";
import { completeBatching, type Batching } from "../../src/load/send/batching.ts";
import type { TestDatapath } from "./lab.ts";

/** Lines of text, as a load reads them. */
export function lines(text: string, options: Partial<FlowLineOptions> = {}): TextFeed {
  const source = bytesSource("test", new TextEncoder().encode(text));
  return new TextFeed(source, { ufid: true, ...options });
}

/** Lines of that many different flows. */
export function sample(count: number, first = 0): string {
  return Array.from({ length: count }, (_, i) => `${sampleLine(first + i)}\n`).join("");
}

/** How {@link loadText} loads. */
type Extra = LoadOptions &
  Partial<FlowLineOptions> & {
    shape?: Partial<Batching>;
    tolerate?: readonly number[];
    table?: OutcomeTable;
  };

/** Loads text into a datapath. */
export function loadText(dp: TestDatapath, text: string, extra: Extra = {}): Promise<LoadReport> {
  const account = new Account(undefined, extra.table);
  const batching = completeBatching(extra.shape);
  const target = { datapath: dp.handle };
  return load(
    lines(text, extra),
    new Sender(target, account, { batching, tolerate: new Set(extra.tolerate) }),
    extra,
  );
}
