/** What is said of flows whose datapath goes while they are settled, over the kernel in memory. */
import { expect, test } from "bun:test";
import { Datapath } from "../../../src/datapath.ts";
import { MemoryKernel, type Request } from "../../../src/testing/index.ts";
import { NLM_F_DUMP } from "../../../src/uapi/netlink.ts";
import {
  OVS_FLOW_CMD_GET,
  OVS_FLOW_CMD_NEW,
  OVS_FLOW_CMD_SET,
  OVS_FLOW_FAMILY,
} from "../../../src/uapi/openvswitch.ts";
import { NLMSG_HEADER } from "../../../src/netlink/message.ts";

const WIDE = "in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.0/8,frag=no) 1";
const NARROW = "in_port(1),eth(),eth_type(0x0800),ipv4(src=10.1.0.0/16,frag=no)";

/** A datapath that goes before the first dump of its flows. */
function vanishing(): Datapath {
  const kernel = new MemoryKernel();
  const dp = Datapath.create("gone0", { kernel });
  dp.addPort("a", { type: "internal" });
  dp.put(WIDE);
  let isGone = false;
  const before = ({ type, flags }: Request): void => {
    const isDump = type === kernel.families.idOf(OVS_FLOW_FAMILY) && (flags & NLM_F_DUMP) !== 0;
    if (isGone || !isDump) return;
    isGone = true;
    kernel.reloadModule();
  };
  kernel.faults = { before };
  return dp;
}

test("a load whose datapath goes while a reason is looked for has its account", () => {
  using dp = vanishing();
  const { report } = dp.loadSync([`${NARROW} 2`]);
  expect(report).toMatchObject({ lines: 1, applied: 0, rejected: 1, ended: "fatal" });
  expect(report.errors[0]?.code).toBe("EEXIST");
});

test("a delete that would be tolerated is not, if nobody can say whether the flow is there", () => {
  using dp = vanishing();
  const { report } = dp.loadSync([`delete ${NARROW}`], { tolerate: ["ENOENT"] });
  expect([report.applied, report.rejected, report.ended]).toEqual([0, 1, "fatal"]);
});

test("a put whose reply is lost is unknown, if the module goes before it is put right", () => {
  const kernel = new MemoryKernel();
  using dp = Datapath.create("gone0", { kernel });
  dp.addPort("a", { type: "internal" });
  const isOf = ({ type, bytes }: Request, command: number): boolean =>
    type === kernel.families.idOf(OVS_FLOW_FAMILY) && bytes[NLMSG_HEADER] === command;
  const before = (request: Request): void => {
    const table = kernel.datapaths.byName("gone0")?.table;
    const [flow] = table?.flows ?? [];
    // Another program changes the flow before it is read back, so that a SET has to follow.
    if (flow !== undefined && isOf(request, OVS_FLOW_CMD_GET))
      table?.setActions(flow, Uint8Array.fromHex("0800010003000000"));
    if (isOf(request, OVS_FLOW_CMD_SET)) kernel.reloadModule();
  };
  kernel.faults = { before, noMemory: (request) => isOf(request, OVS_FLOW_CMD_NEW) };
  const { report } = dp.loadSync([WIDE]);
  expect(report).toMatchObject({ lines: 1, rejected: 0, unknown: 1, ended: "fatal" });
  expect(report.errors[0]?.code).toBe("LOST_REPLY");
});
