import {
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The program, as a user starts it. */
export const MILLRACE: string = join(import.meta.dir, "../../src/cli/millrace");

/** What became of a command line of millrace. */
type Ended = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The bytes of `stdout`. */
  readonly output: Uint8Array;
};

/** Runs millrace in a process of its own, as a user does: that takes half a second in User Mode Linux. */
export function millraceProcess(args: readonly string[], input?: string | Uint8Array): Ended {
  const child = Bun.spawnSync([MILLRACE, ...args], {
    stdin: input === undefined ? "ignore" : Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  return ended(child.exitCode, child.stdout, child.stderr);
}

let resident: Resident | undefined;

/**
 * Runs millrace. All calls of a test file share one process, except calls with an input, and calls
 * that enter a network namespace, which cannot be undone. Tests of the process itself (signals,
 * pipes, a terminal, the exit status in a shell) need {@link millraceProcess}.
 */
export function millrace(args: readonly string[], input?: string | Uint8Array): Ended {
  if (input !== undefined || args.includes("--namespace")) return millraceProcess(args, input);
  resident ??= new Resident();
  return resident.run(args);
}

function ended(exitCode: number, stdout: Buffer, stderr: Buffer): Ended {
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString(), output: stdout };
}

/** The process that calls share. It ends when its channel does: with this process. */
class Resident {
  readonly #stdout: number;
  readonly #stderr: number;
  readonly #child: Bun.Subprocess<"ignore", number, number>;

  constructor() {
    const folder = mkdtempSync(join(tmpdir(), "millrace-resident-"));
    this.#stdout = openSync(join(folder, "stdout"), "a+");
    this.#stderr = openSync(join(folder, "stderr"), "a+");
    rmSync(folder, { recursive: true });
    this.#child = Bun.spawn([process.execPath, join(import.meta.dir, "resident.ts")], {
      stdio: ["ignore", this.#stdout, this.#stderr, "pipe"],
    });
    // A test that fails to end does not keep the file's process.
    this.#child.unref();
  }

  run(args: readonly string[]): Ended {
    ftruncateSync(this.#stdout);
    ftruncateSync(this.#stderr);
    const status = this.#statusOf(args);
    const [stdout, stderr] = [contentOf(this.#stdout), contentOf(this.#stderr)];
    if (status === undefined) {
      resident = undefined;
      throw new Error(`millrace ${args.join(" ")}: its process ended: ${stderr.toString()}`);
    }
    return ended(status, stdout, stderr);
  }

  // Waits without the event loop: to its caller a command line is one call, as with a process of its own.
  #statusOf(args: readonly string[]): number | undefined {
    const fd = this.#child.stdio[3];
    if (typeof fd !== "number") throw new Error("no channel to the resident process");
    writeSync(fd, `${JSON.stringify(args)}\n`);
    const bytes = Buffer.alloc(16);
    for (;;) {
      try {
        const length = readSync(fd, bytes);
        return length === 0 ? undefined : Number(bytes.toString("latin1", 0, length));
      } catch (error) {
        if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
        Bun.sleepSync(5);
      }
    }
  }
}

function contentOf(fd: number): Buffer {
  const content = Buffer.alloc(fstatSync(fd).size);
  for (let at = 0; at < content.length;) {
    const length = readSync(fd, content, at, content.length - at, at);
    if (length === 0) throw new Error("the output was cut while it was read");
    at += length;
  }
  return content;
}
