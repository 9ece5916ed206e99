import { areHarmless, areHarmlessToDumps, type Fault } from "./faults.ts";
import { type History, statesOf } from "./history.ts";
import type { Operation } from "./operation.ts";
import { MANY } from "./small-operations.ts";
import { must } from "./violation.ts";
import type { World } from "./world.ts";

// Flows are deleted by what they do.

/** An output to port N, as the kernel has it. */
const outputTo = (port: number): string => `080001000${port}000000`;

/** Those that a filter means go, and no other one. */
export const WHERE: Operation = {
  name: "where",
  weight: 4,
  run: async (world, step, random) => {
    const port = 1 + random.below(3);
    const actions = outputTo(port);
    // More than a piece of a dump holds.
    const isLong = random.chance(30);
    if (isLong) world.dp.loadSync(MANY);
    const history = world.begin();
    const meant = Array.from(history.start).filter(([, state]) => state.actions === actions);
    let removed = -1;
    let isSure = false;
    const failed = await world.with(step.faults, random, async () => {
      const result = await world.dp.removeWhere(`output = ${port}`);
      if (result.ended === "complete" && result.failed === 0) removed = result.removed;
      const { gone, unknown, doubt } = result;
      isSure = removed >= 0 && unknown === 0 && doubt === undefined;
      must(
        result.failed === 0 || !step.faults.every(canOnlyTakeAway),
        () => `${result.failed} flows are said to be left, though they are at most gone`,
      );
      const told = result.removed + gone + result.failed + unknown;
      must(
        told >= meant.length || step.faults.length > 0,
        () => `${meant.length} flows are meant, ${told} told`,
      );
    });
    const touched = new Set(
      history.events.filter(({ byOther }) => byOther).map(({ match }) => match),
    );
    for (const { match, change, byOther } of history.events) {
      if (byOther) continue;
      must(change === "removed", () => `a removal does ${change} to ${match}`);
      const isMeant = history.start.get(match)?.actions === actions || touched.has(match);
      must(isMeant, () => `${match} is removed, and was not meant`);
    }
    const own = history.events.filter(({ byOther }) => !byOther).length;
    must(
      removed <= own || touched.size > 0 || world.state === undefined,
      () => `${removed} flows are said to be removed, ${own} were`,
    );
    if (isSure)
      checkNoneLeft(
        world,
        history,
        meant.map(([match]) => match),
        touched,
      );
    if (areHarmlessToDumps(step.faults)) {
      must(failed === undefined, () => `a removal fails: ${failed?.stack}`);
      must(removed === meant.length, () => `${meant.length} flows are meant, ${removed} removed`);
      const left = world.state === undefined ? [] : [...statesOf(world.state.table).values()];
      must(!left.some((state) => state.actions === actions), () => "one that was meant is left");
    }
    if (world.state === undefined || failed !== undefined) world.restart();
    if (isLong) world.clear();
  },
};

/** With these faults a flow is deleted, or another program did it. */
function canOnlyTakeAway(fault: Fault): boolean {
  return fault === "second writer" || areHarmless([fault]);
}

/** Where no doubt is told of the dump, it had every flow that was meant. */
function checkNoneLeft(
  { state }: World,
  { events }: History,
  meant: readonly string[],
  touched: ReadonlySet<string>,
): void {
  // Where one goes meanwhile, another one can take its place in the walk, and nobody sees it.
  if (state === undefined || events.some((event) => event.byOther && event.change === "removed"))
    return;
  const now = statesOf(state.table);
  const left = meant.find((match) => now.has(match) && !touched.has(match));
  must(left === undefined, () => `${left} was meant and is left, and nothing is said of it`);
}
