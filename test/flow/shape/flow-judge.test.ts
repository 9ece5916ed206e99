import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { Flow } from "../../../src/flow/flow.ts";
import { copyFlow, type FlowParts } from "../../../src/flow/parts.ts";
import { brokenRule } from "../../../src/flow/rules/validate.ts";
import { FlowJudge } from "../../../src/flow/shape/flow-judge.ts";

const CORPUS: readonly FlowParts[] = readFileSync(
  join(import.meta.dir, "../corpus/flows.txt"),
  "utf8",
)
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"))
  .map((line) => Flow.parse(line).parts);

const slow = (flow: FlowParts): string => brokenRule(flow)?.reason ?? "taken";

/** Verdicts of one judge, one after the other. */
function fast(flows: readonly FlowParts[]): string[] {
  const judge = new FlowJudge();
  return flows.map((flow) => judge.brokenRule(flow)?.reason ?? "taken");
}

test("flows are judged as one by one", () => {
  const flows = [...CORPUS, ...CORPUS.toReversed(), ...CORPUS];
  const wanted = flows.map(slow);
  expect(fast(flows)).toEqual(wanted);
  expect(new Set(wanted).size).toBeGreaterThan(1);
});

test("so are flows of which any byte is another one", () => {
  for (const flow of CORPUS) {
    // A flow as it is comes first: it is the one that the judge knows.
    const flows = [flow];
    for (const { start, end } of [flow.key, flow.mask, flow.actions]) {
      for (let at = start; at < end; at++) {
        for (const change of [0x01, 0x80, 0xff]) {
          const copy = copyFlow(flow);
          copy.bytes[at]! ^= change;
          flows.push(copy);
        }
      }
    }
    expect(fast(flows)).toEqual(flows.map(slow));
  }
});
