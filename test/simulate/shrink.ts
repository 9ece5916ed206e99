import type { Fault } from "./faults.ts";
import { linesOf, type Step } from "./operation.ts";
import { type Found, type Plan, runPlan } from "./run-seed.ts";

// Makes a plan in which something is wrong as small as it goes, with the same thing wrong.

const RUNS_MOST = 400;

/** What two things have in common that are wrong for the same reason: its first words. */
function kindOf({ error }: Found): string {
  return error.message.replaceAll(/\d+|".*?"|[0-9a-f]{8,}/g, "").slice(0, 24);
}

/** The smallest plan that is found, and what is wrong in it. */
export async function shrink(plan: Plan, found: Found): Promise<readonly [Plan, Found]> {
  const kind = kindOf(found);
  let [best, wrong] = [plan, found];
  let runs = 0;
  const tries = async (steps: readonly Step[]): Promise<boolean> => {
    if (++runs > RUNS_MOST) return false;
    const { found: now } = await runPlan({ ...plan, steps });
    if (now === undefined || kindOf(now) !== kind) return false;
    [best, wrong] = [{ ...plan, steps }, now];
    return true;
  };
  await tries(best.steps.slice(0, found.step + 1));
  for (let i = best.steps.length - 1; i >= 0; i--) await tries(best.steps.toSpliced(i, 1));
  for (const [i] of best.steps.entries()) {
    for (const fault of best.steps[i]?.faults ?? []) await tries(without(best.steps, i, fault));
    const step = best.steps[i];
    const count = step === undefined ? 0 : linesOf(step);
    const all = Array.from({ length: count }, (_, n) => n);
    if (count === 0 || !(await tries(withLines(best.steps, i, all)))) continue;
    for (let size = Math.ceil(count / 2); size >= 1; size >>= 1) {
      for (let at = 0; at < (best.steps[i]?.kept?.length ?? 0);) {
        const lines = best.steps[i]?.kept ?? [];
        if (!(await tries(withLines(best.steps, i, lines.toSpliced(at, size))))) at += size;
      }
    }
  }
  return [best, wrong];
}

function without(steps: readonly Step[], index: number, fault: Fault): Step[] {
  return steps.map((step, i) =>
    i === index ? { ...step, faults: step.faults.filter((one) => one !== fault) } : step,
  );
}

function withLines(steps: readonly Step[], index: number, lines: readonly number[]): Step[] {
  return steps.map((step, i) => (i === index ? { ...step, kept: lines } : step));
}
