import type { ProgramReport } from "./model.ts";

/** The time after which a program counts as hanging: no measurement takes a tenth of it. */
const TIME_LIMIT_MS = 600_000;

/** How a program of the suite ended. */
type Ended = {
  readonly wholeSeconds: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Why its run does not count, if so. */
  readonly failed: string | undefined;
};

/** Options for a program's run and output. */
export type ProgramOptions = {
  readonly stdout?: "pipe" | "ignore";
  readonly stderr?: "pipe" | "inherit";
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly timeLimitMs?: number;
};

/** Runs a program to its end. A failure becomes a reason, and does not end the suite. */
export function runProgram(command: readonly string[], options: ProgramOptions = {}): Ended {
  const { stdout = "pipe", stderr = "inherit", timeLimitMs = TIME_LIMIT_MS } = options;
  // What this program has set counts as well: without `env`, Bun passes on what it was started with.
  const { env = process.env } = options;
  const startedAt = performance.now();
  const spent = (): number => (performance.now() - startedAt) / 1000;
  try {
    const child = Bun.spawnSync([...command], {
      stdout,
      stderr,
      timeout: timeLimitMs,
      killSignal: "SIGKILL",
      env,
    });
    const wholeSeconds = spent();
    const said = child.stderr?.toString() ?? "";
    let failed: string | undefined;
    if (child.exitedDueToTimeout === true) failed = `not done after ${timeLimitMs / 1000} s`;
    else if (child.exitCode !== 0) failed = `exit ${child.exitCode}${lastLine(said)}`;
    return { wholeSeconds, stdout: child.stdout?.toString() ?? "", stderr: said, failed };
  } catch (error) {
    return { wholeSeconds: spent(), stdout: "", stderr: "", failed: String(error) };
  }
}

/** The report that a program printed; undefined if it printed something else. */
export function readReport(
  text: string,
): (ProgramReport & { readonly flows?: number }) | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isReport(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isReport(value: unknown): value is ProgramReport {
  return (
    typeof value === "object" &&
    value !== null &&
    "seconds" in value &&
    typeof value.seconds === "number"
  );
}

function lastLine(text: string): string {
  const line = text.trim().split("\n").at(-1) ?? "";
  return line === "" ? "" : ` (${line})`;
}
