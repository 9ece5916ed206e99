/** Snapshots of a datapath that changes meanwhile, over the kernel in memory. */
import { expect, test } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import { OvsChannel } from "../../src/ovs/channel.ts";
import { openDatapath } from "../../src/ovs/datapath.ts";
import { takeSnapshot } from "../../src/state/snapshot.ts";
import { MemoryKernel, type Request } from "../../src/testing/index.ts";
import { NLM_F_DUMP } from "../../src/uapi/netlink.ts";
import { OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";

const flow = (host: number): string =>
  `in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.${host},frag=no)`;

/** A datapath with three flows, of which another program changes one before each of the first dumps. */
function movingFor(dumps: number): { kernel: MemoryKernel; dp: Datapath } {
  const kernel = new MemoryKernel();
  const dp = Datapath.create("dp0", { kernel });
  for (const host of [1, 2, 3]) dp.put(`${flow(host)} 1`);
  let seen = 0;
  let isBusy = false;
  const before = ({ type, flags }: Request): void => {
    const isDump = type === kernel.families.idOf(OVS_FLOW_FAMILY) && (flags & NLM_F_DUMP) !== 0;
    if (!isDump || isBusy || ++seen > dumps) return;
    isBusy = true;
    dp.put(`${flow(2)} ${seen + 10}`);
    isBusy = false;
  };
  kernel.faults = { before };
  return { kernel, dp };
}

/** @returns how many flows differed in the last two passes, and the number of flows */
function snapshotOf(kernel: MemoryKernel): { moving: number; flows: number } {
  using channel = new OvsChannel(undefined, kernel);
  const { moving, flows } = takeSnapshot(openDatapath(channel, "dp0"), () => {});
  return { moving, flows };
}

test("a datapath that rests makes two equal passes", () => {
  const { kernel, dp } = movingFor(0);
  expect(snapshotOf(kernel)).toEqual({ moving: 0, flows: 3 });
  dp.close();
});

test("one that changes for a while is read until it rests", () => {
  const { kernel, dp } = movingFor(3);
  expect(snapshotOf(kernel)).toEqual({ moving: 0, flows: 3 });
  dp.close();
});

test("one that does not rest is told to be moving: a flow has other actions in each pass", () => {
  const { kernel, dp } = movingFor(1000);
  expect(snapshotOf(kernel)).toEqual({ moving: 1, flows: 3 });
  dp.close();
});

test("numbers of ports that the datapath lacks are counted, by flow", () => {
  const kernel = new MemoryKernel();
  using dp = Datapath.create("dp0", { kernel });
  const { number } = dp.addPort("p1", { type: "internal" });
  for (const [host, actions] of [`0,${number}`, "7,8", `clone(${number},9)`, "drop"].entries()) {
    dp.put(`${flow(host).replace("in_port(1)", `in_port(${number})`)} ${actions}`);
  }
  using channel = new OvsChannel(undefined, kernel);
  const taken = takeSnapshot(openDatapath(channel, "dp0"), () => {});
  expect(taken).toMatchObject({ flows: 4, unnamedPorts: 2 });
});
