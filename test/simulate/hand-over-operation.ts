import { checkEnd, Run, WORLDS } from "../sys/hand-over-model.ts";
import type { Operation } from "./operation.ts";

// Calls that one thread hands to another, in one order of the steps of both.

const RUNS = 20;

/** Nothing is freed too early, and what is said of a call is so. */
export const HAND_OVER: Operation = {
  name: "hand-over",
  weight: 2,
  run: (_world, _step, random) => {
    for (let n = 0; n < RUNS; n++) {
      const way = WORLDS[random.below(WORLDS.length)];
      if (way === undefined) return;
      const run = new Run(way);
      for (;;) {
        const choices = run.choices();
        const choice = choices[random.below(choices.length)];
        if (choice === undefined) break;
        run.take(choice);
      }
      checkEnd(way, run);
    }
  },
};
