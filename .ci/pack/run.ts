import { join } from "node:path";

/** The folder of the project. */
export const ROOT: string = join(import.meta.dir, "../..");

/**
 * Runs a program in the folder of the project.
 * @returns what it printed
 * @throws Error where it fails, with all that it said
 */
export function run(...command: readonly string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...command], {
    cwd: ROOT,
    stdin: "ignore",
    stderr: "pipe",
  });
  if (exitCode === 0) return stdout.toString();
  const said = stdout.toString() + stderr.toString();
  throw new Error(`${command.join(" ")} ended with ${exitCode}:\n${said}`);
}
