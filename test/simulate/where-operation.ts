import { areHarmlessToDumps } from "./faults.ts";
import { statesOf } from "./history.ts";
import type { Operation } from "./operation.ts";
import { must } from "./violation.ts";

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
    const history = world.begin();
    const meant = Array.from(history.start).filter(([, state]) => state.actions === actions);
    let removed = -1;
    const failed = await world.with(step.faults, random, async () => {
      const result = await world.dp.removeWhere(`output = ${port}`);
      if (result.ended === "complete" && result.failed === 0) removed = result.removed;
      const { gone, unknown } = result;
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
    if (areHarmlessToDumps(step.faults)) {
      must(failed === undefined, () => `a removal fails: ${failed?.stack}`);
      must(removed === meant.length, () => `${meant.length} flows are meant, ${removed} removed`);
      const left = world.state === undefined ? [] : [...statesOf(world.state.table).values()];
      must(!left.some((state) => state.actions === actions), () => "one that was meant is left");
    }
    if (world.state === undefined || failed !== undefined) world.restart();
  },
};
