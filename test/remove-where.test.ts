/** Flows that are deleted by a filter, over the kernel in memory. */
import { expect, test } from "bun:test";
import { Datapath } from "../src/datapath.ts";
import { NLMSG_HEADER } from "../src/netlink/message.ts";
import { MemoryKernel, type Request } from "../src/testing/index.ts";
import { OVS_FLOW_CMD_DEL, OVS_FLOW_FAMILY } from "../src/uapi/openvswitch.ts";

const flow = (host: number, port: number): string =>
  `in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.${host},frag=no) ${port}`;

function isDelete(kernel: MemoryKernel, { type, bytes }: Request): boolean {
  const isFlow = type === kernel.families.idOf(OVS_FLOW_FAMILY);
  return isFlow && bytes[NLMSG_HEADER] === OVS_FLOW_CMD_DEL;
}

test("a flow that a dump has twice is deleted once, and counted once", async () => {
  const kernel = new MemoryKernel();
  using dp = Datapath.create("dp0", { kernel });
  dp.loadSync(Array.from({ length: 200 }, (_, i) => flow(i, 1)));
  kernel.faults = {
    // The walk goes back, as behind a rehash, and no delete is answered.
    betweenPieces: () => -3,
    pieceBytes: () => 3776,
    noMemory: (request) => isDelete(kernel, request),
  };
  const result = await dp.removeWhere("output = 1");
  expect(result.doubt?.repeated).toBeGreaterThan(0);
  expect(result).toMatchObject({ removed: 200, gone: 0, failed: 0, unknown: 0 });
});

test("a flow that another program deletes behind the dump is gone, and neither removed nor left", async () => {
  const kernel = new MemoryKernel();
  using dp = Datapath.create("dp0", { kernel });
  dp.loadSync([flow(1, 1), flow(2, 1), flow(3, 2)]);
  const table = kernel.datapaths.byName("dp0")?.table;
  let isOver = false;
  const before = (request: Request): void => {
    const [first] = table?.flows ?? [];
    if (!isDelete(kernel, request) || isOver || first === undefined) return;
    isOver = true;
    table?.remove(first);
  };
  kernel.faults = { before };
  const result = await dp.removeWhere("output = 1");
  expect(result).toMatchObject({ removed: 1, gone: 1, failed: 0, unknown: 0, ended: "complete" });
  expect([...dp.flows()]).toHaveLength(1);
});
