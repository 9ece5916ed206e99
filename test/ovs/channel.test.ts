import { describe, expect, test } from "bun:test";
import type { FlowIdentity } from "../../src/flow/parts.ts";
import { clearFlow, deleteFlow, dumpFlows, getFlow } from "../../src/ovs/flow.ts";
import { FlowReads, type ReadResult } from "../../src/ovs/flow-reads.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import { OVS_FLOW_ATTR_UFID } from "../../src/uapi/openvswitch.ts";
import { loadInto } from "../load/scripted-load.ts";
import { ScriptedDatapath } from "./scripted-datapath.ts";

/**
 * A request to a number that belongs to no family fails with ENOENT, just like a request for a
 * missing flow: a reloaded module has other numbers.
 */

const UFID: FlowIdentity = { ufid: new Uint8Array(16).fill(7) };

/** A datapath that holds one flow, {@link UFID}; the channel knows the family's number. */
function withOneFlow(): ScriptedDatapath {
  const dp = new ScriptedDatapath();
  loadInto(dp, ["ufid:07070707-0707-0707-0707-070707070707 in_port(1),eth() 1"]);
  expect(dp.flows.length).toBe(1);
  dp.requests.length = 0;
  return dp;
}

const ASK = [
  ["reading", (dp: ScriptedDatapath) => getFlow(dp.handle, UFID, () => {})],
  ["deleting", (dp: ScriptedDatapath) => deleteFlow(dp.handle, UFID)],
  ["clearing", (dp: ScriptedDatapath) => clearFlow(dp.handle, UFID)],
  ["dumping", (dp: ScriptedDatapath) => [...dumpFlows(dp.handle)].length === 1],
] as const;

function codeOf(run: () => unknown): string {
  try {
    run();
    return "nothing was thrown";
  } catch (error) {
    if (error instanceof MillraceError) return error.code;
    throw error;
  }
}

describe.each(ASK)("%s", (_, ask) => {
  test("after the module was loaded anew: the family is looked up again, and the request made once", () => {
    using dp = withOneFlow();
    dp.kernel.families.renumber();
    expect(ask(dp)).toBe(true);
    expect(dp.requests.length).toBe(1);
  });

  test("while the module is gone: that is said, and not that there is no such flow", () => {
    using dp = withOneFlow();
    dp.isUnloaded = true;
    expect(codeOf(() => ask(dp))).toBe("NO_MODULE");
    expect(dp.requests.length).toBe(0);
  });

  test("of a flow that is not there is not tried again", () => {
    using dp = withOneFlow();
    dp.table.flush();
    expect(ask(dp)).toBe(false);
    expect(dp.requests.length).toBe(1);
  });
});

describe("many reads", () => {
  /** What is said of one flow that is there, and of one that is not. */
  function read(reads: FlowReads): ReadResult[] {
    const found: ReadResult[] = [];
    for (const [tag, byte] of [7, 8].entries()) {
      expect(reads.add(OVS_FLOW_ATTR_UFID, new Uint8Array(16).fill(byte), 0, 16, tag)).toBe(true);
    }
    reads.execute(
      () => {},
      (tag, result) => (found[tag] = result),
    );
    return found;
  }

  test("find what is there, and say what is not", () => {
    using dp = withOneFlow();
    const reads = new FlowReads(dp.handle);
    expect(read(reads)).toEqual(["found", "none"]);
    reads.close();
  });

  test.each([true, false])(
    "say of no flow that it is not there where the family went, for good: %p",
    (isUnloaded) => {
      using dp = withOneFlow();
      const reads = new FlowReads(dp.handle);
      if (isUnloaded) dp.isUnloaded = true;
      else dp.kernel.families.renumber();
      expect(read(reads)).toEqual(["unknown", "unknown"]);
      reads.close();
    },
  );

  test("whose reply was lost are made again, alone", () => {
    using dp = withOneFlow();
    const reads = new FlowReads(dp.handle);
    let lost = 3;
    dp.kernel.faults = { ...dp.kernel.faults, deliver: (reply) => (lost-- > 0 ? [] : [reply]) };
    expect(read(reads)).toEqual(["found", "none"]);
    // Both together, and each alone.
    expect(dp.requests.length).toBe(4);
    reads.close();
  });

  test("of a key that the kernel does not take find no flow", () => {
    using dp = withOneFlow();
    const reads = new FlowReads(dp.handle);
    dp.refuse = () => 22;
    expect(read(reads)).toEqual(["none", "none"]);
    dp.refuse = () => 12;
    expect(read(reads)).toEqual(["unknown", "unknown"]);
    reads.close();
  });
});
