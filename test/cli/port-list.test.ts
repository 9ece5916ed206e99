import { expect, test } from "bun:test";
import { portTable } from "../../src/cli/commands/port.ts";
import type { PortInfo } from "../../src/ovs/vport.ts";

const PORT: PortInfo = {
  number: 3,
  name: "veth1",
  type: "netdev",
  interfaceIndex: 7,
  stats: {
    rxPackets: 1200,
    txPackets: 2,
    rxBytes: 3,
    txBytes: 4,
    rxErrors: 1,
    txErrors: 2,
    rxDropped: 4,
    txDropped: 8,
  },
  upcallPortIds: [0],
  upcalls: undefined,
  namespaceId: undefined,
  tunnel: undefined,
};

const PLAIN = ["3", "veth1", "netdev", "1,200", "3", "2", "4", "12", "3"];

test("ports are listed with the upcalls that Linux 6.3 counts, and without where none counts them", () => {
  const [header = [], row] = portTable([PORT]);
  expect([header.at(-1), row]).toEqual(["ERRORS", PLAIN]);
  const [counted = [], ...rows] = portTable([
    { ...PORT, upcalls: { success: 12_345, fail: 6 } },
    PORT,
  ]);
  expect(counted).toEqual([...header, "UPCALLS", "UPCALLS LOST"]);
  expect(rows).toEqual([
    [...PLAIN, "12,345", "6"],
    [...PLAIN, "0", "0"],
  ]);
});
