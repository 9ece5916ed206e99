import { expect } from "bun:test";
import { Datapath } from "../../src/datapath.ts";
import {
  type Line,
  linesOfDump,
  type Match,
  Model,
  Random,
  randomLine,
  randomMatch,
  textOf,
} from "../load/truth.ts";
import { testUnless } from "../runner/skip.ts";
import { NO_DPCTL, witness } from "./lab.ts";
import { carryOut, goTogether, type Way, WAYS } from "./truth-ways.ts";

/**
 * The reported outcome of each line is what is in the datapath: random flows that nest, collide and
 * contradict one another, in all modes and with all identities, checked against a model of the
 * datapath and ovs-dpctl's dump.
 */

/** Lines that can go that way together. */
function randomLines(random: Random, matches: readonly Match[], way: Way): Line[] {
  const lines = Array.from({ length: 1 + random.below(30) }, () => randomLine(random, matches));
  if (way !== "template") return lines;
  const bare = lines.map((line) => ({ ...line, given: undefined }));
  return bare.filter((line) => bare[0] !== undefined && goTogether(line, bare[0]));
}

const LINES = Number(process.env["MILLRACE_TRUTH_LINES"] ?? 600);
/** Always the same, but for the long runs of a night. */
const isLong = process.env["MILLRACE_TRUTH_LINES"] !== undefined;
const SEED = Number(process.env["MILLRACE_PROPERTY_SEED"] ?? (isLong ? Date.now() & 0xffffff : 21));

// Without ovs-dpctl there is no second witness.
testUnless(NO_DPCTL)(`what is said of a line is what is there, seed ${SEED}`, async () => {
  const random = new Random(SEED);
  for (let done = 0; done < LINES;) {
    using dp = Datapath.create("truth0");
    try {
      const model = new Model();
      const matches = Array.from({ length: 4 + random.below(24) }, () => randomMatch(random));
      for (let round = 0; round < 4; round++) {
        const way = random.of(WAYS);
        const lines = randomLines(random, matches, way);
        const ufid = way === "batch" || way === "one" || random.below(3) > 0;
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
