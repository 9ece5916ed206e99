/** What a kernel can do, asked with flows that are deleted again: over the kernel in memory. */
import { expect, test } from "bun:test";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { createDatapath, handleOf, infoOf } from "../../src/ovs/datapath.ts";
import { probeFeatures } from "../../src/ovs/features.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import { MemoryKernel } from "../../src/testing/index.ts";
import { OVS_FLOW_CMD_NEW } from "../../src/uapi/openvswitch.ts";

const COMMAND_AT = 16;

test("a probe whose reply is lost leaves no flow", () => {
  const kernel = new MemoryKernel();
  using channel = new OvsChannel(undefined, kernel);
  const datapath = handleOf(channel, createDatapath(channel, "dp0", { userFeatures: 0 }));
  probeFeatures(datapath);
  expect(infoOf(datapath).stats.flows).toBe(0);
  let lost = 0;
  kernel.faults = {
    noMemory: ({ bytes }) => bytes[COMMAND_AT] === OVS_FLOW_CMD_NEW && lost++ === 0,
  };
  expect(() => probeFeatures(datapath)).toThrow(MillraceError);
  kernel.faults = {};
  expect(lost).toBe(1);
  expect(infoOf(datapath).stats.flows).toBe(0);
});
