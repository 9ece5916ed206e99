import { afterEach, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runDpctl } from "../../src/cli/dpctl/run.ts";
import { Datapath } from "../../src/index.ts";
import { type Batch, MessageState } from "../../src/netlink/batch.ts";
import { NLMSG_HEADER } from "../../src/netlink/message.ts";
import { Transactor } from "../../src/netlink/transactor.ts";
import { OVS_FLOW_CMD_GET } from "../../src/uapi/openvswitch.ts";
import { failure, TestDatapath } from "./lab.ts";

/**
 * Lost replies: whether the state that is read back means success depends on the request, and a
 * load, a single flow, a batch and dpctl agree on it.
 */

let spy: { mockRestore: () => void } | undefined;

function loseNoMore(): void {
  spy?.mockRestore();
  spy = undefined;
}

afterEach(loseNoMore);

/**
 * From now on no reply to a change arrives. @param carriedOut whether the kernel still carries out
 * the requests
 */
function loseReplies(carriedOut: boolean): void {
  const lossy = function (this: Transactor, batch: Batch, first: number, end: number): void {
    const command = batch.memory.u8[(batch.starts[first] ?? 0) + NLMSG_HEADER];
    const isChange = command !== OVS_FLOW_CMD_GET;
    if (!isChange || carriedOut) {
      loseNoMore();
      this.executePart(batch, first, end);
      loseReplies(carriedOut);
    }
    if (!isChange) return;
    batch.states.fill(MessageState.lost, first, end);
    batch.errnos.fill(0, first, end);
    batch.failures += end - first;
  };
  spy = spyOn(Transactor.prototype, "executePart").mockImplementation(lossy);
}

const KEY = "in_port(1),eth(),eth_type(0x1234)";
const OTHER = "in_port(2),eth() 1";
const folder = mkdtempSync(join(tmpdir(), "lost-"));

/** Ways to carry out a line. Each returns whether it succeeded. */
const WAYS: Readonly<Record<string, (dp: Datapath, verb: Verb) => boolean | Promise<boolean>>> = {
  async load(dp, verb) {
    const result = await dp.load([lineOf(verb)]);
    const stopped = await dp.load([lineOf(verb), OTHER], { onError: "stop" });
    expect(result.stateOf(0)).not.toBe("unknown");
    // Only what failed stops a load that is to stop at failures.
    expect(stopped.report.ended === "complete").toBe(stopped.errorOf(0) === undefined);
    return result.errorOf(0) === undefined;
  },
  batch(dp, verb) {
    using batch = dp.batch();
    batch.add(lineOf(verb));
    return batch.flush().exceptions.every(({ errno }) => errno === 0);
  },
  one(dp, verb) {
    if (verb !== "delete") return failure(() => dp[verb](`${KEY} 2`)) === undefined;
    return failure(() => expect(dp.remove(KEY)).toBe(true)) === undefined;
  },
  async dpctl(dp, verb) {
    const file = join(folder, "lines");
    writeFileSync(file, `${lineOf(verb)}\n`);
    let said = "";
    const command = verb === "delete" ? "del-flows" : "add-flows";
    const name = dp.info().name;
    const error = (text: string): void => void (said += text);
    const status = await runDpctl([command, name, file], { out: () => undefined, error });
    // What failed is said, and nothing else.
    expect([verb, status, said === ""]).toEqual([verb, status, status === 0]);
    return status === 0;
  },
};

const VERBS = ["put", "add", "modify", "delete"] as const;
type Verb = (typeof VERBS)[number];

function lineOf(verb: Verb): string {
  if (verb === "delete") return `delete ${KEY}`;
  return `${verb === "put" ? "" : `${verb} `}${KEY} 2`;
}

describe.each(Object.entries(WAYS))("a lost reply to %s", (_, carryOut) => {
  test.each(VERBS)("%s is as asked where the kernel did it, a failure where not", async (verb) => {
    for (const carriedOut of [true, false]) {
      using made = new TestDatapath("lost0");
      using dp = Datapath.open(made.name);
      // dpctl finds flows by their keys alone.
      if (verb === "modify" || verb === "delete") dp.loadSync([`${KEY} 1`], { ufid: false });
      loseReplies(carriedOut);
      const told = await carryOut(dp, verb);
      loseNoMore();
      expect([verb, carriedOut, told]).toEqual([verb, carriedOut, carriedOut]);
      const held = [...dp.flows()].map(String).filter((line) => line.startsWith(KEY));
      const wanted = verb === "delete" ? [] : [`${KEY}, actions:2`];
      expect(Bun.deepEquals(held, wanted)).toBe(carriedOut);
    }
  });
});
