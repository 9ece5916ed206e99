/** What goes wrong in a kernel in memory on request. */
import { expect, test } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import type { DumpDoubt } from "../../src/ovs/dump-check.ts";
import { type Faults, MemoryKernel } from "../../src/testing/index.ts";
import { ENOMEM } from "../../src/sys/errno.ts";
import { OVS_FLOW_CMD_NEW } from "../../src/uapi/openvswitch.ts";

const FLOWS = 100;
/** Behind struct nlmsghdr, in struct genlmsghdr. */
const COMMAND_AT = 16;

/** Dumps flows with these faults. @returns how many came, and what is said of them */
function dumpWith(faults: Faults): { count: number; doubt: DumpDoubt | undefined } {
  const kernel = new MemoryKernel();
  using dp = Datapath.create("test0", { kernel });
  dp.loadSync(Array.from({ length: FLOWS }, (_, i) => `in_port(${i + 1}),eth() 1`));
  kernel.faults = faults;
  let doubt: DumpDoubt | undefined;
  const flows = dp.flows({
    onDoubt: (found) => {
      doubt = found;
    },
  });
  return { count: [...flows].length, doubt };
}

test("a dump comes in pieces as long as there is memory for, but not shorter than the least", () => {
  const piecesOf = (bytes: number | undefined): number => {
    let pieces = 0;
    const { count, doubt } = dumpWith({
      pieceBytes: () => bytes,
      betweenPieces: () => {
        pieces++;
        return 0;
      },
    });
    expect([count, doubt]).toEqual([FLOWS, undefined]);
    return pieces;
  };
  // What is between the flows and the end is one of them.
  expect(piecesOf(undefined)).toBe(1);
  expect(piecesOf(8192)).toBeGreaterThan(1);
  expect(piecesOf(1)).toBe(piecesOf(3776));
});

test("a table that is hashed anew lets flows come twice, or not at all, and the dump says so", () => {
  const once = (by: number): (() => number) => {
    let left = 1;
    return () => (left-- > 0 ? by : 0);
  };
  const pieceBytes = (): number => 3776;
  expect(dumpWith({ pieceBytes, betweenPieces: once(-3) })).toEqual({
    count: FLOWS + 3,
    doubt: { dumped: FLOWS, repeated: 3, before: FLOWS, after: FLOWS },
  });
  expect(dumpWith({ pieceBytes, betweenPieces: once(2) })).toEqual({
    count: FLOWS - 2,
    doubt: { dumped: FLOWS - 2, repeated: 0, before: FLOWS, after: FLOWS },
  });
});

test("a dump that says that it was interrupted is not taken for whole, whichever piece says it", () => {
  for (const which of [1, 2, 3]) {
    let pieces = 0;
    const interrupts = (): boolean => ++pieces === which;
    expect(() => dumpWith({ pieceBytes: () => 1, interrupts })).toThrow(/may lack something/);
  }
});

test("a request is refused with an errno, and not carried out", () => {
  const kernel = new MemoryKernel();
  using dp = Datapath.create("test0", { kernel });
  const isNew = (bytes: Uint8Array): boolean => bytes[COMMAND_AT] === OVS_FLOW_CMD_NEW;
  kernel.faults = { refuse: ({ bytes }) => (isNew(bytes) ? ENOMEM : undefined) };
  expect(() => dp.put("in_port(1),eth() 1")).toThrow(/out of memory/);
  kernel.faults = {};
  expect([...dp.flows()]).toEqual([]);
});
