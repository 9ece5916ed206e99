/** Syncs in which something fails, over the kernel in memory. */
import { expect, test } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import type { DatapathSyncOptions } from "../../src/flow-sets.ts";
import { EEXIST, ENOMEM } from "../../src/sys/errno.ts";
import { Flow } from "../../src/flow/flow.ts";
import { NLMSG_HEADER } from "../../src/netlink/message.ts";
import { MemoryKernel, type Request } from "../../src/testing/index.ts";
import { NLM_F_CREATE, NLM_F_DUMP } from "../../src/uapi/netlink.ts";
import { OVS_FLOW_CMD_DEL, OVS_FLOW_CMD_SET, OVS_FLOW_FAMILY } from "../../src/uapi/openvswitch.ts";

const flow = (host: number, port = 1): string =>
  `in_port(1),eth(),eth_type(0x0800),ipv4(src=10.0.0.${host},frag=no) ${port}`;

const OLD = [flow(1), flow(2), flow(3), flow(4)];
/** One stays, one changes, two go, two come. */
const NEW = [flow(1), flow(2, 2), flow(5), flow(6)];

type Machine = Disposable & {
  readonly kernel: MemoryKernel;
  readonly dp: Datapath;
  readonly isFlow: (request: Request) => boolean;
  readonly flows: () => string[];
};

async function machine(): Promise<Machine> {
  const kernel = new MemoryKernel();
  const dp = Datapath.create("dp0", { kernel });
  await dp.sync(OLD);
  return {
    kernel,
    dp,
    isFlow: ({ type }) => type === kernel.families.idOf(OVS_FLOW_FAMILY),
    flows: () => Array.from(dp.flows(), (held) => held.toString()).toSorted(),
    [Symbol.dispose]: () => dp.close(),
  };
}

const isDump = ({ flags }: Request): boolean => (flags & NLM_F_DUMP) === NLM_F_DUMP;

/** Has one of the flows that are put find no memory. */
function failOnce({ kernel, isFlow }: Machine): void {
  let left = 1;
  const refuse = (request: Request): number | undefined => {
    const isNew = isFlow(request) && (request.flags & NLM_F_CREATE) !== 0;
    return isNew && left-- > 0 ? ENOMEM : undefined;
  };
  kernel.faults = { refuse };
}

test("nothing is deleted behind a flow that could not be put, and the next sync goes on", async () => {
  using all = await machine();
  const { dp, kernel } = all;
  failOnce(all);
  const options = { maxChange: 100 };
  const report = await dp.sync(NEW, options);
  expect(report).toMatchObject({ added: 1, changed: 1, deleted: 0, failed: 1, rolledBack: null });
  expect(all.flows()).toHaveLength(5);
  kernel.faults = {};
  expect(await dp.sync(NEW, options)).toMatchObject({ added: 1, changed: 0, deleted: 2, sent: 3 });
  expect(await dp.sync(NEW)).toMatchObject({ sent: 0, unchanged: 4 });
});

test("a rollback gives back what was there, and the wanted set is not verified then", async () => {
  using all = await machine();
  const before = all.flows();
  failOnce(all);
  const report = await all.dp.sync(NEW, { maxChange: 100, rollback: true, verify: true });
  expect(report).toMatchObject({ failed: 1, differing: null, checkFailure: "" });
  expect(report.rolledBack).toEqual({ sent: 2, failed: 0 });
  expect(all.flows()).toEqual(before);
});

test("a rollback puts a narrow flow back that a wide one would keep out", async () => {
  using all = await machine();
  const { kernel, dp, isFlow } = all;
  const wide = flow(0).replace("10.0.0.0", "10.0.0.0/8");
  await dp.sync([...OLD, wide]);
  const before = all.flows();
  // The narrow flows are deleted, but for the last one.
  let deletes = 0;
  const refuse = (request: Request): number | undefined => {
    const isDelete = isFlow(request) && request.bytes[NLMSG_HEADER] === OVS_FLOW_CMD_DEL;
    return isDelete && ++deletes === OLD.length ? ENOMEM : undefined;
  };
  kernel.faults = { refuse };
  const report = await dp.sync([wide], { maxChange: 100, rollback: true });
  expect(report).toMatchObject({ deleted: 3, failed: 1, rolledBack: { failed: 0 } });
  expect(all.flows()).toEqual(before);
});

