import { afterEach, expect, setDefaultTimeout, test } from "bun:test";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "../../src/lab/cache.ts";
import { runningLabs, sweepRuns } from "../../src/lab/runs.ts";
import { endLabs, NO_UML, inLab, MILLRACE, processesOf, until } from "./harness.ts";
import { limit } from "../runner/limit.ts";
import { describeUnless } from "../runner/skip.ts";

setDefaultTimeout(limit(60));

const started = new Set<ChildProcess>();

afterEach(async () => {
  for (const child of started) child.kill("SIGKILL");
  started.clear();
  await endLabs();
});

/** Starts `millrace lab run` on a command that waits, and returns when the command runs. */
async function waitingLab(
  mark: string,
): Promise<{ pid: number; ended: Promise<number>; kernel: number }> {
  const child = spawn(
    MILLRACE,
    [
      "lab",
      "run",
      "--kernel",
      "uml",
      "--memory",
      "1024",
      "--quiet",
      "--",
      "sh",
      "-c",
      `echo ${mark}; sleep 1000`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  started.add(child);
  const ended = new Promise<number>((resolve) => child.on("close", (code) => resolve(code ?? -1)));
  await new Promise<void>((resolve) => child.stdout.once("data", () => resolve()));
  const lab = runningLabs().find(({ command }) => command.includes(mark));
  if (child.pid === undefined || lab?.kernelProcess === undefined) throw new Error("no lab runs");
  return { pid: child.pid, ended, kernel: lab.kernelProcess };
}

/** Whether a process runs; a zombie does not count. */
function isRunning(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  } catch {
    return false;
  }
}

/** Everything that labs left behind: nothing if none runs. */
function tracesOf(kernel: number, pid: number): string[] {
  const runs = cacheFolder("runs");
  const found = readdirSync(runs).filter((name) => name.startsWith(`${pid}-`));
  if (processesOf(`${runs}/${pid}-`).length > 0) found.push("processes");
  if (isRunning(kernel)) found.push("the kernel");
  return found;
}

describeUnless(NO_UML)("the end of a lab", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("by %s leaves no process and no file", async (signal, status) => {
    const shared = [join(homedir(), ".uml"), "/dev/shm", tmpdir()];
    const before = shared.map((path) => (existsSync(path) ? readdirSync(path).length : -1));
    const { pid, ended, kernel } = await waitingLab(`mark-${signal}`);
    expect(tracesOf(kernel, pid)).not.toEqual([]);
    process.kill(pid, signal);
    expect(await ended).toBe(status);
    // What was killed may still be on its way out, on a busy machine.
    await until(() => tracesOf(kernel, pid).length === 0);
    const after = shared.map((path) => (existsSync(path) ? readdirSync(path).length : -1));
    expect(after[0]).toBe(before[0] ?? -1);
  });

  test("by SIGKILL of the process that started it takes the kernel along", async () => {
    const { pid, kernel } = await waitingLab("mark-kill");
    process.kill(pid, "SIGKILL");
    await until(() => tracesOf(kernel, pid).length === 0);
  });

  test("with its supervisor killed as well is cleaned up by the next lab", async () => {
    const { pid, kernel } = await waitingLab("mark-both");
    const runs = cacheFolder("runs");
    const supervisors = processesOf(`${runs}/${pid}-`).filter((found) => found < kernel);
    process.kill(pid, "SIGKILL");
    for (const supervisor of supervisors) process.kill(supervisor, "SIGKILL");
    await until(() => {
      sweepRuns();
      return tracesOf(kernel, pid).length === 0;
    });
  });

  test("at its time limit is told", () => {
    const words = ["lab", "run", "--kernel", "uml", "--timeout", "0.5", "--", "sleep", "1000"];
    const { exitCode, stderr } = Bun.spawnSync([MILLRACE, ...words]);
    expect(exitCode).toBe(124);
    expect(stderr.toString()).toEndWith("lab: the time limit of 0.5 s is over\n");
  });

  test("by an abort signal says so", async () => {
    const stop = new AbortController();
    const run = inLab(["sleep", "1000"], {
      signal: stop.signal,
      onStart: () => stop.abort("enough"),
    });
    expect(run).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
    await run.catch(() => undefined);
    expect(runningLabs().filter(({ owner }) => owner === process.pid)).toEqual([]);
  });

  test("is each lab's own where two run at once", async () => {
    const meet = mkdtempSync(join(tmpdir(), "millrace-meet-"));
    try {
      // Each waits for the other's file, so both must be running at the same time.
      const script =
        'touch "$1/$2"; while [ ! -e "$1/$3" ]; do sleep 0.1; done; ip link add same type dummy; exit $2';
      const ends = await Promise.all([
        inLab(["sh", "-c", script, "sh", meet, "3", "4"], { timeoutMs: limit(20) }),
        inLab(["sh", "-c", script, "sh", meet, "4", "3"], { timeoutMs: limit(20) }),
      ]);
      expect(ends.map(({ exitCode }) => exitCode)).toEqual([3, 4]);
    } finally {
      rmSync(meet, { recursive: true, force: true });
    }
  });
});
