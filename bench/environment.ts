import { existsSync, readFileSync } from "node:fs";
import { cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import manifest from "../package.json";
import type { Environment } from "./model.ts";

/** The facts about a run from the command line and the plan. */
type RunFacts = Pick<
  Environment,
  "lab" | "labKernel" | "flows" | "textFlows" | "rounds" | "seed" | "parts" | "skipped"
>;

/** Describes where and with what the suite runs. */
export function describeEnvironment(facts: RunFacts): Environment {
  const processors = cpus();
  return {
    kind: "environment",
    version: 1,
    date: new Date().toISOString(),
    cpu: processors[0]?.model.trim() ?? process.arch,
    cpus: processors.length,
    memoryBytes: totalmem(),
    hostKernel: release(),
    bun: Bun.version,
    millrace: manifest.version,
    commit: commit(),
    ...facts,
  };
}

/** The commit of the work tree, with a + if files were changed since; empty outside git. */
function commit(): string {
  const root = join(import.meta.dir, "..");
  if (!existsSync(join(root, ".git"))) return "";
  const git = (...args: string[]): string => {
    const child = Bun.spawnSync(["git", "-C", root, ...args], { stderr: "ignore" });
    return child.exitCode === 0 ? child.stdout.toString().trim() : "";
  };
  const id = git("rev-parse", "--short=12", "HEAD");
  return git("status", "--porcelain", "--untracked-files=no") === "" ? id : `${id}+`;
}

/** The machine's load over the last minute: figures of a busy machine are less reliable. */
export function loadAverage(): number {
  return Number(readFileSync("/proc/loadavg", "utf8").split(" ")[0] ?? 0);
}