test("a narrow flow is put before the wide one that would keep it out, whatever their order is", async () => {
  using all = await machine();
  const wide = flow(0).replace("10.0.0.0", "10.0.0.0/8");
  const report = await all.dp.sync([wide, flow(7), ...OLD, flow(8)]);
  expect(report).toMatchObject({ added: 3, failed: 0, unchanged: 4 });
});

test("a rollback gives a flow back the UFID that it had, where it was put anew for a while", async () => {
  using all = await machine();
  const { dp } = all;
  const wide = flow(0).replace("10.0.0.0", "10.0.0.0/8");
  dp.loadSync([`ufid:01020304-0506-0708-090a-0b0c0d0e0f10 ${wide}`]);
  const before = all.flows();
  // The wide flow has to go for the narrow one, and comes back with the hash for its UFID.
  const options = { maxChange: 100, allowGap: true, all: true };
  const wanted = [...OLD, wide, flow(7)];
  let isOver = false;
  const refuse = (request: Request): number | undefined => {
    const isChange = all.isFlow(request) && request.bytes[NLMSG_HEADER] === OVS_FLOW_CMD_SET;
    if (!isChange || isOver) return undefined;
    isOver = true;
    return ENOMEM;
  };
  all.kernel.faults = { refuse };
  const changed = [flow(1, 3), ...wanted.slice(1)];
  const report = await dp.sync(changed, { ...options, rollback: true });
  expect(report).toMatchObject({ failed: 1, rolledBack: { failed: 0 } });
  expect(all.flows()).toEqual(before);
});

test("a rollback leaves the wide flow of another owner alone: what it keeps out is not put back", async () => {
  using all = await machine();
  const { kernel, dp, isFlow } = all;
  const wide = flow(0).replace("10.0.0.0", "10.0.0.0/8");
  dp.loadSync([wide], { owner: "other" });
  let deletes = 0;
  const refuse = (request: Request): number | undefined => {
    const isDelete = isFlow(request) && request.bytes[NLMSG_HEADER] === OVS_FLOW_CMD_DEL;
    return isDelete && ++deletes === OLD.length ? ENOMEM : undefined;
  };
  kernel.faults = { refuse };
  const report = await dp.sync([], { maxChange: 100, allowEmpty: true, rollback: true });
  expect(report).toMatchObject({ deleted: 3, failed: 1, rolledBack: { failed: 3 } });
  expect(all.flows()).toHaveLength(2);
});

test("a rollback leaves a flow alone that came behind the reading: a sync does not change it", async () => {
  using all = await machine();
  const { kernel, dp } = all;
  using other = Datapath.open("dp0", { kernel });
  const options = { maxChange: 100, rollback: true };
  const onPlan = (): void => void other.loadSync([flow(5, 3)]);
  const report = await dp.sync(NEW, { ...options, onPlan });
  expect(report).toMatchObject({ failed: 1, rolledBack: { failed: 0 } });
  expect(report.errors).toMatchObject([{ state: "rejected", errno: EEXIST }]);
  expect(all.flows()).toEqual([...OLD, flow(5, 3)].map((text) => Flow.parse(text).toString()));
  expect(await dp.sync(NEW, options)).toMatchObject({ failed: 0, changed: 2 });
});

test("a rollback deletes a flow that its dump passes over, since another one is deleted meanwhile", async () => {
  for (const [owner, isNamed] of [
    ["", false],
    ["me", false],
    ["me", true],
  ] as const) {
    using all = await machine();
    const { kernel, dp, isFlow } = all;
    using other = Datapath.open("dp0", { kernel });
    // As a dump names them, for nobody: the owner gives them other names.
    const added = Array.from({ length: 40 }, (_, i) => {
      const text = flow(100 + i);
      return isNamed ? `ufid:${Flow.parse(text).ufid} ${text}` : text;
    });
    failOnce(all);
    // The second dump is the one that the rollback reads.
    let dumps = 0;
    const before = (request: Request): void => {
      if (isFlow(request) && isDump(request)) dumps++;
    };
    let isDeleted = false;
    const betweenPieces = (request: Request): number => {
      if (!isFlow(request) || dumps !== 2 || isDeleted) return 0;
      isDeleted = true;
      other.loadSync([`delete ${flow(1)}`]);
      return 0;
    };
    kernel.faults = { ...kernel.faults, before, betweenPieces, pieceBytes: () => 1 };
    const report = await dp.sync([...OLD, ...added], { maxChange: 100, rollback: true, owner });
    expect(report).toMatchObject({ added: 39, failed: 1, checkFailure: "" });
    expect(report.rolledBack).toMatchObject({ failed: 0 });
    expect(dumps).toBe(2);
    expect(isDeleted).toBe(true);
    expect(all.flows()).toEqual(OLD.slice(1).map((text) => Flow.parse(text).toString()));
  }
});

