import { expect, test } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import { MillraceError } from "../../src/sys/errors.ts";
import {
  type Line,
  linesOfDump,
  Model,
  Random,
  randomLine,
  randomMatch,
  textOf,
} from "../load/truth.ts";
import { HAS_DPCTL, witness } from "./lab.ts";

/*
 * What is said of each line is what is there: random flows that nest, collide and contradict one another, in
 * all modes and by all names, against a model of the datapath and against what ovs-dpctl reads back.
 */

/** Loads lines in one of the ways there are. @returns whether each was applied */
async function carryOut(
  dp: Datapath,
  lines: readonly Line[],
  way: "load" | "batch" | "one",
  ufid: boolean,
): Promise<boolean[]> {
  if (way === "load") {
    const result = await dp.load(lines.map(textOf), { ufid });
    expect(result.length).toBe(lines.length);
    return lines.map((_, i) => result.stateOf(i) === "applied");
  }
  if (way === "batch") {
    using batch = dp.batch();
    for (const line of lines) batch.add(textOf(line));
    const failed = new Set(batch.flush().exceptions.map(({ line }) => line));
    return lines.map((_, i) => !failed.has(i + 1));
  }
  return lines.map((line) => applyOne(dp, line));
}

function applyOne(dp: Datapath, line: Line): boolean {
  const text = textOf({ ...line, verb: "put" });
  try {
    if (line.verb === "delete") return dp.remove(text);
    dp[line.verb](text);
    return true;
  } catch (error) {
    if (error instanceof MillraceError) return false;
    throw error;
  }
}

const LINES = Number(process.env["MILLRACE_TRUTH_LINES"] ?? 600);
/** Always the same, but for the long runs of a night. */
const isLong = process.env["MILLRACE_TRUTH_LINES"] !== undefined;
const SEED = Number(process.env["MILLRACE_PROPERTY_SEED"] ?? (isLong ? Date.now() & 0xffffff : 21));

// Without ovs-dpctl there is no second witness.
test.skipIf(!HAS_DPCTL)(`what is said of a line is what is there, seed ${SEED}`, async () => {
  const random = new Random(SEED);
  for (let done = 0; done < LINES;) {
    using dp = Datapath.create("truth0");
    try {
      const model = new Model();
      const matches = Array.from({ length: 4 + random.below(24) }, () => randomMatch(random));
      for (let round = 0; round < 4; round++) {
        const lines = Array.from({ length: 1 + random.below(30) }, () =>
          randomLine(random, matches),
        );
        const way = random.of<"load" | "batch" | "one">(["load", "load", "batch", "one"]);
        const ufid = way !== "load" || random.below(3) > 0;
        const said = await carryOut(dp, lines, way, ufid);
        const meant = lines.map((line) => model.apply(line, ufid));
        const told = lines.map((line, i) => `${said[i] ? "applied " : "rejected"} ${textOf(line)}`);
        const expected = lines.map(
          (line, i) => `${meant[i] ? "applied " : "rejected"} ${textOf(line)}`,
        );
        expect({ seed: SEED, done, round, way, ufid, lines: told }).toEqual({
          seed: SEED,
          done,
          round,
          way,
          ufid,
          lines: expected,
        });
        expect({
          seed: SEED,
          done,
          round,
          flows: linesOfDump(witness("ovs-dpctl", "dump-flows", "-m", dp.name)),
        }).toEqual({
          seed: SEED,
          done,
          round,
          flows: model.lines(),
        });
        done += lines.length;
      }
    } finally {
      dp.delete();
    }
  }
});
