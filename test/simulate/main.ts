/**
 * `npm run simulate -- --seeds N [--from SEED] [--minutes M]`: runs seeds, one after the other, and ends with one line.
 * One that is wrong is made small and told; it is run again by `--from SEED --seeds 1`.
 */
import { parseArgs } from "node:util";
import { beginRecycling, recycle } from "./recycled-memory.ts";
import { type Plan, planOf, runPlan } from "./run-seed.ts";
import { shrink } from "./shrink.ts";

const VIOLATIONS_MOST = 10;
/** Seeds after which every module is loaded, and has made what it keeps. */
const WARM = 40;
const TOLD_EVERY_MS = 60_000;
const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    minutes: { type: "string" },
    first: { type: "boolean", default: false },
  },
});

/** @throws Error: a run of no seeds must not end well */
function numberOf(option: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value) && value >= 0) return value;
  throw new Error(`--${option}: found "${text}", expected a number`);
}

const from = numberOf("from", values.from);
const most = numberOf("seeds", values.seeds);
const { minutes } = values;
const end =
  minutes === undefined
    ? Number.POSITIVE_INFINITY
    : Date.now() + numberOf("minutes", minutes) * 60_000;

function told({ seed, steps }: Plan): string {
  const each = steps.map(
    ({ operation, faults, kept }) =>
      `  ${operation}, ${faults.length === 0 ? "nothing wrong" : faults.join(", ")}${kept === undefined ? "" : `, lines ${rangesOf(kept)}`}`,
  );
  return `seed ${seed}:\n${each.join("\n")}`;
}

/** Ascending numbers, those that follow one another as a range: `0 3-5`. */
function rangesOf(numbers: readonly number[]): string {
  const starts = numbers.filter((number, i) => numbers[i - 1] !== number - 1);
  const ends = numbers.filter((number, i) => numbers[i + 1] !== number + 1);
  return starts
    .map((start, i) => (ends[i] === start ? `${start}` : `${start}-${ends[i]}`))
    .join(" ");
}

let violations = 0;
let seed = from;
let nextTold = Date.now() + TOLD_EVERY_MS;
for (; seed < from + most && Date.now() < end && violations < VIOLATIONS_MOST; seed++) {
  const plan = planOf(seed);
  const { found } = await runPlan(plan);
  if (seed === from + WARM) beginRecycling();
  recycle();
  if (seed - from < WARM) Bun.gc(true);
  if (Date.now() >= nextTold) {
    nextTold = Date.now() + TOLD_EVERY_MS;
    console.error(`${seed - from + 1} seeds so far, ${violations} violations`);
  }
  if (found === undefined) continue;
  violations++;
  const [small, wrong] = await shrink(plan, found);
  console.log(
    `${told(small)}\n  step ${wrong.step + 1}: ${wrong.error.stack ?? wrong.error.message}`,
  );
  if (values.first) break;
}
console.log(`${seed - from} seeds, ${violations} violations, first seed ${from}`);
process.exit(violations > 0 ? 1 : 0);
