import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Plan, Variant } from "../model.ts";

/** Memory of the running kernel: a file there is not read from a disk or the host. */
const MEMORY = "/dev/shm";

/**
 * The plan with its input files in memory. A guest that reads the host's files may not keep them in
 * its page cache (hostfs does not), and would ask the host for every page in every run, which is
 * not the tool's time.
 */
export class PlanInMemory implements Disposable {
  readonly plan: Plan;
  readonly #folder: string | undefined;

  constructor(plan: Plan) {
    this.#folder = copyToMemory(plan.data);
    this.plan = this.#folder === undefined ? plan : moved(plan, plan.data, this.#folder);
  }

  [Symbol.dispose](): void {
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true });
  }
}

/** @returns the folder of the copy; undefined if there is no room, or no such memory */
function copyToMemory(folder: string): string | undefined {
  let copy: string | undefined;
  try {
    copy = mkdtempSync(join(MEMORY, "millrace-bench-"));
    cpSync(folder, copy, { recursive: true });
    return copy;
  } catch (error) {
    console.error(`input stays where it is: ${String(error)}`);
    if (copy !== undefined) rmSync(copy, { recursive: true });
    return undefined;
  }
}

function moved(plan: Plan, from: string, to: string): Plan {
  const path = (word: string): string => word.replaceAll(from, to);
  const command = (variant: Variant): Variant => ({
    ...variant,
    command: variant.command.map(path),
    ...(variant.warmUp === undefined ? {} : { warmUp: variant.warmUp.map(path) }),
    ...(variant.flowsFile === undefined ? {} : { flowsFile: path(variant.flowsFile) }),
  });
  return {
    ...plan,
    data: to,
    warmUp: command(plan.warmUp),
    flowsFile: path(plan.flowsFile),
    variants: plan.variants.map(command),
  };
}
