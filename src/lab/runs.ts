import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { cacheFolder, existingCacheFolder } from "./cache.ts";

/** A running lab. */
export type RunningLab = {
  readonly folder: string;
  /** The process that started it, and the kernel's own. */
  readonly owner: number;
  readonly kernelProcess: number | undefined;
  readonly kernel: string;
  readonly command: string;
};

type Owner = { pid: number; start: string; kernel: string; command: string };

/** The start time of a process in clock ticks: with the pid, it identifies the process uniquely. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in parentheses, and may hold anything.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // An ended process stays in the table until its parent waits for it.
    return fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function readOwner(folder: string): Owner | undefined {
  try {
    const [pid, start, kernel, ...command] = readFileSync(join(folder, "owner"), "utf8").split(
      "\n",
    );
    if (pid === undefined || start === undefined || kernel === undefined) return undefined;
    return { pid: Number(pid), start, kernel, command: command.join("\n") };
  } catch {
    return undefined;
  }
}

function kernelProcess(folder: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(folder, "kernel.pid"), "utf8"));
    // The folder is on the kernel's command line, which distinguishes it from a later process with
    // the same pid.
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return line.includes(folder) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** Makes a folder for one run, owned by this process. */
export function makeRunFolder(kernel: string, command: readonly string[]): string {
  const name = `${process.pid}-${crypto.randomUUID().slice(0, 8)}`;
  const folder = join(cacheFolder("runs"), name);
  mkdirSync(folder, { mode: 0o700 });
  const start = startTime(process.pid) ?? "";
  writeFileSync(join(folder, "owner"), [process.pid, start, kernel, command.join(" ")].join("\n"));
  return folder;
}

function runFolders(): string[] {
  const parent = existingCacheFolder("runs");
  return parent === undefined ? [] : readdirSync(parent).map((name) => join(parent, name));
}

/** The running labs, started by any process of this user. */
export function runningLabs(): RunningLab[] {
  const found: RunningLab[] = [];
  for (const folder of runFolders()) {
    const owner = readOwner(folder);
    if (owner === undefined || startTime(owner.pid) !== owner.start) continue;
    found.push({
      folder,
      owner: owner.pid,
      kernelProcess: kernelProcess(folder),
      kernel: owner.kernel,
      command: owner.command,
    });
  }
  return found;
}

/** Removes the files of runs whose owner and supervisor were both killed. */
export function sweepRuns(): void {
  for (const folder of runFolders()) {
    const owner = readOwner(folder);
    // A folder without an owner may be under construction.
    if (owner === undefined && existsSync(`/proc/${basename(folder).split("-")[0]}`)) continue;
    if (owner !== undefined && startTime(owner.pid) === owner.start) continue;
    const kernel = kernelProcess(folder);
    if (kernel !== undefined) {
      try {
        process.kill(-kernel, "SIGKILL");
      } catch {
        // The run ended meanwhile.
      }
    }
    rmSync(folder, { recursive: true, force: true });
  }
}
