import { expect } from "bun:test";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runInLab, type LabOptions, type LabResult } from "../../src/lab/index.ts";
import { limit } from "../runner/limit.ts";

/** The launcher, as a user's shell finds it. */
export const MILLRACE: string = join(import.meta.dir, "../../src/cli/millrace");

type Said = LabResult & { readonly out: string; readonly err: string };

const running = new Set<AbortController>();

/** Ends the labs of a failed test, so that the next test finds none. */
export async function endLabs(): Promise<void> {
  for (const stop of running) stop.abort("the test has ended");
  await until(() => running.size === 0);
}

/** Runs a command in a lab and collects its output. */
export async function inLab(
  command: readonly string[],
  options: Partial<LabOptions> = {},
): Promise<Said> {
  const stop = new AbortController();
  running.add(stop);
  const { signal = stop.signal, ...others } = options;
  const result = await runInLab({
    kernel: "uml",
    stdout: "pipe",
    stderr: "pipe",
    memoryMiB: 1024,
    ...others,
    signal: AbortSignal.any([signal, stop.signal]),
    command,
  }).finally(() => running.delete(stop));
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
export async function until(condition: () => boolean, limitMs: number = limit(20)): Promise<void> {
  const end = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${limitMs} ms`);
    await Bun.sleep(20);
  }
}

/** Why there can be no User Mode Linux here at all. */
export const NO_UML: string | undefined =
  process.arch === "x64" && existsSync("/usr/bin/apt-get")
    ? undefined
    : "User Mode Linux is fetched by apt, for x86-64";

/** Milliseconds for programs or a kernel that have to be fetched first. */
export const FETCH_TIMEOUT_MS: number = limit(300);

/** Runs a command that writes, changes and removes files of the host in a lab that may only read them. */
export async function writesNothing(kernel: "uml" | "qemu", folder: string): Promise<void> {
  const own = join(folder, "read only");
  mkdirSync(join(own, "below"), { recursive: true });
  for (const name of ["changed", "gone", "below/kept"]) writeFileSync(join(own, name), "host");
  const script = `
    set -e
    cd "$1"; echo guest >changed; rm gone; rm -r below; mkdir new; echo guest >new/file; mv changed moved
    echo guest >../written; cat moved new/file ../written; [ ! -e gone ] && [ ! -e below ]
    touch "$TMPDIR/a"; cat | wc -c
    ls -A /; grep -c hostfs /proc/mounts`;
  // More than the guest is given ahead: what it has taken is gone from the host's side, too.
  const stdin = new Uint8Array(9 << 20);
  const said = await inLab(["sh", "-c", script, "sh", own], { kernel, readOnly: true, stdin });
  const root = readdirSync("/").toSorted();
  expect([said.err, ...said.out.trimEnd().split("\n").slice(0, 4)]).toEqual([
    "",
    "guest",
    "guest",
    "guest",
    `${9 << 20}`,
  ]);
  // The host's root is not to be seen beside its own.
  expect(said.out.trimEnd().split("\n").slice(4, -1).toSorted()).toEqual(root);
  expect(said.out.trimEnd().split("\n").at(-1)).toBe("0");
  expect(readdirSync(own).toSorted()).toEqual(["below", "changed", "gone"]);
  for (const name of ["changed", "gone", "below/kept"])
    expect(readFileSync(join(own, name), "utf8")).toBe("host");
  expect(existsSync(join(folder, "written"))).toBe(false);
}
