import { Random } from "../../src/testing/random.ts";
import { areHarmless, FAULTS, type Fault, LOSSES } from "./faults.ts";
import type { Operation, Step } from "./operation.ts";
import { OPERATIONS } from "./operations.ts";
import { World } from "./world.ts";

// One seed: what is done in it, and whether something that must hold does not.

/** What a seed does. */
export type Plan = { readonly seed: number; readonly steps: readonly Step[] };

/** What is wrong, and in which step. */
export type Found = { readonly step: number; readonly error: Error };

const STEPS_MOST = 5;

/** The plan of a seed. */
export function planOf(seed: number): Plan {
  const random = new Random(seed * 2 + 1);
  const total = OPERATIONS.reduce((sum, { weight }) => sum + weight, 0);
  const steps = Array.from({ length: 1 + random.below(STEPS_MOST) }, (): Step => {
    let at = random.below(total);
    const operation = OPERATIONS.find(({ weight }) => (at -= weight) < 0)?.name ?? "none";
    return { operation, seed: random.next(), faults: randomFaults(random) };
  });
  return { seed, steps };
}

/** Carries out one step. @throws Violation */
export async function runStep(world: World, step: Step): Promise<void> {
  await operationNamed(step.operation).run(world, step, new Random(step.seed));
}

/** @throws Error: a step that does nothing finds nothing */
function operationNamed(wanted: string): Operation {
  const found = OPERATIONS.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`found the operation "${wanted}", which no file has`);
  return found;
}

function randomFaults(random: Random): Fault[] {
  if (random.chance(40)) return [];
  if (random.chance(25)) return FAULTS.filter((fault) => areHarmless([fault]) && random.chance(35));
  if (random.chance(20)) return LOSSES.filter(() => random.chance(50));
  const few = random.chance(60);
  return FAULTS.filter(() => random.chance(few ? 8 : 25));
}

/** How a plan ended: what is wrong, undefined where all holds, and a sum of all that the kernel was asked. */
export type End = { readonly found: Found | undefined; readonly digest: number };

/** Carries out a plan. */
export async function runPlan({ seed, steps }: Plan): Promise<End> {
  let step = 0;
  const world = new World(seed);
  try {
    for (const one of steps) {
      await runStep(world, one);
      step++;
    }
    world.restart();
    return { found: undefined, digest: world.digest };
  } catch (error) {
    const found = { step, error: error instanceof Error ? error : new Error(String(error)) };
    return { found, digest: world.digest };
  } finally {
    world.dp.close();
  }
}
