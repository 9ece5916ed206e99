import { expect, test } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import { flushFlows } from "../../src/ovs/flow.ts";
import { ENOMEM } from "../../src/sys/errno.ts";
import { failure, millrace, TestDatapath } from "./lab.ts";

/** A flow with a mask of its own, which overlaps no other one. */
function masked(number: number): string {
  const low = `${number >> 8}.${number & 255}`;
  return `in_port(1),eth(),eth_type(0x0800),ipv4(src=0.0.0.0/0.0.${low},dst=10.0.${low},frag=no) 2`;
}

test("a datapath without room for more masks is said to be so, and is not out of memory", async () => {
  using dp = new TestDatapath();
  using datapath = Datapath.open(dp.name);
  const lines = Array.from({ length: 4100 }, (_, i) => masked(i + 1));
  const { report } = await datapath.load(lines);
  expect(report).toMatchObject({ applied: 4096, rejected: 4 });
  const reason = "the datapath has 4096 masks, all that the kernel has per-CPU counters for";
  expect(report.errors[0]).toMatchObject({ line: 4097, errno: ENOMEM, code: "ENOMEM" });
  expect(report.errors[0]?.reason).toStartWith(reason);
  expect(failure(() => datapath.put(masked(5000)))?.message).toStartWith(reason);
  const alike = millrace(["dpctl", "add-flow", dp.name, ...masked(5000).split(" ")]);
  expect([alike.exitCode, alike.stderr]).toEqual([1, expect.stringContaining(reason)]);
  // Under a mask that is there a flow finds room.
  datapath.put(masked(7).replace("dst=10.", "dst=11."));
  expect(dp.flows).toBe(4097);
  flushFlows(dp.handle);
  datapath.put(masked(5000));
  expect(dp.info.megaflow.masks).toBe(1);
});
