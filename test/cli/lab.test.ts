import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MILLRACE = join(import.meta.dir, "../../src/cli/millrace");

/** A guest covers all of these, so no cache can be there. */
const NOWHERE = { XDG_CACHE_HOME: "/proc/none", HOME: "/proc/none", TMPDIR: "/proc" };

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): { exitCode: number; stdout: string; stderr: string } {
  const child = Bun.spawnSync([MILLRACE, ...args], { env: { ...process.env, ...env } });
  const { exitCode, stdout, stderr } = child;
  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

test("lab list tells of a cache that cannot be", () => {
  const { exitCode, stdout, stderr } = run(["lab", "list"], NOWHERE);
  expect([exitCode, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^uml +no +(no folder for the lab's kernels can be written|x86-64 only)/m);
  expect(stdout).toContain("kept  nothing");
  expect(JSON.parse(run(["lab", "list", "--json"], NOWHERE).stdout)).toMatchObject({
    cache: null,
    cached: [],
    running: [],
  });
});

test("lab list makes no cache where there is none yet", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-cache-"));
  try {
    const { exitCode, stdout } = run(["lab", "list", "--json"], { XDG_CACHE_HOME: folder });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ cache: join(folder, "millrace"), cached: [] });
    // Bun keeps something of its own there.
    expect(readdirSync(folder)).not.toContain("millrace");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a demo says in a word that the lab failed, exit 125", () => {
  const { exitCode, stderr } = run(["demo", "--kernel", "uml"], NOWHERE);
  expect(exitCode).toBe(125);
  expect(stderr).toStartWith("millrace: no folder for the lab's kernels can be written");
});

describe("lab clean", () => {
  let folder = "";
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), "millrace-clean-"))));
  afterEach(() => rmSync(folder, { recursive: true }));
  const cached = (...names: readonly string[]): string => join(folder, "millrace", ...names);
  const clean = (...args: readonly string[]) =>
    run(["lab", "clean", ...args], { XDG_CACHE_HOME: folder });

  /** A file in the cache, of so many bytes. */
  function keep(path: readonly string[], bytes: number): void {
    mkdirSync(cached(...path.slice(0, -1)), { recursive: true, mode: 0o700 });
    writeFileSync(cached(...path), new Uint8Array(bytes));
  }

  test("removes what is kept, and says what and how much", () => {
    keep(["uml", "linux_6.1", "linux"], 3_000_000);
    keep(["peers", "ovs_3.1", "bin"], 1_000_000);
    // What a run that was killed has left is nothing else.
    keep(["uml", ".draft-1", "part"], 2_000_000);
    keep(["apt", "state", "status"], 500_000);
    expect(clean()).toEqual({ exitCode: 0, stdout: expect.any(String), stderr: "" });
    expect(["uml", "peers", "apt"].filter((name) => existsSync(cached(name)))).toEqual([]);
    expect(clean()).toMatchObject({ exitCode: 0, stdout: `nothing is kept: ${cached()}\n` });
  });

  test("tells each thing with its size, to programs, too", () => {
    keep(["uml", "linux_6.1", "linux"], 3_000_000);
    keep(["qemu", "linux_6.12", "linux"], 1_000_000);
    const { cache, removed } = JSON.parse(clean("--json").stdout);
    expect(cache).toBe(cached());
    expect(removed.map(({ name }: { name: string }) => name).toSorted()).toEqual([
      "qemu/linux_6.12",
      "uml/linux_6.1",
    ]);
    for (const { bytes } of removed) expect(bytes).toBeGreaterThanOrEqual(1_000_000);
    keep(["uml", "linux_6.1", "linux"], 3_000_000);
    expect(clean().stdout).toMatch(/^removed +3\.\d MB  .*\/uml\/linux_6\.1\n3\.\d MB in all\n$/);
  });

  test("leaves all to a lab that runs", () => {
    keep(["uml", "linux_6.1", "linux"], 100);
    const stat = readFileSync(`/proc/${process.pid}/stat`, "utf8");
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    mkdirSync(cached("runs", "1-a"), { recursive: true });
    writeFileSync(cached("runs", "1-a", "owner"), `${process.pid}\n${start}\numl\nsleep 9`);
    const { exitCode, stderr } = clean();
    expect([exitCode, stderr]).toEqual([
      125,
      expect.stringContaining(`a lab runs, started by process ${process.pid}: sleep 9\n`),
    ]);
    expect(stderr).toStartWith("millrace: ");
    expect(existsSync(cached("uml", "linux_6.1", "linux"))).toBe(true);
  });

  test("makes nothing where nothing is", () => {
    expect(clean().exitCode).toBe(0);
    expect(existsSync(cached())).toBe(false);
    expect(run(["lab", "clean"], NOWHERE).stdout).toBe(
      "nothing is kept: no folder for it can be written\n",
    );
  });
});
