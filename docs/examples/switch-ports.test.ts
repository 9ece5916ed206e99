/** Tests of switch-ports.ts with a kernel in memory: `bun test` needs no module and no rights for them. */
import { expect, test } from "bun:test";
import { Datapath } from "millrace";
import { MemoryKernel } from "millrace/testing";
import { joinPorts } from "./switch-ports.ts";

const FRAME = Uint8Array.fromHex("0200000000aa0200000000bb88b50001");

/** A datapath with the ports `left` and `right`, in a kernel of its own. */
function twoPorts(kernel: MemoryKernel): Datapath {
  const dp = Datapath.create("test0", { kernel });
  for (const name of ["left", "right"]) dp.addPort(name, { type: "internal" });
  return dp;
}

test("what comes in by one port goes out by the other", () => {
  const kernel = new MemoryKernel();
  using dp = twoPorts(kernel);
  expect(joinPorts(dp, "left", "right")).toEqual([]);
  kernel.receive("left", FRAME);
  kernel.receive("right", FRAME);
  expect([kernel.sent("left"), kernel.sent("right")]).toEqual([[FRAME], [FRAME]]);
  expect(dp.info().stats).toMatchObject({ hit: 2, missed: 0, flows: 2 });
});

test("a kernel without memory for a flow is told, in words", () => {
  const ENOMEM = 12;
  const kernel = new MemoryKernel();
  using dp = twoPorts(kernel);
  let flows = 0;
  kernel.faults = {
    refuse: ({ bytes }) => (bytes.length > 60 && ++flows === 2 ? ENOMEM : undefined),
  };
  expect(joinPorts(dp, "left", "right")).toEqual([expect.stringContaining("memory")]);
  kernel.receive("right", FRAME);
  expect(kernel.sent("left")).toEqual([]);
});

test("a reply that is lost is not a flow that is lost", () => {
  const kernel = new MemoryKernel();
  using dp = twoPorts(kernel);
  // Only the first time: what is asked then is answered.
  let lost = 0;
  kernel.faults = { noMemory: ({ bytes }) => bytes.length > 60 && lost++ === 0 };
  expect(joinPorts(dp, "left", "right")).not.toEqual([]);
  expect([...dp.flows()].length).toBe(2);
});
