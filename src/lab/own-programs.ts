import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { shellQuote } from "./tool.ts";

/** Whether this is the single binary, which contains its modules. */
export const IN_BINARY: boolean = import.meta.dir.startsWith("/$bunfs/");

/**
 * The environment in which the single binary acts as plain Bun: `millrace script.ts` runs the
 * script. Programs started by such a Bun inherit it.
 */
export const AS_BUN = { BUN_BE_BUN: "1" } as const;

/**
 * The folder of the project's programs, `millrace` and `bun`, for the PATH of a command in a lab.
 * The single binary is both, but may have any name, so it writes launchers into `folder`.
 */
export function projectPrograms(folder: string): string {
  if (!IN_BINARY) return resolve(import.meta.dir, "../cli");
  mkdirSync(folder, { recursive: true });
  const binary = shellQuote(process.execPath);
  const executable = { mode: 0o755 };
  writeFileSync(
    join(folder, "millrace"),
    `#!/bin/sh\nunset BUN_BE_BUN\nexec ${binary} "$@"\n`,
    executable,
  );
  writeBun(join(folder, "bun"));
  return folder;
}

/** Writes a launcher that runs the single binary as Bun. */
export function writeBun(path: string): void {
  const script = `#!/bin/sh\nexport BUN_BE_BUN=1\nexec ${shellQuote(process.execPath)} "$@"\n`;
  writeFileSync(path, script, { mode: 0o755 });
}
