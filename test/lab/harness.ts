import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runInLab, type LabOptions, type LabResult } from "../../src/lab/index.ts";

/** The launcher, as a user's shell finds it. */
export const MILLRACE: string = join(import.meta.dir, "../../src/cli/millrace");

type Said = LabResult & { readonly out: string; readonly err: string };

/** Runs a command in a lab and collects what it says. */
export async function inLab(
  command: readonly string[],
  options: Partial<LabOptions> = {},
): Promise<Said> {
  const result = await runInLab({
    kernel: "uml",
    stdout: "pipe",
    stderr: "pipe",
    memoryMiB: 1024,
    ...options,
    command,
  });
  const { stdout, stderr } = result;
  return { ...result, out: Buffer.from(stdout).toString(), err: Buffer.from(stderr).toString() };
}

/** The processes whose command line holds `text`. */
export function processesOf(text: string): number[] {
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text)) found.push(Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

/** Waits until `condition` holds. @throws Error after `limitMs` */
export async function until(condition: () => boolean, limitMs = 20_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms`);
    await Bun.sleep(20);
  }
}

/** Whether User Mode Linux can exist here at all. */
export const HAS_UML: boolean = process.arch === "x64" && existsSync("/usr/bin/apt-get");
