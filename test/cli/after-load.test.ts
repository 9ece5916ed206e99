/** What a load undoes after a failure, over the kernel in memory. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AfterLoad } from "../../src/cli/after-load.ts";
import { Datapath } from "../../src/datapath.ts";
import { Flow } from "../../src/flow/flow.ts";
import { fileSource } from "../../src/format/source.ts";
import { startLoad } from "../../src/load/start-load.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { MemoryKernel } from "../../src/testing/index.ts";

const folder = mkdtempSync(join(tmpdir(), "after-load-"));
afterAll(() => rmSync(folder, { recursive: true }));

const flow = (host: number, port: number): string =>
  `in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.${host},frag=no) ${port}`;

const shown = (...flows: string[]): string[] =>
  flows.map((text) => Flow.parse(text).toString()).toSorted();

/** Loads lines with a rollback, while another program puts flows behind the reading. */
async function load(
  lines: readonly string[],
  before: readonly string[],
  behind: readonly string[],
): Promise<{ flows: string[]; rolledBack: { sent: number; failed: number } | null }> {
  const path = join(folder, "flows.txt");
  writeFileSync(path, lines.join("\n"));
  const kernel = new MemoryKernel();
  using dp = Datapath.create("dp0", { kernel });
  dp.loadSync(before);
  using channel = new OvsChannel(undefined, kernel);
  const target = { datapath: openDatapath(channel, "dp0") };
  const told = { mode: "put", ufid: true } as const;
  const source = fileSource(path);
  const options = { rollback: true, verify: false, told, format: "auto" } as const;
  const after = new AfterLoad(target, source, options);
  dp.loadSync(behind);
  const report = await startLoad(
    target,
    { source, format: "auto" },
    { ...told, workers: 0, outcomes: after.outcomes },
  );
  const { rolledBack } = await after.end(report);
  const flows = Array.from(dp.flows(), (held) => held.toString()).toSorted();
  return { flows, rolledBack };
}

/** It is never there: the load fails. */
const FAILS = `modify ${flow(9, 1)}`;

test("what a load changed and made is as it was", async () => {
  const { flows, rolledBack } = await load(
    [flow(1, 2), flow(2, 2), flow(2, 3), FAILS],
    [flow(1, 1)],
    [],
  );
  expect(rolledBack).toEqual({ sent: 2, failed: 0 });
  expect(flows).toEqual(shown(flow(1, 1)));
});

test("a flow that came behind the reading stays, and is told not to be taken back", async () => {
  const { flows, rolledBack } = await load(
    [flow(1, 2), flow(2, 2), flow(2, 3), flow(3, 1), FAILS],
    [flow(1, 1)],
    [flow(2, 1), flow(3, 1)],
  );
  expect(rolledBack).toEqual({ sent: 1, failed: 2 });
  expect(flows).toEqual(shown(flow(1, 1), flow(2, 3), flow(3, 1)));
});
