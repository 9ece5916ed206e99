/**
 * Prints by what factor, a whole number, this machine is now slower than a quiet one:
 * MILLRACE_TEST_PACE. A run measures it once, by a computation and a boot of the lab, which is
 * fetched if missing; with the word `inside`, in the lab, by the computation and a start of Bun. A
 * run with more work has MILLRACE_TEST_PATIENCE, a factor for its limits.
 */
import { slowness } from "../../src/lab/time-limit.ts";

/** Milliseconds on a quiet machine: a boot of User Mode Linux, and a start of Bun in it. */
const QUIET_BOOT_MS = 2000;
const QUIET_START_MS = 700;

async function bootMs(): Promise<number> {
  // Only here: inside the lab, loading it takes as long as the measurement.
  const { LAB_PEERS, LabError, peerPath, runInLab } = await import("../../src/lab/index.ts");
  const { StatusLine } = await import("../../src/cli/status-line.ts");
  using status = new StatusLine("lab: ");
  const telling = { onProgress: status.say, onWaiting: status.wait };
  try {
    // What the labs of the run use: they are quiet.
    for (const peer of LAB_PEERS) await peerPath([peer], telling);
    const boot = await runInLab({
      kernel: "uml",
      command: ["true"],
      memoryMiB: 1024,
      stdin: "ignore",
      onStart: status.clear,
      ...telling,
    });
    return boot.bootMs;
  } catch (error) {
    // Tests that need a lab will report it.
    if (error instanceof LabError) return 0;
    throw error;
  }
}

function startMs(): number {
  const startedAt = performance.now();
  Bun.spawnSync([process.execPath, "-e", "0"]);
  return performance.now() - startedAt;
}

const isInside = process.argv[2] === "inside";
const [what, took] = isInside
  ? ["start", startMs() / QUIET_START_MS]
  : ["boot", (await bootMs()) / QUIET_BOOT_MS];
const spin = slowness();
console.error(`time limits: spin ${spin.toFixed(1)}, ${what} ${took.toFixed(1)} times a quiet one`);
const patience = Number(process.env["MILLRACE_TEST_PATIENCE"] ?? 1);
console.log(patience * Math.ceil(Math.max(spin, took)));
