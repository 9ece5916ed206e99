import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { MaskClasses } from "../../../src/flow/mask-class.ts";
import { copyFlow, type FlowParts, hashMatch, readMatch } from "../../../src/flow/parts.ts";
import { printFlow } from "../../../src/flow/print.ts";
import { brokenRule } from "../../../src/flow/rules/validate.ts";
import { FlowJudge } from "../../../src/flow/shape/flow-judge.ts";
import { FlowPrinter } from "../../../src/flow/shape/flow-printer.ts";
import { MaskReader } from "../../../src/flow/shape/mask-reader.ts";
import { MatchNormalizer } from "../../../src/flow/shape/match-normalizer.ts";
import { TextSink } from "../../../src/flow/text/sink.ts";
import { flowOf } from "../dumped-flow.ts";

// Flow sets of others may hold attributes that end within a word, where forms compare nothing.

const STYLE = { verbose: true, statistics: true, ports: undefined };

const CORPUS = readFileSync(join(import.meta.dir, "../corpus/flows.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

/** A flow of which a part ends within a word, and the same with another last byte. */
function pairs(part: "key" | "mask" | "actions"): FlowParts[] {
  return CORPUS.flatMap((line): FlowParts[] => {
    const flow = copyFlow(flowOf(line));
    const { start, end } = flow[part];
    return [1, 2, 3].flatMap((cut) => {
      if (end - cut <= start) return [];
      const one = { ...flow, [part]: { start, end: end - cut } };
      const other = { ...one, bytes: one.bytes.slice() };
      other.bytes[end - cut - 1]! ^= 0x15;
      return [one, other];
    });
  });
}

/** What is found of a flow: its text, its verdict, its mask and its hash. */
function told(flow: FlowParts, using: ReturnType<typeof shared> | ReturnType<typeof alone>) {
  const out = new TextSink();
  const printed = using.print(flow, out) ? out.toString() : "";
  return [printed, using.judge(flow), using.values(flow), using.hash(flow)];
}

function shared() {
  const printer = new FlowPrinter(STYLE);
  const judge = new FlowJudge();
  const classes = new MaskClasses({ byType: false });
  const reader = new MaskReader(classes);
  const matches = new MatchNormalizer();
  return {
    print: (flow: FlowParts, out: TextSink) => printer.print(flow, out, 1),
    judge: (flow: FlowParts) => judge.brokenRule(flow)?.reason,
    values: (flow: FlowParts) => {
      const found = reader.add(flow);
      return found && [found.masks, classes.values.slice(0, found.words.length)];
    },
    hash: (flow: FlowParts) => (matches.read(flow) ? matches.hash.slice() : undefined),
  };
}

function alone() {
  const record = new KeyRecord();
  const hash = new Int32Array(4);
  const classes = new MaskClasses({ byType: false });
  return {
    print: (flow: FlowParts, out: TextSink) => printFlow(flow, record, out, STYLE, 1),
    judge: (flow: FlowParts) => brokenRule(flow)?.reason,
    values: (flow: FlowParts) => {
      const found = readMatch(flow, record) ? classes.add(record) : undefined;
      return found && [found.masks, classes.values.slice(0, found.words.length)];
    },
    hash: (flow: FlowParts) => (hashMatch(flow, hash, 0) ? hash.slice() : undefined),
  };
}

test.each(["key", "mask", "actions"] as const)("a flow is read to the end of its %s", (part) => {
  const [fast, slow] = [shared(), alone()];
  for (const flow of pairs(part)) expect(told(flow, fast)).toEqual(told(flow, slow));
});
