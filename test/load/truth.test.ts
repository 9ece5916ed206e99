import { expect, test } from "bun:test";
import { Flow } from "../../src/flow/flow.ts";
import { FlowInstaller } from "../../src/load/flow-installer.ts";
import { dumpFlows } from "../../src/ovs/flow.ts";
import { EEXIST, ENOENT } from "../../src/sys/errno.ts";
import { ScriptedDatapath } from "../ovs/scripted-datapath.ts";
import { loadInto } from "./scripted-load.ts";
import { type Line, linesOfDump, Model, Random, randomLine, randomMatch, textOf } from "./truth.ts";

/**
 * The reported outcome of each line is what is in the table, as test/kernel/truth.kernel.ts checks
 * with a real kernel: here with a flow table in memory, with batches of a few flows, in
 * milliseconds.
 */

/** @returns whether each line was applied */
function carryOut(
  dp: ScriptedDatapath,
  lines: readonly Line[],
  ufid: boolean,
  flowsPerBatch: number,
): boolean[] {
  if (flowsPerBatch === 0) {
    using batch = new FlowInstaller({ datapath: dp.handle });
    for (const line of lines) batch.add(textOf(line));
    const failed = new Set(batch.flush().exceptions.map(({ line }) => line));
    return lines.map((_, i) => !failed.has(i + 1));
  }
  const { report, ends } = loadInto(dp, lines.map(textOf), { ufid, flowsPerBatch });
  expect([report.applied + report.rejected, report.ended]).toEqual([lines.length, "complete"]);
  return ends.map((end) => end === "applied");
}

/** What a dump of it says. */
function readBack(dp: ScriptedDatapath): string[] {
  let dump = "";
  for (const view of dumpFlows(dp.handle)) {
    dump += `${Flow.fromParts(view).toString({ verbose: true })}\n`;
  }
  return linesOfDump(dump);
}

test.each(Array.from({ length: 12 }, (_, seed) => seed))(
  "what is said of a line is what is there, seed %p",
  (seed) => {
    const random = new Random(seed * 7919 + 1);
    using dp = new ScriptedDatapath();
    const model = new Model();
    const matches = Array.from({ length: 4 + random.below(24) }, () => randomMatch(random));
    for (let round = 0; round < 4; round++) {
      const lines = Array.from({ length: 1 + random.below(40) }, () => randomLine(random, matches));
      const flowsPerBatch = random.of([0, 2, 6, 64]);
      const ufid = flowsPerBatch === 0 || random.below(3) > 0;
      const said = carryOut(dp, lines, ufid, flowsPerBatch);
      const meant = lines.map((line) => model.apply(line, ufid));
      const told = (applied: readonly boolean[]): string[] =>
        lines.map((line, i) => `${applied[i] ? "applied " : "rejected"} ${textOf(line)}`);
      expect({ round, flowsPerBatch, ufid, lines: told(said) }).toEqual({
        round,
        flowsPerBatch,
        ufid,
        lines: told(meant),
      });
      expect({ round, flows: readBack(dp) }).toEqual({ round, flows: model.lines() });
    }
  },
);

const PORT_AND_ACTIONS = /in_port\((\d+)\).*actions:(.*)$/;

/** Whether what was said of a line may be so. @param before @param after the actions of the flow it names */
function isTrue(
  { verb, actions }: Pick<Line, "verb" | "actions">,
  said: string,
  before: string | undefined,
  after: string | undefined,
): boolean {
  const isThere = verb === "delete" ? after !== undefined : after === actions;
  switch (said) {
    case "applied":
      return isThere !== (verb === "delete");
    case "present":
      return isThere;
    case "absent":
      return !isThere;
    case "rejected":
      return after === before;
    default:
      return said === "unknown";
  }
}

test.each(Array.from({ length: 30 }, (_, seed) => seed))(
  "whatever becomes of replies, what is said of a line is what is there, seed %p",
  (seed) => {
    const random = new Random(seed * 104729 + 5);
    using dp = new ScriptedDatapath();
    // One flow each, none of which meets another.
    const flows = Array.from({ length: 40 }, (_, i) => `in_port(${i + 1}),eth()`);
    const before = flows.map(() =>
      random.below(2) === 0 ? undefined : String(1 + random.below(2)),
    );
    const there = flows.flatMap((flow, i) =>
      before[i] === undefined ? [] : `${flow} ${before[i]}`,
    );
    const options = { tolerate: random.of([[], [EEXIST, ENOENT]]) };
    loadInto(dp, there);
    const rate = random.of([0, 3, 8, 20]);
    const strikes = (): boolean => random.below(100) < rate;
    dp.hasNoMemory = strikes;
    dp.room = random.of([4, 100, 100]);
    const lines = flows.map((flow) => ({
      verb: random.of<Line["verb"]>(["put", "put", "add", "modify", "delete"]),
      flow,
      actions: String(1 + random.below(2)),
    }));
    const { ends } = loadInto(
      dp,
      lines.map(
        ({ verb, flow, actions }) => `${verb === "put" ? "" : `${verb} `}${flow} ${actions}`,
      ),
      options,
    );
    dp.hasNoMemory = () => false;
    dp.room = 100;
    const held = new Map<string, string>();
    for (const view of dumpFlows(dp.handle)) {
      const [, port = "", actions = ""] =
        PORT_AND_ACTIONS.exec(Flow.fromParts(view).toString()) ?? [];
      held.set(port, actions);
    }
    for (const [i, line] of lines.entries()) {
      const [said = ""] = (ends[i] ?? "").split(" ");
      const after = held.get(String(i + 1));
      const told = `${before[i]}, ${line.verb} ${line.actions}, ${said}: ${after}`;
      expect(isTrue(line, said, before[i], after) ? told : `false: ${told}`).toBe(told);
    }
  },
);
