import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { KeyRecord } from "../../../src/flow/key/record.ts";
import { type MaskClass, MaskClasses } from "../../../src/flow/mask-class.ts";
import { type FlowParts, readMatch } from "../../../src/flow/parts.ts";
import { MaskReader } from "../../../src/flow/shape/mask-reader.ts";
import { sampleLine } from "../../../src/format/sample.ts";
import { flowOf } from "../dumped-flow.ts";
import { PROPERTY } from "../harness.ts";
import { Random, randomFlow } from "../rules/random.ts";

const CORPUS = readFileSync(join(import.meta.dir, "../corpus/flows.txt"), "utf8")
  .split("\n")
  .filter((line) => line !== "" && !line.startsWith("#"));

/** How often a flow is repeated, with other bytes in its key. */
const MUTATIONS = 6;

/** All facts about a mask, and about the flow read last. */
function told(of: MaskClass | undefined, classes: MaskClasses): object | undefined {
  if (of === undefined) return undefined;
  const { words, masks, types, hasEthernet } = of;
  const values = classes.values.slice(0, words.length);
  return { words, masks, types, hasEthernet, values };
}

function flows(random: Random): FlowParts[] {
  const lines = [...CORPUS];
  for (let i = 0; i < PROPERTY.numRuns / 5; i++) lines.push(randomFlow(random), sampleLine(i));
  return lines.flatMap((line): FlowParts[] => {
    try {
      return [flowOf(line)];
    } catch {
      return [];
    }
  });
}

/** The flow with other bytes here and there in its key: most are values, and some are not. */
function mutated(flow: FlowParts, random: Random): FlowParts {
  const bytes = flow.bytes.slice();
  for (let left = random.below(4); left > 0; left--) {
    const at = flow.key.start + random.below(Math.max(1, flow.key.end - flow.key.start));
    bytes[at] = (bytes[at] ?? 0) ^ random.below(256);
  }
  return { ...flow, bytes };
}

test("flows of one form are read as flows on their own are", () => {
  const seed = PROPERTY.seed ?? Date.now() % 1_000_000;
  const random = new Random(seed);
  const classes = new MaskClasses({ byType: true });
  const reader = new MaskReader(classes);
  const alone = new MaskClasses({ byType: true });
  const record = new KeyRecord();
  let read = 0;
  for (const flow of flows(random)) {
    for (let i = 0; i < MUTATIONS; i++) {
      const one = i === 0 ? flow : mutated(flow, random);
      const wanted = readMatch(one, record) ? alone.add(record) : undefined;
      const found = told(reader.add(one), classes);
      expect({ seed, found }).toEqual({ seed, found: told(wanted, alone) });
      if (wanted !== undefined) read++;
    }
  }
  expect(read).toBeGreaterThan(1000);
  // What all flows of a mask have, and any, is the same, too.
  const shared = ({ all }: MaskClasses): object[] =>
    all.map(({ words, masks, all: always, any, count }) => ({ words, masks, always, any, count }));
  expect({ seed, classes: shared(classes) }).toEqual({ seed, classes: shared(alone) });
});
