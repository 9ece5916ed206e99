import { expect, test } from "bun:test";
import { Datapath } from "../../../src/datapath.ts";
import { MemoryKernel } from "../../../src/testing/index.ts";

/**
 * A put that is refused, or was never reached, does not touch a flow that a later line of its batch
 * created.
 */

const NARROW =
  "in_port(1),eth(),eth_type(0x0800),ipv4(src=192.1.3.0,dst=10.0.0.0/255.0.0.0,frag=no)";
const WIDE = "in_port(1),eth(),eth_type(0x0800),ipv4(frag=no)";

test("a put whose UFID another flow has is refused, whatever a later one without UFID puts", () => {
  using dp = Datapath.create("own0", { kernel: new MemoryKernel() });
  dp.put(`${WIDE} 1`);
  const [{ ufid = "" } = {}] = [...dp.flows()];
  dp.flush();
  dp.put(`ufid:${ufid} ${NARROW} 1`);
  const result = dp.loadSync([`ufid:${ufid} ${WIDE} 3`, `${WIDE} 1`], { ufid: false });
  expect([result.stateOf(0), result.stateOf(1)]).toEqual(["rejected", "applied"]);
  const held = Array.from(dp.flows(), (flow) => flow.toString().replace(/^ufid:\S+ /, ""));
  expect(held.find((line) => line.startsWith(WIDE))).toBe(`${WIDE}, actions:1`);
});

test("a put that the kernel did not reach is not made up for behind a later one of the same flow", () => {
  const kernel = new MemoryKernel();
  using dp = Datapath.create("own0", { kernel });
  let isLost = false;
  kernel.faults = {
    reach: (length) => {
      // The first datagram with a flow.
      if (isLost || length < 60) return length;
      isLost = true;
      return 0;
    },
  };
  const batching = { messagesPerDatagram: 1, datagramsPerCall: 2 };
  const result = dp.loadSync(["in_port(1),eth() 1", "in_port(1),eth() 2"], { batching });
  expect([result.stateOf(0), result.stateOf(1)]).toEqual(["absent", "applied"]);
  expect(Array.from(dp.flows(), (flow) => flow.toString())).toEqual([
    expect.stringContaining("actions:2"),
  ]);
});