test("a sync that cannot be verified has its report all the same", async () => {
  using all = await machine();
  const { kernel, dp, isFlow } = all;
  // The second dump is the one that verifies.
  let dumps = 0;
  const refuse = (request: Request): number | undefined =>
    isFlow(request) && isDump(request) && ++dumps === 2 ? ENOMEM : undefined;
  kernel.faults = { refuse };
  const report = await dp.sync(NEW, { maxChange: 100, verify: true });
  expect(report).toMatchObject({ added: 2, changed: 1, deleted: 2, differing: null });
  expect(report.checkFailure).toContain("cannot allocate memory");
});

/** Syncs into a datapath that has some flows. */
async function syncOver(
  held: readonly string[],
  wanted: readonly string[],
  options: DatapathSyncOptions,
) {
  using dp = Datapath.create("dp0", { kernel: new MemoryKernel() });
  await dp.load(held);
  const report = await dp.sync(wanted, { maxChange: 100, ...options });
  const flows = Array.from(dp.flows(), (one) => one.toString()).toSorted();
  return { report, why: report.conflicts.map(({ why }) => why), flows };
}

test("flows of which a kernel never holds both are named, and no gap is made for them", async () => {
  const wide = flow(0).replace("10.0.0.0", "10.0.0.0/8");
  const narrow = flow(0).replace("10.0.0.0", "10.0.0.0/16");
  for (const [held, allowGap] of [
    [wide, false],
    [wide, true],
    [narrow, true],
  ] as const) {
    const { report, why, flows } = await syncOver([held], [wide, narrow], { allowGap });
    expect([report.sent, why, flows.length]).toEqual([0, ["never"], 1]);
  }
  // Nor is one made where a third flow asks for a gap.
  const third = flow(0).replace("10.0.0.0", "10.1.0.0/16");
  const { report, why } = await syncOver([wide], [wide, third, narrow], { allowGap: true });
  expect([report.sent, why]).toEqual([0, ["never"]]);
});

test("a UFID goes to another flow once the flow that has it is gone", async () => {
  const named = (host: number): string => `ufid:11111111-1111-1111-1111-111111111111 ${flow(host)}`;
  const moved = await syncOver([named(1)], [named(2)], { all: true });
  expect(moved.report).toMatchObject({ added: 1, deleted: 1, failed: 0 });
  expect(moved.flows).toEqual([expect.stringContaining("10.0.0.2")]);
  // It is another owner's, or is wanted as well.
  const foreign = await syncOver([named(1)], [named(2)], {});
  expect([foreign.report.sent, foreign.why]).toEqual([0, ["foreign"]]);
  const both = [named(2), flow(1)];
  const kept = await syncOver([named(1)], both, { all: true });
  expect([kept.report.sent, kept.why]).toEqual([0, ["gap"]]);
  const swapped = await syncOver([named(1)], both, { all: true, allowGap: true });
  expect(swapped.report).toMatchObject({ added: 2, deleted: 1, failed: 0 });
  expect(swapped.flows).toHaveLength(2);
});

test("a set that gives one UFID to two flows is refused before anything is sent", async () => {
  using all = await machine();
  const before = all.flows();
  const ufid = "ufid:12345678-1234-1234-1234-123456789abc, ";
  const wanted = [...OLD, `${ufid}${flow(7)}`, `${ufid}${flow(8)}`];
  const error = await all.dp.sync(wanted, { allowGap: true }).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    code: "FLOW_REFUSED",
    message: expect.stringMatching(/10\.0\.0\.7.*10\.0\.0\.8/),
  });
  expect(all.flows()).toEqual(before);
});
