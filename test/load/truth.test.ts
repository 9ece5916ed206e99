import { expect, test } from "bun:test";
import { Flow } from "../../src/flow/flow.ts";
import { linesSource } from "../../src/format/lines-source.ts";
import { TextFeed } from "../../src/format/text-feed.ts";
import { FlowBatch } from "../../src/load/flow-batch.ts";
import { loadSync } from "../../src/load/load.ts";
import { Account, OutcomeTable } from "../../src/load/outcome.ts";
import { Sender } from "../../src/load/sender.ts";
import { completeShape } from "../../src/load/sender-shape.ts";
import { dumpFlows } from "../../src/ovs/flow.ts";
import { EEXIST, ENOENT } from "../../src/sys/errno.ts";
import { ScriptedDatapath } from "../ovs/scripted-datapath.ts";
import { type Line, linesOfDump, Model, Random, randomLine, randomMatch, textOf } from "./truth.ts";

/*
 * What is said of each line is what is there, as test/kernel/truth.kernel.ts has it of a real kernel: here
 * of a flow table in memory, with batches of a few flows, and in milliseconds.
 */

/** Batches of so many flows, in datagrams of two. */
const shapeOf = (flows: number) =>
  completeShape({
    messagesPerDatagram: 2,
    datagramsPerCall: Math.ceil(flows / 2),
    replyCostBytes: 1024,
  });

/** @returns whether each line was applied */
function carryOut(
  dp: ScriptedDatapath,
  lines: readonly Line[],
  ufid: boolean,
  flowsPerBatch: number,
): boolean[] {
  const target = { channel: dp.channel, datapath: dp.info };
  if (flowsPerBatch === 0) {
    using batch = new FlowBatch(target);
    for (const line of lines) batch.add(textOf(line));
    const failed = new Set(batch.flush().exceptions.map(({ line }) => line));
    return lines.map((_, i) => !failed.has(i + 1));
  }
  const table = new OutcomeTable();
  const sender = new Sender(target, new Account(undefined, table), {
    shape: shapeOf(flowsPerBatch),
    senders: 1,
  });
  const report = loadSync(new TextFeed(linesSource("lines", lines.map(textOf)), { ufid }), sender);
  expect([report.applied + report.rejected, report.ended]).toEqual([lines.length, "whole"]);
  return lines.map((_, i) => table.stateOf(i) === "applied");
}

/** What a dump of it says. */
function readBack(dp: ScriptedDatapath): string[] {
  let dump = "";
  for (const view of dumpFlows(dp.channel, dp.info)) {
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

/** What a line did to the one flow that it names. */
type Effect = {
  readonly said: string;
  readonly errno: number;
  readonly actions: string | undefined;
};

/** What may be said of a line, by its verb and by the flow that is there in the end. */
function isTrue(
  verb: Line["verb"],
  wanted: string,
  before: string | undefined,
  effect: Effect,
): boolean {
  const { said, actions } = effect;
  const done = verb === "delete" ? actions === undefined : actions === wanted;
  switch (said) {
    case "applied":
      return done;
    case "present":
    case "absent": {
      const isThere = verb === "delete" ? actions !== undefined : actions === wanted;
      return isThere === (said === "present");
    }
    case "rejected":
      // Nothing was done, or it is an add of what was there.
      return actions === before;
    default:
      return said === "unknown" || said === "refused";
  }
}

test.each(Array.from({ length: 30 }, (_, seed) => seed))(
  "whatever becomes of replies, what is said of a line is what is there, seed %p",
  (seed) => {
    const random = new Random(seed * 104729 + 5);
    using dp = new ScriptedDatapath();
    // A flow each, none of which another one meets.
    const flows = Array.from({ length: 40 }, (_, i) => `in_port(${i + 1}),eth()`);
    const target = { channel: dp.channel, datapath: dp.info };
    const before = flows.map(() =>
      random.below(2) === 0 ? undefined : String(1 + random.below(2)),
    );
    const there = flows.flatMap((flow, i) =>
      before[i] === undefined ? [] : `${flow} ${before[i]}`,
    );
    const run = (lines: readonly string[]): OutcomeTable => {
      const table = new OutcomeTable();
      const sender = new Sender(target, new Account(undefined, table), {
        shape: shapeOf(8),
        senders: 1,
        tolerate: new Set(random.below(2) === 0 ? [] : [EEXIST, ENOENT]),
      });
      loadSync(new TextFeed(linesSource("lines", lines), { ufid: true }), sender);
      return table;
    };
    run(there);
    const rate = random.of([0, 3, 8, 20]);
    const strikes = (): boolean => random.below(100) < rate;
    dp.onOpen = (kernel) => {
      kernel.hasNoMemory = strikes;
      kernel.room = random.of([4, 100, 100]);
    };
    const lines = flows.map((flow) => ({
      verb: random.of<Line["verb"]>(["put", "put", "add", "modify", "delete"]),
      flow,
      actions: String(1 + random.below(2)),
    }));
    const table = run(
      lines.map(
        ({ verb, flow, actions }) => `${verb === "put" ? "" : `${verb} `}${flow} ${actions}`,
      ),
    );
    dp.onOpen = () => {};
    const held = new Map<string, string>();
    for (const view of dumpFlows(dp.channel, dp.info)) {
      const [, port = "", actions = ""] =
        PORT_AND_ACTIONS.exec(Flow.fromParts(view).toString()) ?? [];
      held.set(port, actions);
    }
    for (const [i, { verb, actions }] of lines.entries()) {
      const effect = {
        said: table.stateOf(i),
        errno: table.errnoOf(i),
        actions: held.get(String(i + 1)),
      };
      const told = `${before[i]} ${verb} ${actions}: ${JSON.stringify(effect)}`;
      expect(isTrue(verb, actions, before[i], effect) ? told : `false: ${told}`).toBe(told);
    }
  },
);
