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
import { NLMSG_HEADER } from "../../src/netlink/message.ts";
import { ENODEV } from "../../src/sys/errno.ts";
import { MemoryKernel, type Request } from "../../src/testing/index.ts";
import { OVS_FLOW_CMD_DEL, OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";

const folder = mkdtempSync(join(tmpdir(), "after-load-"));
afterAll(() => rmSync(folder, { recursive: true }));

const flow = (host: number, port: number): string =>
  `in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.${host},frag=no) ${port}`;

const shown = (...flows: string[]): string[] =>
  flows.map((text) => Flow.parse(text).toString()).toSorted();

/**
 * Loads lines with a rollback, while another program puts flows behind the reading.
 * @param after called between the load and the rollback
 */
async function load(
  lines: readonly string[],
  before: readonly string[],
  behind: readonly string[],
  after: (dp: Datapath, kernel: MemoryKernel) => void = () => {},
): Promise<{ flows: string[]; rolledBack: { sent: number; failed: number } | null }> {
  const path = join(folder, "flows.txt");
  writeFileSync(path, lines.join("\n"));
  const kernel = new MemoryKernel();
  using dp = Datapath.create("dp0", { kernel });
  for (const name of PORTS) dp.addPort(name, { type: "internal" });
  dp.loadSync(before);
  using channel = new OvsChannel(undefined, kernel);
  const target = { datapath: openDatapath(channel, "dp0") };
  const told = { mode: "put", ufid: true } as const;
  const source = fileSource(path);
  const options = { rollback: true, verify: false, told, format: "auto" } as const;
  const atEnd = new AfterLoad(target, source, options);
  dp.loadSync(behind);
  const report = await startLoad(
    target,
    { source, format: "auto" },
    { ...told, workers: 0, outcomes: atEnd.outcomes, tolerate: ["EEXIST", "ENOENT"] },
  );
  after(dp, kernel);
  const { rolledBack } = await atEnd.end(report);
  const flows = Array.from(dp.flows(), (held) => held.toString()).toSorted();
  return { flows, rolledBack };
}

const PORTS = ["first", "second"];

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

test.each([`modify ${flow(2, 2)}`, `add ${flow(2, 1)}`, `delete ${flow(2, 1)}`])(
  "a flow that came behind the reading is not deleted for %s, and told not to be taken back",
  async (line) => {
    const { flows, rolledBack } = await load([line, FAILS], [flow(1, 1)], [flow(2, 1)]);
    expect(rolledBack).toEqual({ sent: 0, failed: 1 });
    const left = line.startsWith("delete") ? [] : [flow(2, line.startsWith("add") ? 1 : 2)];
    expect(flows).toEqual(shown(flow(1, 1), ...left));
  },
);

test("a delete that found nothing is not undone: another program's flow may be there since", async () => {
  const { flows, rolledBack } = await load([`delete ${flow(2, 1)}`, FAILS], [], [], (dp) =>
    dp.loadSync([flow(2, 1)]),
  );
  expect(rolledBack).toEqual({ sent: 0, failed: 0 });
  expect(flows).toEqual(shown(flow(2, 1)));
});

test("the ports of a load are those that it named, whoever has their names since", async () => {
  const { flows, rolledBack } = await load(["in_port(first),eth() 1", FAILS], [], [], (dp) => {
    for (const name of PORTS) dp.deletePort(name);
    for (const name of PORTS.toReversed()) dp.addPort(name, { type: "internal" });
    dp.loadSync(["in_port(2),eth() 7"]);
  });
  expect(rolledBack).toEqual({ sent: 1, failed: 0 });
  expect(flows).toEqual(shown("in_port(2),eth() 7"));
});

test("what a rollback did not try, since it ended early, is told as not taken back", async () => {
  const made = [1, 2, 3, 4].map((host) => flow(host, 1));
  const changed = [flow(5, 2), flow(6, 2)];
  const before = [flow(5, 1), flow(6, 1)];
  const { rolledBack } = await load([...made, ...changed, FAILS], before, [], (_, kernel) => {
    let deletes = 0;
    const isDelete = ({ type, bytes }: Request): boolean =>
      type === kernel.families.idOf(OVS_FLOW_FAMILY) && bytes[NLMSG_HEADER] === OVS_FLOW_CMD_DEL;
    kernel.faults = { refuse: (one) => (isDelete(one) && ++deletes > 1 ? ENODEV : undefined) };
  });
  expect(rolledBack).toEqual({ sent: 4, failed: 5 });
});
